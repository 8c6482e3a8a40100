//! The times over the number of devices, both logarithmic: what is flat does not grow, and a straight line upwards grows with them.

use std::fmt::Write as _;
use std::time::Duration;

use crate::look::{Look, NAMES};

pub(crate) fn draw(looks: &[Look]) -> String {
    let mut out = String::from(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 560 330" font-family="sans-serif" font-size="11">
<rect width="560" height="330" fill="white"/>
<text x="10" y="16" font-size="13">How long it takes, over the number of devices</text>
"#,
    );
    for power in 0..=DECADES {
        let (y, label) = (
            y_of(power),
            ["0.1 ms", "1 ms", "10 ms", "0.1 s", "1 s", "10 s", "100 s"][power],
        );
        writeln!(out, r##"<path d="M{LEFT} {y:.1}h{WIDTH}" stroke="#ddd"/><text x="{}" y="{:.1}" text-anchor="end">{label}</text>"##, LEFT - 6.0, y + 4.0).unwrap();
    }
    for look in looks {
        let (x, devices) = (x_of(look, looks), look.devices);
        writeln!(
            out,
            r#"<text x="{x:.1}" y="{}" text-anchor="middle">{devices}</text>"#,
            BOTTOM + 16.0
        )
        .unwrap();
    }
    for (at, name) in NAMES.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let points: Vec<_> = looks
            .iter()
            .map(|look| format!("{:.1},{:.1}", x_of(look, looks), height(look.times[at])))
            .collect();
        writeln!(
            out,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#,
            points.join(" ")
        )
        .unwrap();
        let y = 40.0 + 16.0 * at as f64;
        writeln!(out, r#"<rect x="440" y="{:.1}" width="12" height="3" fill="{colour}"/><text x="458" y="{y:.1}">{name}</text>"#, y - 5.0).unwrap();
    }
    out.push_str("</svg>\n");
    out
}

fn x_of(look: &Look, looks: &[Look]) -> f64 {
    let log = |look: &Look| (look.devices as f64).ln();
    let (first, last) = (log(&looks[0]), log(&looks[looks.len() - 1]));
    let all = (last - first).max(f64::MIN_POSITIVE);
    LEFT + 20.0 + (WIDTH - 40.0) * (log(look) - first) / all
}

/// Of a time, from 0.1 ms on.
fn height(time: Duration) -> f64 {
    let decades = (time.as_secs_f64() * 10_000.0).max(1.0).log10();
    BOTTOM - HEIGHT * decades / DECADES as f64
}

fn y_of(power: usize) -> f64 {
    BOTTOM - HEIGHT * power as f64 / DECADES as f64
}

const DECADES: usize = 6;
const LEFT: f64 = 60.0;
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 260.0;
const BOTTOM: f64 = 295.0;
const COLOURS: [&str; 9] = [
    "#0b5fa5", "#8ab8dd", "#5a7fa0", "#b3530e", "#f0b27a", "#8a5a2b", "#2f7d32", "#7b1fa2",
    "#c62828",
];

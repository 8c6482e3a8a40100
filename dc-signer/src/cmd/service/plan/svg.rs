//! Plots of a run over time, as SVG.

use std::fmt::Write as _;
use std::path::Path;

use dc_pki::files::{self, Access};

use super::report::Report;
use super::text::{number, time};
use crate::cmd::service::error::Error;

/// Writes the plots of a run into a folder.
pub(super) fn write(folder: &Path, report: &Report) -> Result<(), Error> {
    files::make_folder(folder, Access::Everyone)?;
    for (name, plot) in plots(report) {
        let path = folder.join(name);
        std::fs::write(&path, plot.draw()).map_err(|source| Error::Plot { path, source })?;
    }
    Ok(())
}

fn plots(report: &Report) -> [(&'static str, Plot); 3] {
    let parts = &report.parts;
    let a_second = |counts: &[u64]| {
        counts
            .iter()
            .map(|count| *count as f64 / f64::from(parts.seconds))
            .collect()
    };
    let curve = |label, points| Curve { label, points };
    let flat = |rate: f64| vec![rate; parts.issued.len()];
    let given = &report.scenario;
    let mut lost = 0;
    let lost = parts.lost.iter().map(|count| {
        lost += count;
        lost as f64
    });
    let plot = |title, curves| Plot {
        title,
        seconds: parts.seconds,
        curves,
    };
    [
        (
            "issued.svg",
            plot(
                "credentials issued a second",
                vec![
                    curve("issued", a_second(&parts.issued)),
                    curve("needed if nothing goes wrong", flat(given.steady_rate)),
                ],
            ),
        ),
        (
            "requests.svg",
            plot(
                "what devices try, a second",
                vec![
                    curve("requests", a_second(&parts.requests)),
                    curve("connections reset", a_second(&parts.reset)),
                    curve("signer not reached", a_second(&parts.unreachable)),
                    curve("can be issued", flat(given.rate)),
                ],
            ),
        ),
        (
            "lost.svg",
            plot(
                "credentials that ended while the device had power, so far",
                vec![curve("lost", lost.collect())],
            ),
        ),
    ]
}

/// Curves over the time of a run, from nought upwards.
struct Plot {
    title: &'static str,
    /// Of each point.
    seconds: u32,
    curves: Vec<Curve>,
}

struct Curve {
    label: &'static str,
    points: Vec<f64>,
}

impl Plot {
    fn draw(&self) -> String {
        let highest = self.curves.iter().flat_map(|curve| &curve.points).copied();
        let top = nice(highest.fold(0.0, f64::max));
        let mut out = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {W} {H}" font-family="sans-serif" font-size="11">
<rect width="{W}" height="{H}" fill="white"/>
<text x="{LEFT}" y="18" font-size="13">{}</text>
"#,
            self.title
        );
        self.axes(top, &mut out);
        for (at, curve) in self.curves.iter().enumerate() {
            curve.draw(at, top, &mut out);
        }
        out.push_str("</svg>\n");
        out
    }

    fn axes(&self, top: f64, out: &mut String) {
        for step in 0..=4_u8 {
            let part = f64::from(step) / 4.0;
            let (y, right) = (TOP + HEIGHT * (1.0 - part), LEFT + WIDTH);
            let (label_x, label_y) = (LEFT - 6.0, y + 4.0);
            let label = number(top * part);
            // Writing into a string cannot fail.
            let _ = writeln!(
                out,
                r##"<path d="M{LEFT} {y:.1}H{right}" stroke="#ddd"/><text x="{label_x}" y="{label_y:.1}" text-anchor="end">{label}</text>"##
            );
        }
        let points = self.curves.first().map_or(0, |curve| curve.points.len());
        let whole = points as f64 * f64::from(self.seconds);
        for step in 0..=5_u8 {
            let part = f64::from(step) / 5.0;
            let (x, y) = (LEFT + WIDTH * part, TOP + HEIGHT + 16.0);
            let label = time(whole * part);
            let _ = writeln!(
                out,
                r#"<text x="{x:.1}" y="{y}" text-anchor="middle">{label}</text>"#
            );
        }
    }
}

impl Curve {
    fn draw(&self, at: usize, top: f64, out: &mut String) {
        let colour = COLOURS[at % COLOURS.len()];
        let last = self.points.len().saturating_sub(1).max(1) as f64;
        let points = self.points.iter().enumerate().map(|(at, value)| {
            let x = LEFT + WIDTH * at as f64 / last;
            format!("{x:.1},{:.1}", TOP + HEIGHT * (1.0 - value / top))
        });
        let line = points.collect::<Vec<_>>().join(" ");
        let _ = writeln!(
            out,
            r#"<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>"#
        );
        let (x, y) = (LEFT + 190.0 * at as f64, TOP + HEIGHT + 40.0);
        let (text_x, rect_y, label) = (x + 18.0, y - 5.0, self.label);
        let _ = writeln!(
            out,
            r#"<rect x="{x}" y="{rect_y}" width="12" height="3" fill="{colour}"/><text x="{text_x}" y="{y}">{label}</text>"#
        );
    }
}

/// The next larger number of one, two or five and noughts.
fn nice(number: f64) -> f64 {
    let power = 10_f64.powf(number.max(1.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps
        .into_iter()
        .find(|step| *step >= number)
        .unwrap_or(number)
}

const W: f64 = 840.0;
const H: f64 = 340.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 30.0;
const WIDTH: f64 = 740.0;
const HEIGHT: f64 = 250.0;
const COLOURS: [&str; 4] = ["#0b5fa5", "#b3530e", "#8ab8dd", "#2f7d32"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_is_within_the_plot() {
        assert_eq!(
            [0.0, 1.0, 3.0, 64.0, 200.0, 2001.0].map(nice),
            [1.0, 1.0, 5.0, 100.0, 200.0, 5000.0]
        );
        let curve = Curve {
            label: "a",
            points: vec![0.0, 5.0],
        };
        let plot = Plot {
            title: "t",
            seconds: 3600,
            curves: vec![curve],
        };
        let drawn = plot.draw();
        assert!(drawn.contains("70.0,280.0 810.0,30.0"), "{drawn}");
    }
}

//! Curves as SVG, next to each other.

use std::fmt::Write as _;

/// Curves over one axis, from nought upwards.
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) is_logarithmic: bool,
    pub(crate) curves: Vec<Curve>,
}

pub(crate) struct Curve {
    pub(crate) label: &'static str,
    /// A number of something, and what it costs in instructions.
    pub(crate) points: Vec<(u32, u64)>,
}

impl Panel {
    /// One line for each curve, in thousands of instructions.
    pub(crate) fn print(&self) {
        let numbers = self.curves[0].points.iter().map(|(number, _)| number);
        print!("{:32}", self.title);
        numbers.for_each(|number| print!("{number:>9}"));
        println!();
        for Curve { label, points } in &self.curves {
            print!("  {label:30}");
            points
                .iter()
                .for_each(|(_, cost)| print!("{:>8}k", cost / 1000));
            println!();
        }
    }

    /// How far right a number is, from 0 to 1.
    fn right(&self, number: u32) -> f64 {
        let at = |number: u32| match self.is_logarithmic {
            true => f64::from(number).ln(),
            false => f64::from(number),
        };
        let points = &self.curves[0].points;
        let (first, last) = (points[0].0, points[points.len() - 1].0);
        (at(number) - at(first)) / (at(last) - at(first))
    }

    fn highest(&self) -> u64 {
        let costs = self.curves.iter().flat_map(|curve| &curve.points);
        costs.map(|(_, cost)| *cost).max().unwrap_or(1)
    }

    /// Draws it with its left upper corner there.
    fn draw(&self, left: f64, out: &mut String) {
        let top = f64::from(u32::try_from(self.highest().div_ceil(MILLION)).unwrap());
        let x = |number| left + self.right(number) * WIDTH;
        let y = |millions: f64| TOP + HEIGHT * (1.0 - millions / top);
        let text = |out: &mut String, x: f64, y: f64, anchor: &str, text: &str| {
            writeln!(
                out,
                r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
            )
            .unwrap();
        };
        text(
            out,
            left + WIDTH / 2.0,
            TOP + HEIGHT + 32.0,
            "middle",
            self.title,
        );
        for (number, _) in &self.curves[0].points {
            text(
                out,
                x(*number),
                TOP + HEIGHT + 15.0,
                "middle",
                &number.to_string(),
            );
        }
        let mut millions = 0.0;
        while millions <= top {
            let (y, right) = (y(millions), left + WIDTH);
            writeln!(
                out,
                r##"<path d="M{left:.1} {y:.1}H{right:.1}" stroke="#ddd"/>"##
            )
            .unwrap();
            text(out, left - 6.0, y + 4.0, "end", &format!("{millions} M"));
            millions += 1.0;
        }
        for (at, Curve { label, points }) in self.curves.iter().enumerate() {
            let colour = COLOURS[at % COLOURS.len()];
            let millions = |cost: u64| cost as f64 / MILLION as f64;
            let points = points
                .iter()
                .map(|(number, cost)| (x(*number), y(millions(*cost))));
            let line: Vec<_> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let line = line.join(" ");
            writeln!(
                out,
                r#"<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>"#
            )
            .unwrap();
            let y = LEGEND + 14.0 * at as f64;
            writeln!(
                out,
                r#"<rect x="{left:.1}" y="{:.1}" width="12" height="3" fill="{colour}"/>"#,
                y - 5.0
            )
            .unwrap();
            text(out, left + 18.0, y, "start", label);
        }
    }
}

/// A picture of them all.
pub(crate) fn draw(panels: &[Panel]) -> String {
    let width = PITCH * panels.len() as f64 + 20.0;
    let height = LEGEND + 14.0 * 5.0;
    let mut out = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">
<rect width="{width}" height="{height}" fill="white"/>
<text x="10" y="16" font-size="13">Instructions of one end in a full handshake, in millions</text>
"#
    );
    for (at, panel) in panels.iter().enumerate() {
        panel.draw(45.0 + PITCH * at as f64, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

const MILLION: u64 = 1_000_000;
const TOP: f64 = 30.0;
const WIDTH: f64 = 230.0;
const HEIGHT: f64 = 200.0;
const PITCH: f64 = 300.0;
/// Where the names of the curves begin.
const LEGEND: f64 = TOP + HEIGHT + 55.0;
const COLOURS: [&str; 5] = ["#0b5fa5", "#8ab8dd", "#b3530e", "#f0b27a", "#2f7d32"];

//! The demo in a terminal: once for a wide page, and once for a phone, where each line has what came out below it.

use std::fmt::Write as _;

use super::same;

/// One line of the demo.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) tried: String,
    pub(super) expected: String,
    pub(super) got: String,
}

/// What `demo --json` has printed, as it is in every run.
pub(super) fn lines(json: &str) -> Vec<Line> {
    let rows: Vec<serde_json::Value> = serde_json::from_str(&same::everywhere(json)).unwrap();
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = rows.iter().inspect(|row| assert_eq!(row["ok"], true));
    let line = |row| Line {
        tried: text(row, "scenario"),
        expected: text(row, "expected"),
        got: text(row, "got"),
    };
    rows.map(line).collect()
}

/// Characters of a monospaced font have three fifths of its size.
const WIDTH: f64 = 0.6;

struct Terminal {
    columns: usize,
    size: f64,
    out: String,
    line: usize,
}

impl Terminal {
    fn new(columns: usize, size: f64) -> Self {
        let mut terminal = Self {
            columns,
            size,
            out: String::new(),
            line: 0,
        };
        terminal.put(&[
            (0, "dim", "$"),
            (2, "white", "cargo run -p dc-signer -- demo"),
        ]);
        terminal
    }

    fn width(&self) -> f64 {
        (self.columns as f64 * WIDTH + 2.0) * self.size
    }

    /// One line of texts, each at a column; what does not fit ends in `…`.
    fn put(&mut self, texts: &[(usize, &str, &str)]) {
        let y = (3.4 + self.line as f64 * 1.45) * self.size;
        for (column, class, text) in texts {
            let room = self.columns - column;
            let mut text: String = text.chars().take(room + 1).collect();
            if text.chars().count() > room {
                text = text.chars().take(room - 1).chain(['…']).collect();
            }
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            let x = (1.0 + *column as f64 * WIDTH) * self.size;
            writeln!(
                self.out,
                r#"<text x="{x:.1}" y="{y:.1}" class="{class}">{text}</text>"#
            )
            .unwrap();
        }
        self.line += 1;
    }

    fn done(mut self, lines: usize) -> String {
        let end = format!("{lines} of {lines} as expected");
        self.put(&[(0, "white", &end)]);
        let (width, size) = (self.width(), self.size);
        let height = (2.8 + self.line as f64 * 1.45) * size;
        let dots = ["#ff5f57", "#febc2e", "#28c840"].iter().enumerate();
        let dots = dots.map(|(at, colour)| {
            let x = (1.4 + at as f64 * 1.3) * size;
            format!(
                r#"<circle cx="{x:.1}" cy="{:.1}" r="{:.1}" fill="{colour}"/>"#,
                1.2 * size,
                0.4 * size
            )
        });
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="{size}">
<style>.white{{fill:#f0f6fc}}.text{{fill:#c9d1d9}}.dim{{fill:#8b949e}}.good{{fill:#56d364}}.bad{{fill:#ffa198}}</style>
<rect x="0.5" y="0.5" width="{:.0}" height="{:.0}" rx="8" fill="#161b22" stroke="#484f58"/>
{}
{}</svg>
"##,
            width - 1.0,
            height - 1.0,
            dots.collect::<String>(),
            self.out
        )
    }
}

/// Green is what was accepted.
fn colour(got: &str) -> &'static str {
    match got.starts_with("accepted") {
        true => "good",
        false => "bad",
    }
}

pub(super) fn wide(lines: &[Line]) -> String {
    let mut terminal = Terminal::new(118, 13.0);
    let longest = |text: fn(&Line) -> &str| {
        lines
            .iter()
            .map(|line| text(line).chars().count())
            .max()
            .unwrap_or_default()
    };
    let expected = 4 + longest(|line| &line.tried) + 2;
    let got = expected + longest(|line| &line.expected) + 2;
    terminal.put(&[
        (4, "dim", "tried"),
        (expected, "dim", "expected"),
        (got, "dim", "got"),
    ]);
    for line in lines {
        let tried = (4, "text", line.tried.as_str());
        let rest = [
            (expected, "dim", line.expected.as_str()),
            (got, colour(&line.got), line.got.as_str()),
        ];
        terminal.put(&[(0, "good", "ok"), tried, rest[0], rest[1]]);
    }
    terminal.done(lines.len())
}

pub(super) fn narrow(lines: &[Line]) -> String {
    let mut terminal = Terminal::new(50, 12.0);
    for line in lines {
        terminal.put(&[(0, "good", "ok"), (3, "white", &line.tried)]);
        terminal.put(&[(4, colour(&line.got), &line.got)]);
    }
    terminal.done(lines.len())
}

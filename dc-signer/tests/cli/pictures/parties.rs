//! Who talks to whom, and what the evil twin cannot do.
//!
//! It is as wide as a phone allows with letters that can be read there, and follows the reader's light or dark colours.

use std::fmt::Write as _;

const STYLE: &str = "text{fill:#1f2328}.small{font-size:13px}.dim{fill:#59636e}.box{fill:#f6f8fa;stroke:#8c959f}.good{stroke:#1a7f37;fill:#dafbe1}.bad{stroke:#cf222e;fill:#ffebe9}.line{stroke:#59636e;fill:none}.yes{stroke:#1a7f37;fill:none}.no{stroke:#cf222e;fill:none;stroke-dasharray:6 4}.ok{fill:#1a7f37}.wrong{fill:#cf222e}.tip{fill:#59636e}.tipyes{fill:#1a7f37}.tipno{fill:#cf222e}.page{fill:#ffffff}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.dim{fill:#9198a1}.box{fill:#21262d;stroke:#656c76}.good{stroke:#3fb950;fill:#12261e}.bad{stroke:#f85149;fill:#25171c}.line{stroke:#9198a1}.yes{stroke:#3fb950}.no{stroke:#f85149}.ok{fill:#3fb950}.wrong{fill:#f85149}.tip{fill:#9198a1}.tipyes{fill:#3fb950}.tipno{fill:#f85149}.page{fill:#0d1117}}";

struct Picture(String);

impl Picture {
    /// A box with a name and what it is, each on a line, around its middle.
    fn party(&mut self, class: &str, (x, y, width): (u32, u32, u32), name: &str, what: &[&str]) {
        let height = 30 + 18 * what.len();
        let middle = x + width / 2;
        writeln!(self.0, r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" class="{class}" stroke-width="1.5"/>"#).unwrap();
        self.text(
            "middle",
            "",
            (middle, y + 22),
            &format!(r#"<tspan font-weight="bold">{name}</tspan>"#),
        );
        for (at, line) in (0..).zip(what) {
            self.text("middle", "small dim", (middle, y + 41 + 18 * at), line);
        }
    }

    fn text(&mut self, anchor: &str, class: &str, (x, y): (u32, u32), text: &str) {
        writeln!(
            self.0,
            r#"<text x="{x}" y="{y}" text-anchor="{anchor}" class="{class}">{text}</text>"#
        )
        .unwrap();
    }

    fn arrow(&mut self, class: &str, from: (u32, u32), to: (u32, u32)) {
        let (tip, (x1, y1), (x2, y2)) = (class.trim_start_matches("line"), from, to);
        writeln!(self.0, r#"<path d="M{x1} {y1}L{x2} {y2}" class="{class}" stroke-width="2" marker-end="url(#tip{tip})"/>"#).unwrap();
    }
}

pub(super) fn draw() -> String {
    let mut picture = Picture(String::new());
    picture.party("box", (14, 14, 120), "CA", &["public or private"]);
    picture.party("box", (286, 14, 180), "The vendor’s signer", &["dc-signer"]);
    picture.arrow("line", (138, 38), (280, 38));
    picture.text("middle", "small", (208, 28), "one certificate");
    picture.text("middle", "small dim", (208, 56), "*.cpe.example.com");

    picture.arrow("line", (330, 66), (150, 146));
    picture.arrow("line", (390, 66), (390, 146));
    picture.text("end", "small", (214, 96), "credential “k3v”,");
    picture.text("end", "small dim", (200, 113), "7 days at most");
    picture.text("start", "small", (398, 100), "its own:");
    picture.text("start", "small dim", (398, 117), "“m7q”");

    picture.party(
        "good",
        (14, 152, 206),
        "Router k3v",
        &["dc-agent, dc-terminator", "a key that never leaves it"],
    );
    picture.party(
        "bad",
        (260, 152, 206),
        "Its evil twin m7q",
        &["same vendor, same model,", "a real credential"],
    );

    picture.party(
        "box",
        (106, 314, 268),
        "A client that wants k3v",
        &["dc-rustls, dc-connect"],
    );
    picture.arrow("yes", (176, 312), (130, 224));
    picture.arrow("no", (304, 312), (350, 224));
    picture.text("end", "small ok", (142, 276), "accepted");
    picture.text("start", "small wrong", (338, 276), "refused");

    picture.text(
        "start",
        "",
        (14, 398),
        r#"<tspan font-weight="bold">What the twin cannot do</tspan>"#,
    );
    let tries = [
        ("show its own credential", "it has another name"),
        ("leave its name out", "the client requires one"),
        ("write “k3v” in", "the signer did not sign that"),
        ("show k3v’s credential", "it has not k3v’s key"),
    ];
    for (at, (tried, why)) in (0..).zip(tries) {
        let y = 422 + 23 * at;
        picture.text("start", "wrong", (14, y), "✗");
        picture.text("start", "small", (34, y), tried);
        picture.text("start", "small dim", (212, y), why);
    }
    let tip = |name: &str| {
        format!(
            r#"<marker id="tip{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z" class="tip{name}"/></marker>"#
        )
    };
    let tips = ["", "yes", "no"].map(tip).concat();
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="480" height="510" viewBox="0 0 480 510" font-family="system-ui, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="15">
<style>{STYLE}</style>
<defs>{tips}</defs>
<rect width="480" height="510" rx="8" class="page"/>
{}</svg>
"#,
        picture.0
    )
}

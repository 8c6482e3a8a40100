//! What differs from run to run, made the same: names of devices, and times.

/// Names, in the order in which they come.
const NAMES: [&str; 3] = ["k3v…", "m7q…", "x2d…"];

/// The end of all of them.
const ZONE: &str = ".cpe.example.com";

/// The day on which everything happens.
const DAY: &str = "2026-01-01";

pub(super) fn everywhere(text: &str) -> String {
    // A second may begin while the demo runs.
    times(&names(text)).replace("7 d 23 h 59 min 59 s", "8 d 0 h 0 min 0 s")
}

fn names(text: &str) -> String {
    let mut seen: Vec<&str> = Vec::new();
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(ZONE) {
        let other = |c: char| !c.is_ascii_alphanumeric();
        let start = before.rfind(other).map_or(0, |at| at + 1);
        let label = &before[start..];
        if !seen.contains(&label) {
            seen.push(label);
        }
        let at = seen.iter().position(|known| *known == label).unwrap();
        out.push_str(&before[..start]);
        out.push_str(NAMES[at]);
        out.push_str(ZONE);
        rest = after;
    }
    out + rest
}

/// Seconds since 1970 of the time at the beginning of a text, such as `2026-11-30T12:38:34Z`.
fn seconds(text: &str) -> Option<u64> {
    let time = humantime::parse_rfc3339(text.get(..20)?).ok()?;
    Some(time.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs())
}

/// The first time that is called now becomes noon of the day, and the others move with it, to the minute.
fn times(text: &str) -> String {
    let now = text.split("now is ").nth(1).and_then(seconds).unwrap();
    let noon = seconds(&format!("{DAY}T12:00:00Z")).unwrap();
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let Some(time) = seconds(rest) else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        // Some seconds pass during a run.
        let moved = (time + noon + 30 - now) / 60 * 60;
        let moved = std::time::UNIX_EPOCH + std::time::Duration::from_secs(moved);
        out.push_str(&humantime::format_rfc3339_seconds(moved).to_string());
        rest = &rest[20..];
    }
    out
}

#[test]
fn names_and_times_of_two_runs_are_the_same() {
    let run = |a: &str, b: &str, minute: u8, second: u8| {
        format!(
            "wanted {a}{ZONE}, is {b}{ZONE}; ended at 2026-03-01T10:{minute:02}:05Z, and now is 2026-03-01T11:{minute:02}:{second:02}Z; {a}{ZONE}"
        )
    };
    let same = everywhere(&run("abc", "def", 7, 5));
    assert_eq!(same, everywhere(&run("xyz", "uvw", 33, 7)));
    assert_eq!(
        same,
        "wanted k3v….cpe.example.com, is m7q….cpe.example.com; ended at 2026-01-01T11:00:00Z, and now is 2026-01-01T12:00:00Z; k3v….cpe.example.com"
    );
}

//! Numbers and outcomes in words.

/// A time in days, or smaller units if it is short.
pub(crate) fn time(seconds: u64) -> String {
    match seconds {
        0 => "0 s".to_owned(),
        1..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{:.0} h", seconds as f64 / 3600.0),
        172_800..=8_639_999 => format!("{} d", short(seconds as f64 / DAY)),
        8_640_000..=315_359_999 => format!("{:.0} d", seconds as f64 / DAY),
        _ => format!("{:.0} years", seconds as f64 / DAY / 365.0),
    }
}

/// The same where there may be no end.
pub(crate) fn time_or_ever(seconds: Option<u64>) -> String {
    seconds.map_or_else(|| "for ever".to_owned(), time)
}

/// A count with one decimal where it has any, and with separators where it is large.
pub(crate) fn count(number: f64) -> String {
    if number.abs() >= 1e6 {
        return format!("{} million", short(number / 1e6));
    }
    if number.abs() >= 1e4 {
        let whole = number.round() as i64;
        return format!("{},{:03}", whole / 1000, (whole % 1000).abs());
    }
    short(number)
}

fn short(number: f64) -> String {
    let text = format!("{number:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

const DAY: f64 = 24.0 * 3600.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_a_unit_that_fits() {
        let of = [
            0,
            90,
            600,
            90_000,
            590_400,
            4_060_800,
            34_560_000,
            315_360_000,
        ];
        let words = of.map(time);
        assert_eq!(
            words,
            [
                "0 s", "90 s", "10 min", "25 h", "6.8 d", "47 d", "400 d", "10 years"
            ]
        );
        assert_eq!(time_or_ever(None), "for ever");
    }

    #[test]
    fn counts_are_short() {
        let of = [0.0, -0.01, 11.5, 12.0, 12_345.0, 87_000_000.0];
        assert_eq!(
            of.map(count),
            ["0", "0", "11.5", "12", "12,345", "87 million"]
        );
    }
}

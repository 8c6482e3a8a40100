//! The tables that people read.

use std::fmt;

use super::report::{Followed, Left, Report};
use crate::cmd::table::Table;

/// A report as text.
#[derive(Debug)]
pub(super) struct Text<'r>(pub(super) &'r Report);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        writeln!(f, "{}\n", head(report))?;
        writeln!(f, "{}\n", fleet(report))?;
        if !report.troubles.is_empty() {
            writeln!(f, "{}\n", troubles(&report.troubles))?;
        }
        if !report.stolen_keys.is_empty() {
            writeln!(f, "{}\n", stolen_keys(&report.stolen_keys))?;
        }
        writeln!(f, "{}\n", cas(report))?;
        writeln!(f, "{}\n", exposure(report))?;
        write!(f, "{}", space(report))
    }
}

fn head(report: &Report) -> String {
    let given = &report.scenario;
    let sites = match given.sites {
        1 => "one site".to_owned(),
        sites => format!("{sites} sites"),
    };
    format!(
        "{} devices for {}, {sites}: {} credentials a second are needed, {} can be issued; {} questions a second",
        whole(f64::from(given.devices)),
        time(f64::from(given.run)),
        number(given.steady_rate),
        number(given.rate),
        number(given.poll_rate),
    )
}

fn fleet(report: &Report) -> Table<2> {
    let fleet = &report.fleet;
    let of_all = 100.0 * f64::from(fleet.lost) / f64::from(report.scenario.devices);
    let mut table = Table::new(["THE FLEET", ""]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row(
        "devices lost",
        format!("{} ({of_all:.2} %)", whole(f64::from(fleet.lost))),
    );
    row(
        "ended without power",
        whole(f64::from(fleet.ended_without_power)),
    );
    let without = fleet.seconds_without as f64 / f64::from(report.scenario.devices);
    row("without a credential, each", time(without));
    row("credentials issued", whole(fleet.issued as f64));
    row(
        "requests an issuance",
        format!("{:.2}", fleet.requests_per_issuance),
    );
    row("told to come later", whole(fleet.put_off as f64));
    row("of these too late", whole(fleet.put_off_too_late as f64));
    row("zone could not issue", whole(fleet.zone_not_ready as f64));
    row("connections reset", whole(fleet.reset as f64));
    row("signer not reached", whole(fleet.unreachable as f64));
    row("questions after a start", whole(fleet.questions as f64));
    row(
        "most issued in a second",
        whole(f64::from(fleet.most_issued_in_a_second)),
    );
    row(
        "most connections in a second",
        whole(f64::from(fleet.most_connections_in_a_second)),
    );
    let signatures = &report.signatures;
    let headroom = format!(
        "{} ({:.1} times the most)",
        whole(signatures.can),
        signatures.headroom
    );
    row("signatures a second", headroom);
    table
}

fn troubles(troubles: &[Followed]) -> Table<7> {
    let mut table = Table::new([
        "AFTER AN OUTAGE OF",
        "FROM",
        "UNTIL",
        "BACKLOG",
        "SERVED AFTER",
        "REQUESTS EACH",
        "PEAK",
    ]);
    for trouble in troubles {
        table.row([
            trouble.what.clone(),
            time(f64::from(trouble.start)),
            time(f64::from(trouble.end)),
            whole(f64::from(trouble.backlog)),
            after(trouble.served_after),
            format!("{:.2}", trouble.requests_per_issuance),
            format!("{:.2} × capacity", trouble.peak),
        ]);
    }
    table
}

fn stolen_keys(keys: &[Left]) -> Table<4> {
    let mut table = Table::new([
        "STOLEN KEY FOUND",
        "HALF LEFT AFTER",
        "99 % AFTER",
        "ALL AFTER",
    ]);
    for key in keys {
        let found = time(f64::from(key.found));
        table.row([
            found,
            after(key.half_after),
            after(key.most_after),
            after(key.all_after),
        ]);
    }
    table
}

fn cas(report: &Report) -> Table<4> {
    let it = &report.certificates;
    let mut table = Table::new(["CAS, A YEAR", "CERTIFICATES", "REQUESTS", "IN THE RUN"]);
    let run = format!(
        "orders: {}, in vain: {}",
        it.orders_in_the_run, it.orders_that_failed
    );
    let zones = match it.zones {
        1 => "one zone".to_owned(),
        zones => format!("{} zones", whole(f64::from(zones))),
    };
    let ours = format!("{zones}, certificates of {}", time(f64::from(it.lifetime)));
    table.row([ours, number(it.a_year), number(it.requests_a_year), run]);
    let theirs = "one for each device by ACME, 47 d".to_owned();
    let (a_year, requests) = (it.with_acme_a_year, it.requests_with_acme_a_year);
    table.row([theirs, number(a_year), number(requests), String::new()]);
    table
}

fn exposure(report: &Report) -> Table<2> {
    let it = &report.exposure;
    let mut table = Table::new(["EXPOSURE", ""]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("devices stolen in a year", number(it.devices_stolen_a_year));
    let [half, most, all] = it.device_for.map(time);
    let device = format!("{half} for half of them, {most} for 99 %, {all} at most");
    row("a device's credential ends after", device);
    row(
        "a stolen key: the last device hears of it after",
        time(it.key_heard_after),
    );
    row(
        "and has left the certificate after",
        time(it.key_left_after),
    );
    row(
        "and nothing issued with it is valid after",
        time(it.key_ended_after),
    );
    for client in &report.wrong_clients {
        let side = match client.ahead < 0.0 {
            true => "behind",
            false => "ahead",
        };
        let name = format!(
            "a client {} {side} refuses a device",
            time(client.ahead.abs())
        );
        row(
            &name,
            format!("{:.1} % of the time", 100.0 * client.refuses),
        );
    }
    table
}

fn space(report: &Report) -> Table<3> {
    let it = &report.space;
    let mut table = Table::new(["SPACE", "SQLITE", "POSTGRESQL"]);
    let mut row = |name: &str, [sqlite, postgres]: [String; 2]| {
        table.row([name.to_owned(), sqlite, postgres]);
    };
    row("devices, names and the history", it.registry.map(bytes));
    row("audit log, a year", it.log_a_year.map(bytes));
    let archives = it.archives_a_year;
    row("the same in archives", [archives; 2].map(bytes));
    row(
        "the same, compressed",
        [it.compressed_archives_a_year; 2].map(bytes),
    );
    table
}

fn after(seconds: Option<u32>) -> String {
    seconds.map_or_else(
        || "not in the run".to_owned(),
        |seconds| time(f64::from(seconds)),
    )
}

/// A time with two units at most.
pub(super) fn time(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let Some(first) = units.iter().position(|(size, _)| whole >= *size) else {
        return "0 s".to_owned();
    };
    let mut rest = whole;
    let mut parts = Vec::new();
    for (size, unit) in units.iter().skip(first).take(2) {
        if rest >= *size {
            parts.push(format!("{} {unit}", rest / size));
        }
        rest %= size;
    }
    parts.join(" ")
}

/// A number with three digits that count, or in thousands and so on.
pub(super) fn number(number: f64) -> String {
    match number {
        ..1.0 => format!("{number:.3}"),
        1.0..10.0 => format!("{number:.1}"),
        10.0..10_000.0 => whole(number),
        10_000.0..1e7 => whole((number / 1000.0).round() * 1000.0),
        1e7..1e9 => format!("{:.1} million", number / 1e6),
        _ => format!("{:.1} billion", number / 1e9),
    }
}

/// A whole number with its thousands apart.
pub(super) fn whole(number: f64) -> String {
    let digits = format!("{}", number.round() as u64);
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(bytes: f64) -> String {
    match bytes {
        ..1e6 => format!("{:.1} KB", bytes / 1e3),
        1e6..1e9 => format!("{:.1} MB", bytes / 1e6),
        1e9..1e12 => format!("{:.1} GB", bytes / 1e9),
        _ => format!("{:.1} TB", bytes / 1e12),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units_and_numbers_their_thousands_apart() {
        assert_eq!(
            [0.0, 59.6, 90.0, 90_000.0].map(time),
            ["0 s", "1 min", "1 min 30 s", "1 d 1 h"]
        );
        assert_eq!(
            [0.0, 999.0, 12_345_678.0].map(whole),
            ["0", "999", "12,345,678"]
        );
        assert_eq!(
            [0.0071, 640.4, 43_700.0, 116.5e6, 1.1e9].map(number),
            ["0.007", "640", "44,000", "116.5 million", "1.1 billion"]
        );
        assert_eq!(
            [5e3, 2.3e11, 1e13].map(bytes),
            ["5.0 KB", "230.0 GB", "10.0 TB"]
        );
    }
}

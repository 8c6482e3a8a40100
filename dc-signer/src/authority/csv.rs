//! Devices as CSV (RFC 4180), for spreadsheets.

use std::fmt::Write;

use dc_pki::time::Moment;
use dc_store::registry::Device;

/// The first line: what is in each column.
pub const HEAD: &str = "external_id,id,name,zone,state,enrolment_key,next_enrolment_key,manufacturer,serial,credential_sha256,\
    credential_key,issued,expires,possible_clone,created,changed\r\n";

/// A device as a line. Times are in UTC, as RFC 3339 has them; what there is none of is empty.
#[must_use]
pub fn line(device: &Device) -> String {
    let held = device.credential;
    let made = device.manufactured.as_ref();
    let values = [
        device.external_id.to_string(),
        device.id.to_string(),
        device.name.to_string(),
        device.zone.to_string(),
        device.state.to_string(),
        shown(device.key),
        shown(device.next_key.map(|next| next.spki_sha256)),
        shown(made.map(|made| &made.manufacturer)),
        shown(made.map(|made| &made.serial)),
        shown(held.map(|held| held.sha256)),
        shown(held.map(|held| held.spki_sha256)),
        shown(held.map(|held| Moment(held.issued))),
        shown(held.map(|held| Moment(held.expires))),
        device.possible_clone.to_string(),
        Moment(device.created).to_string(),
        Moment(device.changed).to_string(),
    ];
    let mut line = String::new();
    for (place, value) in values.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(line, "{comma}{}", field(value));
    }
    line.push_str("\r\n");
    line
}

fn shown(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A value in quotes if it needs them. An external id or a serial number is somebody else's text, and a spreadsheet runs what begins
/// like a formula: such a value gets an apostrophe in front, which spreadsheets do not show.
fn field(value: &str) -> String {
    let runs = value.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if runs { "'" } else { "" };
    match runs || value.contains(['"', ',', '\r', '\n', '\'']) {
        true => format!("\"{guard}{}\"", value.replace('"', "\"\"")),
        false => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dc_store::registry::Manufactured;

    #[test]
    fn a_line_has_as_many_values_as_the_head_and_is_no_formula() {
        let mut device = crate::testing::registry::device();
        device.external_id = "=HYPERLINK(\"http://x\",1)".parse().unwrap();
        device.manufactured = Some(Manufactured {
            manufacturer: "a,b".into(),
            serial: "@SUM(1)\n2".into(),
        });
        let line = line(&device);
        assert!(
            line.starts_with("\"'=HYPERLINK(\"\"http://x\"\",1)\","),
            "{line}"
        );
        assert!(line.contains(",\"a,b\",\"'@SUM(1)\n2\","), "{line}");
        device.external_id = "customer-1".parse().unwrap();
        device.manufactured = None;
        let line = super::line(&device);
        assert!(line.starts_with("customer-1,") && line.ends_with("\r\n"));
        assert_eq!(line.split(',').count(), HEAD.split(',').count(), "{line}");
    }
}

//! The little DER that certificates and keys take.

use super::bytes::Bytes;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// One value with its tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// Tag, length and content.
    pub(super) whole: &'a [u8],
    /// True if its length is in as few octets as DER wants.
    pub(super) is_der: bool,
}

/// The next value of a series.
pub(super) fn next<'a>(bytes: &mut Bytes<'a>) -> Option<Value<'a>> {
    let all = bytes.0;
    let tag = *bytes.take(1)?.first()?;
    let first = bytes.number(1)?;
    let (length, is_der) = match first {
        0..=0x7f => (first, true),
        0x81..=0x84 => {
            let width = usize::try_from(first - 0x80).ok()?;
            let length = bytes.number(width)?;
            let shortest = match width {
                1 => length >= 0x80,
                _ => length >> (8 * (width - 1)) != 0,
            };
            (length, shortest)
        }
        _ => return None,
    };
    let content = bytes.take(usize::try_from(length).ok()?)?;
    let whole = all.get(..all.len() - bytes.0.len())?;
    Some(Value {
        tag,
        content,
        whole,
        is_der,
    })
}

/// The next value, which has to have this tag.
pub(super) fn tagged<'a>(bytes: &mut Bytes<'a>, tag: u8) -> Option<&'a [u8]> {
    let value = next(bytes)?;
    (value.tag == tag && value.is_der).then_some(value.content)
}

/// The next value if it has this tag; otherwise nothing is read.
pub(super) fn optional<'a>(bytes: &mut Bytes<'a>, tag: u8) -> Option<&'a [u8]> {
    let mut copy = *bytes;
    let content = tagged(&mut copy, tag)?;
    *bytes = copy;
    Some(content)
}

/// All values of a series.
pub(super) fn all(content: &[u8]) -> Option<Vec<Value<'_>>> {
    let mut bytes = Bytes(content);
    let mut values = Vec::new();
    while !bytes.is_empty() {
        values.push(next(&mut bytes)?);
    }
    Some(values)
}

/// The octets of a BIT STRING that is whole octets.
pub(super) fn whole_octets(bit_string: &[u8]) -> Option<&[u8]> {
    match bit_string {
        [0, octets @ ..] => Some(octets),
        _ => None,
    }
}

/// Unix time of a UTCTime or GeneralizedTime in the profile of RFC 5280 §4.1.2.5.
pub(super) fn time(value: &Value<'_>) -> Option<i64> {
    let text = str::from_utf8(value.content).ok()?;
    let (year, rest) = match value.tag {
        UTC_TIME => {
            let year = number(text.get(..2)?)?;
            (year + if year < 50 { 2000 } else { 1900 }, text.get(2..)?)
        }
        GENERALIZED_TIME => (number(text.get(..4)?)?, text.get(4..)?),
        _ => return None,
    };
    if rest.len() != 11 || !rest.ends_with('Z') {
        return None;
    }
    let two = |at: usize| number(rest.get(at..at + 2)?);
    let (month, day) = (two(0)?, two(2)?);
    let seconds = (two(4)? * 60 + two(6)?) * 60 + two(8)?;
    Some(days(year, month, day)? * 86_400 + seconds)
}

fn number(digits: &str) -> Option<i64> {
    match digits.bytes().all(|octet| octet.is_ascii_digit()) {
        true => digits.parse().ok(),
        false => None,
    }
}

/// Days from 1970 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let in_year = before.get(usize::try_from(month - 1).ok()?)?;
    // Leap days of all years before this one, and of this one from March on.
    let complete = if month > 2 { year } else { year - 1 };
    let leap = complete / 4 - complete / 100 + complete / 400;
    Some((year - 1970) * 365 + leap - LEAP_DAYS_TO_1970 + in_year + day - 1)
}

const LEAP_DAYS_TO_1970: i64 = 477;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_the_unix_time_that_it_is() {
        for (text, unix) in [
            ("700101000000Z", 0),
            ("000229120000Z", 951_825_600),
            ("260101000000Z", 1_767_225_600),
            ("491231235959Z", 2_524_607_999),
        ] {
            let value = Value {
                tag: UTC_TIME,
                content: text.as_bytes(),
                whole: &[],
                is_der: true,
            };
            assert_eq!(time(&value), Some(unix), "{text}");
        }
    }
}

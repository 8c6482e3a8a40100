//! Base64 in its one spelling: the decoder that this rests on also takes padding in the middle (RFC 4648 §3.5 leaves it open).

use data_encoding::BASE64;

/// The bytes of a text; none if it is not what [`encode`] makes of them.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = BASE64.decode(text.as_bytes()).ok()?;
    (encode(&bytes) == text).then_some(bytes)
}

/// The text of bytes, with padding at its end.
pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn padding_in_the_middle_is_no_spelling() {
        assert_eq!(decode("AQI="), Some(vec![1, 2]));
        for wrong in ["AQ==AQ==", "AQI=AQI=", "AQI", "AQJ=", "AQI=\n", "AQI=="] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn there_is_one_spelling(bytes: Vec<u8>, text in "[AQI=]{0,12}") {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}

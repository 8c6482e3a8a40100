//! Text as people read it: from strangers, and bytes in hexadecimal.

use std::fmt;

use data_encoding::HEXLOWER;
use dc_core::SignatureScheme;

/// Text that a stranger wrote, such as a certificate's names, without what would move a terminal's
/// cursor or add a line, and its first 1,000 characters at most.
#[derive(Clone, Copy, Debug)]
pub struct Foreign<'a>(pub &'a str);

impl fmt::Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, character) in self.0.chars().enumerate() {
            if number == MOST {
                return write!(f, "… ({} bytes in all)", self.0.len());
            }
            match is_plain(character) {
                true => write!(f, "{character}")?,
                false => write!(f, "{}", character.escape_unicode())?,
            }
        }
        Ok(())
    }
}

/// Characters: what is longer is nothing that people read, and fills logs and files.
const MOST: usize = 1000;

/// Neither a control character nor one that changes the direction of writing.
fn is_plain(character: char) -> bool {
    let changes_direction = matches!(character, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !character.is_control() && !changes_direction
}

/// The name of a signature scheme alone, without the code point in parentheses.
#[must_use]
pub fn scheme_name(scheme: SignatureScheme) -> String {
    let text = scheme.to_string();
    text.split(" (").take(1).collect()
}

/// Bytes in lower-case hexadecimal.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_has_an_end() {
        let long = "é".repeat(2000);
        let shown = Foreign(&long).to_string();
        assert_eq!(shown, format!("{}… (4000 bytes in all)", "é".repeat(1000)));
        let short = "é".repeat(1000);
        assert_eq!(Foreign(&short).to_string(), short);
    }

    #[test]
    fn foreign_text_moves_no_cursor() {
        assert_eq!(Foreign("*.example.com").to_string(), "*.example.com");
        assert_eq!(Foreign("B\u{fc}cher").to_string(), "B\u{fc}cher");
        assert_eq!(
            Foreign("a\u{1b}[2J\n\u{202e}").to_string(),
            "a\\u{1b}[2J\\u{a}\\u{202e}"
        );
    }
}

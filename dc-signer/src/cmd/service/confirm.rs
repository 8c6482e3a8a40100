//! Asking whether it is meant, before what cannot be undone.

use super::error::Error;
use std::io::{BufRead, IsTerminal, stderr, stdin};

/// Asks at the terminal, unless `yes` was said before.
///
/// Fails with [`Error::NotConfirmed`] if it is not meant, or there is nobody to ask.
pub(super) fn confirm(question: &str, yes: bool) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return Err(Error::NotConfirmed { asked: false });
    }
    eprint!("{question}\nType 'yes' to go on: ");
    is_yes(stdin().lock())
}

fn is_yes(mut input: impl BufRead) -> Result<(), Error> {
    let mut line = String::new();
    // Whoever cannot be read has not said yes.
    let _ = input.read_line(&mut line);
    match line.trim().eq_ignore_ascii_case("yes") {
        true => Ok(()),
        false => Err(Error::NotConfirmed { asked: true }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_yes_is_one() {
        for yes in ["yes\n", " YES \r\n", "yes"] {
            assert!(is_yes(yes.as_bytes()).is_ok(), "{yes}");
        }
        for no in ["", "\n", "y\n", "yes, please\n", "no\nyes\n"] {
            assert!(is_yes(no.as_bytes()).is_err(), "{no}");
        }
    }
}

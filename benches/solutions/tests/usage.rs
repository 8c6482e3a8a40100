//! The program, as whoever types something wrong meets it.

use std::process::Command;

#[test]
fn a_row_that_is_not_there_is_refused_with_those_that_are() {
    let asked = Command::new(env!("CARGO_BIN_EXE_dc-solutions"))
        .args(["--row", "carrier-pigeon"])
        .output();
    let asked = asked.expect("the program starts");
    assert_eq!(asked.status.code(), Some(2), "{asked:?}");
    let said = String::from_utf8_lossy(&asked.stderr);
    for words in ["there is no such row", "rfc9345", "name-constraints"] {
        assert!(said.contains(words), "{said}");
    }
}

//! The pictures of the README, as in `docs/pictures`.
//!
//! `UPDATE_PICTURES=1 cargo test --workspace --test cli pictures` draws them anew.

#[path = "pictures/parties.rs"]
mod parties;
#[path = "pictures/same.rs"]
mod same;
#[path = "pictures/terminal.rs"]
mod terminal;

use std::fs;
use std::path::Path;

use crate::sandbox::Sandbox;

/// The picture has to be as it is in the repository.
fn compare(name: &str, drawn: &str) {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pictures"));
    let path = folder.join(name);
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        fs::write(&path, drawn).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == drawn,
        "UPDATE_PICTURES=1 draws {name} anew:\n{drawn}"
    );
}

#[test]
fn the_picture_of_the_parties_is_the_one_that_is_drawn() {
    compare("parties.svg", &parties::draw());
}

#[test]
fn the_pictures_of_a_terminal_show_what_the_demo_prints() {
    let json = Sandbox::empty().run(&["demo", "--json"]).succeeded();
    let lines = terminal::lines(&json);
    compare("demo.svg", &terminal::wide(&lines));
    compare("demo-narrow.svg", &terminal::narrow(&lines));
}

/// What is drawn is what people see who run it.
#[test]
fn the_demo_prints_for_people_what_its_pictures_are_made_of() {
    let table = Sandbox::empty().run(&["demo"]).succeeded();
    let json = Sandbox::empty().run(&["demo", "--json"]).succeeded();
    let lines = terminal::lines(&json);
    let shown: Vec<String> = same::everywhere(&table)
        .lines()
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(
        shown.len(),
        lines.len() + 2,
        "a line for the head, and one for the end"
    );
    for (line, shown) in lines.iter().zip(&shown[1..]) {
        let words = shown
            .split("  ")
            .map(str::trim)
            .filter(|word| !word.is_empty());
        assert_eq!(
            words.collect::<Vec<_>>(),
            ["ok", &line.tried, &line.expected, &line.got]
        );
    }
}

//! Ceilings: what there should be less of, counted.

use crate::code::{Token, tokens};
use crate::known::{FEATURES, LONG, RIDDLES};
use crate::source::{File, files, members};

const MAX_FUNCTION: usize = 60;

/// Name, first line and number of lines of each function with a body.
fn functions(tokens: &[Token]) -> Vec<(String, usize, usize)> {
    let starts = (0..tokens.len().saturating_sub(1)).filter(|&at| tokens[at].is("fn"));
    starts
        .filter(|&at| tokens[at + 1].is_word())
        .filter_map(|at| {
            let last = end_of_function(&tokens[at..])?;
            let first = tokens[at].line;
            Some((tokens[at + 1].text.clone(), first, last - first + 1))
        })
        .collect()
}

/// The line of the brace that closes the body; a trait's function may have none.
fn end_of_function(tokens: &[Token]) -> Option<usize> {
    let (mut depth, mut in_body) = (0, false);
    for token in tokens {
        match token.text.as_str() {
            ";" if depth == 0 => return None,
            "(" | "[" | "{" => {
                in_body |= depth == 0 && token.is("{");
                depth += 1;
            }
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if in_body && depth == 0 {
            return Some(token.line);
        }
    }
    None
}

#[test]
fn no_function_has_more_than_60_lines() {
    let mut wrong = Vec::new();
    let mut needed = Vec::new();
    for file in files() {
        for (name, line, length) in functions(&tokens(file.production())) {
            let is_known = LONG.contains(&(&file.path, &name));
            if length > MAX_FUNCTION && !is_known {
                wrong.push(format!("{}:{line}: {name} has {length} lines", file.path));
            } else if length > MAX_FUNCTION {
                needed.push((file.path.clone(), name));
            }
        }
    }
    let is_done =
        |(path, name): &&(&str, &str)| !needed.contains(&((*path).to_owned(), (*name).to_owned()));
    let done = LONG.iter().filter(is_done);
    wrong.extend(done.map(|(path, name)| format!("to be removed from LONG: {path}: {name}")));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_length_of_a_function_is_from_its_name_to_its_last_brace() {
    let text = "trait A { fn none(&self) -> [u8; 2]; }\nfn a(\n  x: [u8; 3],\n) -> fn(u8) {\n  let f = |y| { y };\n  fn inner() {}\n}\n";
    let found = functions(&tokens(text));
    let expected = [("a", 2, 6), ("inner", 6, 1)].map(|(n, l, c)| (n.to_owned(), l, c));
    assert_eq!(found, expected);
}

fn is_riddle(line: &str) -> bool {
    let line = line.trim_start();
    let words = line
        .strip_prefix("///")
        .or_else(|| line.strip_prefix("//!"));
    let first = words.and_then(|words| words.trim_start().split([' ', '.', ',']).next());
    first.is_some_and(|first| ["What", "Who", "Whether", "Why"].contains(&first))
}

/// A line that has `cfg` and a feature, or that goes on with one.
fn is_feature(line: &str) -> bool {
    let line = line.trim_start();
    !line.starts_with("//") && line.contains("feature = \"")
}

/// Which packages have more such lines than they may.
fn above(ceilings: &[(&str, usize)], counts: impl Fn(&str) -> bool) -> Vec<String> {
    let files = files();
    let mut wrong = Vec::new();
    for member in members() {
        let is_mine = |file: &&File| member.published && member.has(file);
        let mine = files.iter().filter(is_mine);
        let found = mine.flat_map(|file| file.production().lines());
        let found = found.filter(|line| counts(line)).count();
        let ceiling = ceilings.iter().find(|(name, _)| *name == member.name);
        let ceiling = ceiling.map_or(0, |(_, ceiling)| *ceiling);
        if found > ceiling {
            wrong.push(format!("{}: {found}, ceiling {ceiling}", member.name));
        }
    }
    wrong
}

#[test]
fn documentation_names_the_thing_first() {
    let wrong = above(RIDDLES, is_riddle);
    assert!(
        wrong.is_empty(),
        "lines that open with What, Who, Whether or Why: {wrong:#?}"
    );
}

#[test]
fn little_is_compiled_only_with_a_feature() {
    let wrong = above(FEATURES, is_feature);
    assert!(wrong.is_empty(), "lines with a feature: {wrong:#?}");
}

#[test]
fn riddles_and_features_are_told_from_other_lines() {
    for line in [
        "/// What is wrong.",
        "    //! Who asks",
        "/// Why.",
        "/// Whether it is",
    ] {
        assert!(is_riddle(line), "{line}");
    }
    for line in [
        "/// Whatever it is",
        "// What is wrong",
        "/// The error: what is wrong",
        "///",
    ] {
        assert!(!is_riddle(line), "{line}");
    }
    assert!(
        is_feature("    #[cfg(feature = \"a\")]")
            && is_feature("#[cfg(all(unix, feature = \"a\"))]")
    );
    assert!(!is_feature("/// With feature = \"a\"") && !is_feature("#[cfg(unix)]"));
}

//! The imports and paths of a file.

use crate::code::Token;

/// A path that a file names, in a `use` or elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
    pub(crate) brings: Brings,
}

/// The name that a path brings into its module.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Brings {
    /// A path in code brings none.
    Nothing,
    Name(String),
    /// All that is in it.
    Glob,
}

pub(crate) fn paths(tokens: &[Token]) -> Vec<Path> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if tokens[at].is("use") && !followed_by(tokens, at, "<") {
            let end = tokens[at..].iter().position(|token| token.is(";"));
            let end = end.map_or(tokens.len(), |length| at + length);
            tree(&tokens[at + 1..end], &mut Vec::new(), &mut found);
            at = end;
        } else if tokens[at].is_word() && followed_by(tokens, at, "::") {
            let (line, segments) = (tokens[at].line, segments(&tokens[at..]));
            at += 2 * segments.len() - 1;
            found.push(Path {
                line,
                segments,
                brings: Brings::Nothing,
            });
        } else {
            at += 1;
        }
    }
    found
}

fn followed_by(tokens: &[Token], at: usize, text: &str) -> bool {
    tokens.get(at + 1).is_some_and(|token| token.is(text))
}

/// The words at the start that `::` joins.
fn segments(tokens: &[Token]) -> Vec<String> {
    let mut found = Vec::new();
    for pair in tokens.chunks(2) {
        if !pair[0].is_word() {
            break;
        }
        found.push(pair[0].text.clone());
        if !followed_by(pair, 0, "::") {
            break;
        }
    }
    found
}

/// One tree of a `use`, behind `prefix`.
fn tree(tokens: &[Token], prefix: &mut Vec<String>, found: &mut Vec<Path>) {
    // `::name` is another package's, as `name` is where no module has it.
    let tokens = match tokens {
        [first, rest @ ..] if first.is("::") => rest,
        all => all,
    };
    let Some((first, rest)) = tokens.split_first() else {
        return;
    };
    let mut add = |segments: Vec<String>, brings| {
        found.push(Path {
            line: first.line,
            segments,
            brings,
        });
    };
    match rest {
        _ if first.is("{") => {
            for part in parts(&tokens[1..tokens.len() - 1]) {
                tree(part, prefix, found);
            }
        }
        [joint, after @ ..] if joint.is("::") => {
            prefix.push(first.text.clone());
            tree(after, prefix, found);
            prefix.pop();
        }
        _ if first.is("*") => add(prefix.clone(), Brings::Glob),
        _ => {
            let mut segments = prefix.clone();
            segments.push(first.text.clone());
            if first.is("self") && segments.len() > 1 {
                segments.pop();
            }
            // `a as b`, or the name that it has anyway.
            let name = rest.get(1).map(|token| token.text.clone());
            let name = name.or_else(|| segments.last().cloned());
            add(segments, Brings::Name(name.unwrap_or_default()));
        }
    }
}

/// What the commas of this group separate, not those of groups within.
fn parts(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0;
    tokens
        .split(|token| {
            match token.text.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            depth == 0 && token.is(",")
        })
        .collect()
}

#[cfg(test)]
fn read(text: &str) -> Vec<(usize, String)> {
    let tokens = crate::code::tokens(text);
    paths(&tokens)
        .into_iter()
        .map(|path| {
            let name = match path.brings {
                Brings::Nothing => String::new(),
                Brings::Name(name) => format!(" {name}"),
                Brings::Glob => " *".to_owned(),
            };
            (path.line, path.segments.join("::") + &name)
        })
        .collect()
}

#[test]
fn every_name_of_a_use_is_read_over_several_lines_and_in_groups() {
    let text = "
        use crate::a;
        pub(crate) use crate::{b, c::D};
        use crate::{
            e::{self, F as G, h::{I, J}},
            super::k, // not `l`
        };
        use super::super::m::*; use crate::n::O; use p as _;
    ";
    let expected = [
        (2, "crate::a a"),
        (3, "crate::b b"),
        (3, "crate::c::D D"),
        (5, "crate::e e"),
        (5, "crate::e::F G"),
        (5, "crate::e::h::I I"),
        (5, "crate::e::h::J J"),
        (6, "crate::super::k k"),
        (8, "super::super::m *"),
        (8, "crate::n::O O"),
        (8, "p _"),
    ];
    let expected = expected.map(|(line, path)| (line, path.to_owned()));
    assert_eq!(read(text), expected);
}

#[test]
fn paths_in_code_are_read_too() {
    let text =
        "fn a(x: &crate::b::C) -> Vec<super::D> { let y = crate::e::f(x)?; self::g::<u8>(y); z }
        pub(crate) fn h() -> impl Fn() + use<> {}";
    let found: Vec<String> = read(text).into_iter().map(|(_, path)| path).collect();
    assert_eq!(found, ["crate::b::C", "super::D", "crate::e::f", "self::g"]);
}

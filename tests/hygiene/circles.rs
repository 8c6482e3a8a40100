//! Imports between modules that have one parent, and the circles among them.

use std::collections::{BTreeMap, BTreeSet};

use crate::modules::Import;

/// From one module to another with the same parent: what each or anything below it imports.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// Each edge with one place that makes it. Parents and their own modules belong together and make none; a module that has
/// a name for parts of it goes by the part's.
pub(crate) fn edges(
    imports: &[Import],
    unit: impl Fn(&[String]) -> Option<String>,
) -> BTreeMap<Edge, &str> {
    let mut found = BTreeMap::new();
    for import in imports.iter().filter(|import| !import.is_within()) {
        let pairs = import.from.iter().zip(&import.to);
        let common = pairs.take_while(|(from, to)| from == to).count();
        let name = |module: &[String]| {
            let sibling = module[..=common].join("::");
            let unit = unit(module).filter(|unit| unit.len() > sibling.len());
            unit.unwrap_or(sibling)
        };
        let edge = Edge {
            from: name(&import.from),
            to: name(&import.to),
        };
        found.entry(edge).or_insert(import.place.as_str());
    }
    found
}

/// The edges that lie on a circle.
pub(crate) fn circular(edges: &BTreeSet<Edge>) -> BTreeSet<Edge> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for edge in edges {
        next.entry(&edge.from).or_default().push(&edge.to);
    }
    let leads_to = |start: &str, end: &str| {
        let (mut seen, mut ahead) = (BTreeSet::new(), vec![start]);
        while let Some(at) = ahead.pop() {
            if at == end {
                return true;
            }
            if seen.insert(at.to_owned()) {
                ahead.extend(next.get(at).into_iter().flatten());
            }
        }
        false
    };
    let on_circle = |edge: &&Edge| leads_to(&edge.to, &edge.from);
    edges.iter().filter(on_circle).cloned().collect()
}

#[cfg(test)]
fn circular_in(files: &[(&str, &str)]) -> Vec<(String, String)> {
    let package = crate::modules::synthetic(files);
    let edges = edges(package.imports(), |_| None).into_keys().collect();
    let found = circular(&edges).into_iter();
    found.map(|edge| (edge.from, edge.to)).collect()
}

#[test]
fn a_circle_is_found_whatever_it_goes_through() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d; pub use c::Thing;"),
        ("a.rs", "use crate::b;"),
        ("b/mod.rs", "mod inner;"),
        ("b/inner.rs", "use crate::Thing; use super::inner;"),
        ("c.rs", "pub struct Thing; fn f() { crate::a::g() }"),
        ("d.rs", "use crate::{a, b, c};"),
    ];
    let expected = [("a", "b"), ("b", "c"), ("c", "a")];
    assert_eq!(
        circular_in(&files),
        expected.map(|(from, to)| (from.to_owned(), to.to_owned()))
    );
}

#[test]
fn a_circle_among_the_files_of_one_module_is_found() {
    let files = [
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod x; mod y; use x::X;"),
        ("a/x.rs", "pub struct X; use super::y::Y;"),
        ("a/y.rs", "pub struct Y; use super::X;"),
    ];
    let expected = [("a::x", "a::y"), ("a::y", "a::x")];
    assert_eq!(
        circular_in(&files),
        expected.map(|(from, to)| (from.to_owned(), to.to_owned()))
    );
}

#[test]
fn a_module_and_its_own_parts_are_no_circle() {
    let files = [
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod x; use x::X; pub struct A;"),
        ("a/x.rs", "pub struct X; use super::A;"),
    ];
    assert!(circular_in(&files).is_empty());
}

#[test]
fn a_folder_whose_parts_have_names_is_no_circle_because_of_its_name() {
    let files = [
        ("lib.rs", "mod a; mod s;"),
        ("a.rs", "use crate::s::low::X;"),
        ("s/mod.rs", "mod low; mod high;"),
        ("s/low.rs", "pub struct X;"),
        ("s/high.rs", "use crate::a; use super::low::X;"),
    ];
    let package = crate::modules::synthetic(&files);
    let whole = edges(package.imports(), |_| None).into_keys().collect();
    assert_eq!(circular(&whole).len(), 2);
    let parts = edges(package.imports(), |module| Some(module.join("::")));
    assert!(circular(&parts.into_keys().collect()).is_empty());
}

//! The modules of a package, and in which of them a path ends.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::{Token, tokens};
use crate::source::File;
use crate::uses::{Brings, Path, paths};

/// The names of a module from the crate's root, which has none.
pub(crate) type Module = Vec<String>;

/// A package's library and program, which share the modules below `src`.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Relative to the workspace.
    pub(crate) folder: String,
    modules: BTreeMap<Module, Contents>,
    imports: Vec<Import>,
}

#[derive(Debug, Default)]
struct Contents {
    /// The root may have two: `lib.rs` and `main.rs`.
    files: Vec<String>,
    paths: Vec<Path>,
    defined: BTreeSet<String>,
}

/// A module names what another module defines.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Import {
    pub(crate) from: Module,
    pub(crate) to: Module,
    /// File, line and what is named.
    pub(crate) place: String,
}

impl Import {
    /// Whether a module and a part of it are the ends, which belong together.
    pub(crate) fn is_within(&self) -> bool {
        self.from.starts_with(&self.to) || self.to.starts_with(&self.from)
    }
}

impl Package {
    /// Only what is shipped: files that are tests name what they like.
    pub(crate) fn new(name: &str, folder: &str, files: &[File]) -> Self {
        let mut modules: BTreeMap<Module, Contents> = BTreeMap::new();
        for file in files.iter().filter(|file| !file.is_test()) {
            let Some(path) = file.path.strip_prefix(&format!("{folder}/src/")) else {
                continue;
            };
            let tokens = tokens(file.production());
            let contents = modules.entry(module_of(path)).or_default();
            contents.files.push(file.path.clone());
            contents.paths.extend(paths(&tokens));
            contents.defined.extend(defined(&tokens));
        }
        let mut package = Self {
            name: name.to_owned(),
            folder: folder.to_owned(),
            modules,
            imports: Vec::new(),
        };
        package.imports = package.resolved();
        package
    }

    /// All but the root.
    pub(crate) fn modules(&self) -> impl Iterator<Item = &Module> {
        self.modules.keys().filter(|module| !module.is_empty())
    }

    /// Whether a file or folder below `src` is there, and has a module.
    pub(crate) fn has(&self, place: &str) -> bool {
        let path = format!("{}/src/{place}", self.folder);
        let mut files = self.modules.values().flat_map(|contents| &contents.files);
        files.any(|file| *file == path || (place.ends_with('/') && file.starts_with(&path)))
    }

    pub(crate) fn imports(&self) -> &[Import] {
        &self.imports
    }

    fn resolved(&self) -> Vec<Import> {
        let mut found = Vec::new();
        for (from, contents) in &self.modules {
            let file = &contents.files[0];
            for path in &contents.paths {
                if let Some(to) = self.resolve(from, &path.segments, DEPTH) {
                    let place = format!("{file}:{}: {}", path.line, path.segments.join("::"));
                    let from = from.clone();
                    found.push(Import { from, to, place });
                }
            }
        }
        found
    }

    /// The module that defines what a path in `from` names; none if it is another package's.
    fn resolve(&self, from: &[String], path: &[String], depth: u8) -> Option<Module> {
        let (head, tail) = path.split_first()?;
        let start = match head.as_str() {
            "crate" => Vec::new(),
            "self" => from.to_vec(),
            "super" => return self.resolve(from.split_last()?.1, &with_self(tail), depth),
            head if *head == self.name.replace('-', "_") => Vec::new(),
            head if self.modules.contains_key(&child(from, head)) => child(from, head),
            _ => return None,
        };
        Some(self.walk(start, tail, depth))
    }

    /// From a module along the rest of a path, through what it imports from elsewhere.
    fn walk(&self, at: Module, rest: &[String], depth: u8) -> Module {
        let Some((head, tail)) = rest.split_first() else {
            return at;
        };
        if head == "super" {
            let parent = at.split_last().map_or(&[][..], |(_, parent)| parent);
            return self.walk(parent.to_vec(), tail, depth);
        }
        if self.modules.contains_key(&child(&at, head)) {
            return self.walk(child(&at, head), tail, depth);
        }
        match self.brought(&at, head, depth) {
            Some(module) => self.walk(module, tail, depth.saturating_sub(1)),
            None => at,
        }
    }

    /// The module that defines a name which `at` has from a `use`.
    fn brought(&self, at: &Module, name: &str, depth: u8) -> Option<Module> {
        let contents = self.modules.get(at)?;
        if depth == 0 || contents.defined.contains(name) {
            return None;
        }
        let named = Brings::Name(name.to_owned());
        let mut uses = contents.paths.iter();
        if let Some(path) = uses.find(|path| path.brings == named) {
            return self.resolve(at, &path.segments, depth - 1);
        }
        let globs = contents.paths.iter();
        globs
            .filter(|path| path.brings == Brings::Glob)
            .find_map(|path| {
                let from = self.resolve(at, &path.segments, depth - 1)?;
                let owns = self.modules.contains_key(&child(&from, name));
                let defines = || self.modules.get(&from)?.defined.get(name);
                match owns || defines().is_some() {
                    true => Some(self.walk(from, &[name.to_owned()], depth - 1)),
                    false => self.brought(&from, name, depth - 1),
                }
            })
    }
}

/// Longer chains of re-exports are circles.
const DEPTH: u8 = 12;

fn with_self(tail: &[String]) -> Vec<String> {
    let first = match tail.first().map(String::as_str) {
        Some("super") => None,
        _ => Some("self".to_owned()),
    };
    first.into_iter().chain(tail.iter().cloned()).collect()
}

fn child(parent: &[String], name: &str) -> Module {
    [parent, &[name.to_owned()]].concat()
}

/// The module of a file below `src`.
pub(crate) fn module_of(path: &str) -> Module {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let mut names: Module = path.split('/').map(str::to_owned).collect();
    if names.last().is_some_and(|last| last == "mod") {
        names.pop();
    }
    match names[..] {
        [ref root] if root == "lib" || root == "main" => Vec::new(),
        _ => names,
    }
}

/// The items of a module, not what is within them.
fn defined(tokens: &[Token]) -> BTreeSet<String> {
    const ITEMS: [&str; 7] = ["const", "enum", "fn", "static", "struct", "trait", "type"];
    let (mut depth, mut found) = (0_u32, BTreeSet::new());
    for pair in tokens.windows(2) {
        match pair[0].text.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            word if depth == 0 && ITEMS.contains(&word) && pair[1].is_word() => {
                found.insert(pair[1].text.clone());
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
pub(crate) fn synthetic(files: &[(&str, &str)]) -> Package {
    let files: Vec<File> = files
        .iter()
        .map(|(path, text)| File {
            path: format!("p/src/{path}"),
            text: (*text).to_owned(),
        })
        .collect();
    Package::new("some-package", "p", &files)
}

#[cfg(test)]
fn ends(files: &[(&str, &str)], from: &str) -> Vec<String> {
    let from = module_of(from);
    synthetic(files)
        .imports()
        .iter()
        .filter(|import| import.from == from)
        .map(|import| import.to.join("::"))
        .collect()
}

#[test]
fn a_capitalised_name_belongs_to_the_module_that_the_root_has_it_from() {
    let files = [
        (
            "lib.rs",
            "mod a; mod b; mod c; pub use a::Thing; pub use b::*; pub const LONG: u8 = 1;",
        ),
        ("a.rs", "pub use inner::Thing; mod inner;"),
        ("a/inner.rs", "pub struct Thing;"),
        ("b.rs", "pub enum Other { One }"),
        (
            "c.rs",
            "use crate::{Thing, Other, LONG}; use crate::Other::One; use std::fmt;",
        ),
    ];
    assert_eq!(ends(&files, "c.rs"), ["a::inner", "b", "", "b"]);
}

#[test]
fn the_program_names_its_library_by_the_packages_name() {
    let files = [
        ("lib.rs", "mod a; pub use a::Thing;"),
        ("main.rs", "mod cmd;"),
        ("a.rs", "pub struct Thing;"),
        (
            "cmd/mod.rs",
            "use some_package::Thing; use crate::cmd::x; mod x;",
        ),
        ("cmd/x.rs", ""),
    ];
    assert_eq!(ends(&files, "cmd/mod.rs"), ["a", "cmd::x"]);
}

#[test]
fn super_leads_out_of_a_module_and_through_what_the_parent_imports() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a/mod.rs",
            "use crate::b::Thing; use y::Stop; mod x; mod y;",
        ),
        (
            "a/x.rs",
            "use super::super::b; use super::{Thing, Stop, y}; fn f() { super::g() }",
        ),
        ("a/y.rs", "pub struct Stop;"),
        ("b.rs", "pub struct Thing;"),
    ];
    assert_eq!(ends(&files, "a/x.rs"), ["b", "b", "a::y", "a::y", "a"]);
}

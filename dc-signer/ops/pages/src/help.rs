//! The text of `--help`, taken apart. Clap prints it for some of our programs, and others print a text of their own that looks like it.

/// What a help text says.
#[derive(Debug)]
pub(crate) struct Help {
    /// Paragraphs, the first of which is for lists of commands.
    pub(crate) about: Vec<&'static str>,
    /// The lines behind `Usage:`.
    pub(crate) usage: Vec<&'static str>,
    /// Names of commands.
    pub(crate) commands: Vec<&'static str>,
    /// Arguments and options in their order.
    pub(crate) entries: Vec<Entry>,
    /// All that comes behind them.
    pub(crate) after: &'static str,
}

/// An argument or an option.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What stands above it and those beside it; none for clap's own `Options` and `Arguments`.
    pub(crate) heading: Option<&'static str>,
    /// As it is typed: `-h, --help`, `--config <FILE>` or `<NAME>...`.
    pub(crate) spec: &'static str,
    /// Its description.
    pub(crate) text: String,
    /// What it may be, each with a description.
    pub(crate) values: Vec<(&'static str, &'static str)>,
    /// What it is unless it is given.
    pub(crate) default: Option<&'static str>,
    /// Whether its description stands below it.
    pub(crate) is_long: bool,
}

impl Help {
    /// Takes a text apart; none if it has no line that begins with `Usage:`.
    pub(crate) fn parse(text: &'static str) -> Option<Self> {
        let (about, rest) = text.split_once("\nUsage: ")?;
        let about = about.split("\n\n").map(str::trim).collect();
        let (usage, mut rest) = rest.split_once("\n\n").unwrap_or((rest, ""));
        let usage = usage.lines().map(str::trim).collect();
        let (mut commands, mut entries) = (Vec::new(), Vec::new());
        while let Some((heading, section, behind)) = section(rest) {
            match heading {
                "Commands" => commands.extend(names(section)),
                "Arguments" | "Options" => read_entries(None, section, &mut entries),
                heading => read_entries(Some(heading), section, &mut entries),
            }
            rest = behind;
        }
        Some(Self {
            about,
            usage,
            commands,
            entries,
            after: rest.trim(),
        })
    }
}

/// A heading, the indented lines below it, and the rest; none where there are neither commands nor arguments.
fn section(text: &'static str) -> Option<(&'static str, &'static str, &'static str)> {
    let (heading, below) = text.split_once(":\n")?;
    let first = below.lines().next()?.trim_start();
    let is_list = heading == "Commands" || first.starts_with(['-', '<', '[']);
    if heading.contains('\n') || !is_list {
        return None;
    }
    let mut at = 0;
    for line in below.split_inclusive('\n') {
        if !line.starts_with(' ') && line != "\n" {
            break;
        }
        at += line.len();
    }
    Some((heading, &below[..at], &below[at..]))
}

/// The first words of lines that do not go on with another one, but for the command that clap adds.
fn names(section: &'static str) -> impl Iterator<Item = &'static str> {
    section
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
}

fn read_entries(heading: Option<&'static str>, section: &'static str, entries: &mut Vec<Entry>) {
    for line in section.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if indent <= DEEPEST_ENTRY && text.starts_with(['-', '<', '[']) {
            let (spec, text) = text.split_once("  ").unwrap_or((text, ""));
            entries.push(Entry {
                heading,
                spec,
                text: text.trim().to_owned(),
                values: Vec::new(),
                default: None,
                is_long: text.is_empty(),
            });
        } else if let Some(entry) = entries.last_mut() {
            entry.go_on(text.trim_end());
        }
    }
    for entry in entries {
        entry.text.truncate(entry.text.trim_end().len());
    }
}

impl Entry {
    /// Takes one more line of the description.
    fn go_on(&mut self, line: &'static str) {
        if let Some((name, help)) = line.strip_prefix("- ").and_then(|it| it.split_once(": ")) {
            self.values.push((name, help.trim()));
            return;
        }
        let default = line.strip_prefix("[default: ");
        match default.and_then(|line| line.strip_suffix(']')) {
            // In a paragraph of its own it is clap's.
            Some(default) if self.is_long => self.default = Some(default),
            _ if line == "Possible values:" => {}
            _ if line.is_empty() => self.text.push_str("\n\n"),
            _ => {
                if !self.text.is_empty() && !self.text.ends_with('\n') {
                    self.text.push(' ');
                }
                self.text.push_str(line);
            }
        }
    }

    /// The letter of an option that has one, its name, and what stands for its value.
    pub(crate) fn option(&self) -> Option<(Option<char>, &'static str, Option<&'static str>)> {
        let (short, long) = match self.spec.split_once(", ") {
            Some((short, long)) => (short.chars().nth(1), long),
            None => (None, self.spec),
        };
        let long = long.strip_prefix("--")?;
        let (name, value) = long.split_once(' ').unwrap_or((long, ""));
        Some((short, name.trim_end_matches("..."), bare(value)))
    }

    /// The name of an argument without a name of an option, whether it has to be there, and whether there may be several.
    pub(crate) fn positional(&self) -> Option<(&'static str, bool, bool)> {
        let name = bare(self.spec)?;
        let is_many = self.spec.ends_with("...");
        Some((name, self.spec.starts_with('<'), is_many))
    }
}

/// A value's name without what is around it.
fn bare(value: &'static str) -> Option<&'static str> {
    let value = value.trim_end_matches("...");
    let inner = |open, close| value.strip_prefix(open)?.strip_suffix(close);
    inner('<', '>').or_else(|| inner('[', ']'))
}

/// How far an option is from the edge: clap leaves room for a letter.
const DEEPEST_ENTRY: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "\
Does it

With care.

Usage: do [OPTIONS] <FILE>...
       do <COMMAND>

Commands:
  once  At once, with
          a second line
  help  Print help

Arguments:
  <FILE>...
          What to do

Options:
      --form <FORM>
          Which

          Possible values:
          - one: The first
          - two: The second
          
          [default: one]

  -h, --help
          Print help

Who acts:
      --token <FILE>
          The token. [default: none]

Examples:
  do it
";

    #[test]
    fn everything_of_a_long_help_is_found() {
        let help = Help::parse(LONG).unwrap();
        assert_eq!(help.about, ["Does it", "With care."]);
        assert_eq!(help.usage, ["do [OPTIONS] <FILE>...", "do <COMMAND>"]);
        assert_eq!(help.commands, ["once"]);
        assert_eq!(help.after, "Examples:\n  do it");
        let [file, form, help, token] = &help.entries[..] else {
            panic!("{:?}", help.entries);
        };
        assert_eq!(file.positional(), Some(("FILE", true, true)));
        assert_eq!(form.option(), Some((None, "form", Some("FORM"))));
        assert_eq!(form.text, "Which");
        assert_eq!(form.values, [("one", "The first"), ("two", "The second")]);
        assert_eq!(form.default, Some("one"));
        assert_eq!(help.option(), Some((Some('h'), "help", None)));
        assert_eq!(token.heading, Some("Who acts"));
        // Not a paragraph of its own: somebody wrote it.
        assert_eq!(token.text, "The token. [default: none]");
    }

    #[test]
    fn a_short_help_is_read_over_the_ends_of_its_lines() {
        let text = "Does it\n\nUsage: do --to <ADDR>\n\nWhere, unless it is known:\n      --to <ADDR>  The one\n                   or the other\n\nIt ends with 0.\n";
        let help = Help::parse(text).unwrap();
        assert_eq!(help.entries[0].text, "The one or the other");
        assert_eq!(help.entries[0].heading, Some("Where, unless it is known"));
        assert_eq!(help.after, "It ends with 0.");
        assert!(Help::parse("Does it\n").is_none());
    }
}

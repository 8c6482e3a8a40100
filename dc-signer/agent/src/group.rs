//! The number of a group of users, for a server that reads its key as somebody else than the agent.

use crate::error::Error;
use dc_pki::files;

/// The number of a group in /etc/group, or the one that is given.
///
/// `None` if there is no such group. Fails as [`files::read`] does.
pub fn number(given: &str) -> Result<Option<u32>, Error> {
    if let Ok(number) = given.parse() {
        return Ok(Some(number).filter(|number| *number != NOBODYS));
    }
    let file = files::read(GROUPS.as_ref())?;
    Ok(find(&String::from_utf8_lossy(&file), given))
}

fn find(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(name);
        let number = fields.nth(1)?.parse().ok()?;
        is_it.then_some(number)
    })
}

/// To the system it means that the group stays as it is.
const NOBODYS: u32 = u32::MAX;
const GROUPS: &str = "/etc/group";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "root:x:0:\nbroken\nwww:x:33:a,b\nwww-data:x:34:\nodd:x:many:\n";

    #[test]
    fn a_group_is_found_by_its_whole_name_or_is_a_number() {
        for (name, number) in [("root", Some(0)), ("www", Some(33)), ("www-data", Some(34))] {
            assert_eq!(find(FILE, name), number);
        }
        for name in ["ww", "odd", "broken", "", "x"] {
            assert_eq!(find(FILE, name), None, "{name}");
        }
        assert_eq!(number("4711").unwrap(), Some(4711));
        assert_eq!(number("root").unwrap(), Some(0));
        assert_eq!(number("4294967295").unwrap(), None);
        assert_eq!(number("no such group").unwrap(), None);
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(text: String, name: String) {
            let _ = find(&text, &name);
        }
    }
}

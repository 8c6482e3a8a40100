//! The end of a record's scope: the address that an act came from.
//!
//! It is no field of its own, so that records are hashed and exported as they always were.

use std::net::IpAddr;

/// The words of a record beside its fields, if there are any, with the address that it came from.
pub(crate) fn with_address(said: Option<&str>, from: IpAddr) -> String {
    match said {
        None => format!("{FROM}{from}"),
        Some(said) => format!("{said} {FROM}{from}"),
    }
}

/// The two apart.
pub(crate) fn without_address(scope: &str) -> (&str, Option<IpAddr>) {
    let (said, last) = scope.rsplit_once(' ').unwrap_or(("", scope));
    let from = last.strip_prefix(FROM).and_then(|from| from.parse().ok());
    match from {
        Some(from) => (said, Some(from)),
        None => (scope, None),
    }
}

const FROM: &str = "from=";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_address_is_part_of_what_is_said() {
        let v4: IpAddr = [192, 0, 2, 7].into();
        for (scope, said, from) in [
            ("", "", None),
            ("role=admin", "role=admin", None),
            ("from=192.0.2.7", "", Some(v4)),
            ("role=admin from=192.0.2.7", "role=admin", Some(v4)),
            ("from=192.0.2.7 rows=1", "from=192.0.2.7 rows=1", None),
            // Somebody has searched for that.
            (
                "prefix=\"a from=192.0.2.7\"",
                "prefix=\"a from=192.0.2.7\"",
                None,
            ),
            ("all from=nowhere", "all from=nowhere", None),
        ] {
            assert_eq!(without_address(scope), (said, from), "{scope}");
        }
    }

    proptest! {
        #[test]
        fn what_is_put_together_comes_apart(said in "[a-z=\" ]{1,20}", from: IpAddr) {
            let scope = with_address(Some(&said), from);
            prop_assert_eq!(without_address(&scope), (said.as_str(), Some(from)));
            let alone = with_address(None, from);
            prop_assert_eq!(without_address(&alone), ("", Some(from)));
        }
    }
}

//! Reasons of acts on the command line.

/// The option with a reason, for what takes rights away or gives them back; nothing for the rest.
pub(crate) fn reason_of<'a>(arguments: &[&str]) -> &'a [&'a str] {
    let takes_one = matches!(
        arguments,
        ["devices", "suspend" | "resume" | "retire" | "replace", ..]
            | ["zones", "pull-renewals" | "remove" | "rollover" | "end", ..]
            | ["operators", "add" | "disable" | "enable" | "renew", ..]
            | [
                "secrets",
                "seal" | "rotate" | "take-back" | "reseal" | "export",
                ..
            ]
            | ["audit", "acknowledge" | "archive", ..]
            | ["certificate", "order", ..]
    );
    let restores = arguments.starts_with(&["restore"]) && !arguments.contains(&"--check");
    match takes_one || restores {
        true => &["--reason", "a test"],
        false => &[],
    }
}

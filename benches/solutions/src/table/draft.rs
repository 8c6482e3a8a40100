//! The verdicts of Table 1 of draft-rbw-home-servers, in its words.

/// A row of the draft's table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdicts {
    pub(crate) reduce_ca: &'static str,
    pub(crate) eliminate_ca: &'static str,
    pub(crate) support_ca: &'static str,
    pub(crate) support_client: &'static str,
    pub(crate) revoke: &'static str,
}

/// What the draft says of the solution with this identifier; nothing of those that are not in it.
pub(crate) fn verdicts(row: &str) -> Option<Verdicts> {
    let of = |reduce_ca, eliminate_ca, support_ca, support_client, revoke| Verdicts {
        reduce_ca,
        eliminate_ca,
        support_ca,
        support_client,
        revoke,
    };
    Some(match row {
        "normal" => of("No", "No", "Yes", "Yes", "Some"),
        "named" | "rfc9345" => of("Yes, somewhat", "No", "No", "No, (*)", "Some"),
        "name-constraints" => of("Yes", "No", "No", "No", "Some"),
        "acme-delegated" => of("No", "No", "Yes", "Yes", "Some"),
        "raw-keys" => of("Yes", "Yes", "n/a", "Some, (*)", "Yes"),
        "self-signed" => of("Yes", "Yes", "n/a", "Yes, poor experience", "Yes"),
        "local-ca" => of("No", "No", "Yes", "Yes", "Yes"),
        "matter" => of("Yes", "No", "Yes", "Yes", "Yes"),
        _ => return None,
    })
}

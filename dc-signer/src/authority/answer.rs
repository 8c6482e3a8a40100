//! The answer to a device: chain and credentials that belong together, and when to renew.

use dc_core::Issued;

use super::loaded::Loaded;
use crate::authority::policy::Approved;
use dc_protocol::{Credential, Credentials, RenewalWindow};
use dc_store::registry::Sha256;

/// The answer as it is recorded, and sent again to whoever asks again.
pub(super) fn write(
    approved: &Approved<'_>,
    loaded: &Loaded,
    issued: &[Issued],
    for_client: &[Issued],
) -> Vec<u8> {
    let begin = approved.now().as_secs();
    let ends = issued.iter().chain(for_client);
    let ends = ends.map(|one| one.expiry().as_secs());
    let end = ends.min().unwrap_or(begin);
    let window = RenewalWindow::of_life(begin, end);
    let answer = Credentials {
        device: approved.device().to_string(),
        name: approved.name().to_string(),
        zone: approved.zone().to_string(),
        credentials: issued.iter().map(credential).collect(),
        client_credentials: for_client.iter().map(credential).collect(),
        chain: loaded.chain_pem.clone(),
        issued: begin,
        expires: end,
        renew_from: window.from,
        renew_until: window.until,
    };
    serde_json::to_vec(&answer).expect("texts and numbers are JSON")
}

fn credential(issued: &Issued) -> Credential {
    Credential {
        form: issued.form().to_string(),
        pem: dc_core::pem::write(issued.form(), issued.bytes()),
        sha256: Sha256::of(issued.bytes()).to_string(),
    }
}

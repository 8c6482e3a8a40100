//! rustls and GnuTLS with raw public keys (RFC 7250), both ways.

use std::fs;

use rcgen::PublicKeyData as _;

use crate::Result;
use crate::clients::raw_key_peers::{Attempt, gnutls_cli, gnutls_serv};
use crate::rows::device_key::fingerprint;
use crate::setup;
use crate::solution::{Identity, Proof, serve};
use crate::world::World;

/// `gnutls-cli` at our server, and our client at `gnutls-serv`.
pub(crate) fn measure(world: &World) -> Result<Vec<Attempt>> {
    if !setup::foreign_programs() {
        return Err(setup::LEFT_OUT.into());
    }
    let folder = world.folder("raw-key-peers")?;
    let pair = rcgen::KeyPair::generate()?;
    let (key, public) = (folder.join("key.pem"), folder.join("public.pem"));
    fs::write(&key, pair.serialize_pem())?;
    fs::write(&public, pair.public_key_pem())?;
    let server = serve(&Identity {
        name: "localhost".to_owned(),
        proof: Proof::RawKey { key: key.clone() },
        ends: None,
    })?;
    let mut attempts = gnutls_cli(&world.clock, &folder, server.port())?;
    let pin = fingerprint(&pair.subject_public_key_info());
    attempts.extend(gnutls_serv(&world.clock, &key, &public, pin)?);
    Ok(attempts)
}

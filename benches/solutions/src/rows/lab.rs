//! What the tests of solutions share.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pki_types::pem::PemObject as _;
use pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::ring;
use rustls::{Error, RootCertStore};
use tempfile::TempDir;

use crate::clients::{Client, Outcome, Visit};
use crate::ledger::{Act, Party, Phase};
use crate::setup;
use crate::solution::{Identity, Proof, Trust, serve};
use crate::world::World;

/// A world whose folder goes with it.
pub(crate) struct Lab {
    pub(crate) world: World,
    folder: TempDir,
}

impl Lab {
    /// One without a library for the time of programs: none runs in it.
    pub(crate) fn new() -> Self {
        Self::with(Path::new("no library"))
    }

    /// One in which foreign programs can run.
    pub(crate) fn with_programs() -> Self {
        Self::with(&setup::virtual_clock().unwrap())
    }

    fn with(library: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(folder.path(), library, 90).unwrap();
        world.ledger.enter(Phase::FirstIssue);
        Self { world, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What this client says to a server of this identity that claims to be `name`.
    pub(crate) fn visit(
        &self,
        client: &dyn Client,
        identity: &Identity,
        visit: Visit<'_>,
    ) -> Outcome {
        let server = serve(identity).unwrap();
        let visit = Visit {
            name: &identity.name,
            port: server.port(),
            ..visit
        };
        client.visit(&self.world.clock, &[visit]).remove(0)
    }

    /// What stock rustls says to the certificate, at this moment, with these roots and this list.
    pub(crate) fn verify(
        &self,
        identity: &Identity,
        trust: &Trust,
        list: Option<&Path>,
    ) -> Result<(), Error> {
        let mut roots = RootCertStore::empty();
        for path in trust.imported.iter().chain(&trust.delivered) {
            roots.add(certificates(path).remove(0)).unwrap();
        }
        let list =
            list.map(|path| CertificateRevocationListDer::from_pem_slice(&fs::read(path).unwrap()));
        let provider = Arc::new(ring::default_provider());
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = builder.with_crls(list.map(Result::unwrap));
        let verifier = builder
            .only_check_end_entity_revocation()
            .allow_unknown_revocation_status();
        let chain = certificates(chain(identity));
        let now = UnixTime::since_unix_epoch(Duration::from_secs(self.world.now()));
        let name = ServerName::try_from(identity.name.as_str()).unwrap();
        let verifier = verifier.build().unwrap();
        verifier
            .verify_server_cert(&chain[0], &chain[1..], &name, &[], now)
            .map(drop)
    }

    /// How many steps the user has done.
    pub(crate) fn steps(&self, phase: Phase) -> u64 {
        self.count(Party::User, phase, Act::Request)
    }

    pub(crate) fn count(&self, party: Party, phase: Phase, act: Act) -> u64 {
        self.world.ledger.get(party, phase, act)
    }
}

/// The chain's file.
pub(crate) fn chain(identity: &Identity) -> &Path {
    match &identity.proof {
        Proof::Certificate { chain, .. } => chain,
        other => panic!("no certificate: {other:?}"),
    }
}

/// The private key's file.
pub(crate) fn key(identity: &Identity) -> &Path {
    match &identity.proof {
        Proof::Certificate { key, .. } | Proof::RawKey { key } => key,
        other => panic!("no key: {other:?}"),
    }
}

pub(crate) fn certificates(path: &Path) -> Vec<CertificateDer<'static>> {
    let found = CertificateDer::pem_file_iter(path).unwrap();
    found.collect::<Result<_, _>>().unwrap()
}

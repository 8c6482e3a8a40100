//! The public CA: whoever signs the vendor's delegation certificate, and nothing else.

use std::fmt;
use std::fs;
use std::path::Path;

use dc_pki::names::ZoneName;

use crate::Result;
use crate::dns::Dns;
use crate::measure::authority;
use crate::public_ca::{self, Changes};
use crate::rows::normal::Account;
use crate::vendor::Issuing as _;
use crate::world::World;

/// A CA that clients trust as they are delivered.
pub(crate) trait PublicCa: fmt::Debug {
    /// Its root, in PEM.
    fn root(&self) -> &Path;

    /// Asks it to sign the request in this file, counts that, and returns the chain without its root, in PEM.
    fn order(&mut self, request: &Path) -> Result<String>;

    /// The names in what it has signed.
    fn names(&self) -> Result<Vec<String>>;

    /// Whether it answers from now on.
    fn reach(&mut self, reachable: bool) -> Result<()>;
}

/// acme2certifier with a handler that makes delegation certificates, which it does not make as it is, and the vendor's
/// account there.
#[derive(Debug)]
pub(super) struct Foreign {
    wildcard: String,
    ca: public_ca::PublicCa,
    account: Account,
}

impl Foreign {
    pub(super) fn start(world: &World, zone: &ZoneName) -> Result<Self> {
        let dns = Dns::start()?;
        let changes = Changes {
            handler: authority::HANDLER_LINE,
            module: Some(authority::HANDLER_MODULE),
            ..Changes::default()
        };
        let ca = public_ca::PublicCa::start(world, "public-ca", &dns, changes)?;
        Ok(Self {
            wildcard: zone.wildcard(),
            account: Account::open(world, &ca, dns)?,
            ca,
        })
    }
}

impl PublicCa for Foreign {
    fn root(&self) -> &Path {
        &self.ca.root().certificate
    }

    fn order(&mut self, request: &Path) -> Result<String> {
        let request = dc_core::pem::request(&fs::read(request)?)?;
        self.account.issue(&self.wildcard, &request)
    }

    fn names(&self) -> Result<Vec<String>> {
        self.ca.names()
    }

    fn reach(&mut self, reachable: bool) -> Result<()> {
        match reachable {
            true => self.ca.resume(),
            false => {
                self.ca.stop();
                Ok(())
            }
        }
    }
}

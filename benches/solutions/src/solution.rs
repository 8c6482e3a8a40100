//! What every solution has to do, so that all are measured by the same code.

use std::path::PathBuf;

use dc_tests::process::Server;

use crate::Result;
use crate::clients::Client;
use crate::ledger::Party;

/// A way to give a home server an identity: certificate authority or none, vendor's service, device, renewal,
/// replacement and theft. Each measurement has a world and a value of its own.
///
/// Whoever asks a party for something counts it in the world's ledger, in which the caller has entered the phase.
pub(crate) trait Solution {
    /// Starts what the fleet needs: CAs, the vendor's service and the vendor's own certificate.
    fn found(&mut self) -> Result<()>;

    /// The first identity of device number `device`, which has its name from now on.
    fn enrol(&mut self, device: usize) -> Result<Identity>;

    /// When the device, or its vendor for it, gets the next identity by itself, in Unix seconds; never if none.
    fn due(&self, device: usize) -> Option<u64>;

    /// The next identity. Fails while a party that it needs cannot be reached.
    fn renew(&mut self, device: usize) -> Result<Identity>;

    /// When the device next asks somebody for news, which brings it no identity, in Unix seconds; never if it does not.
    fn news_due(&self, device: usize) -> Option<u64> {
        let _ = device;
        None
    }

    /// Asks. That nobody answers is no failure.
    fn ask_for_news(&mut self, device: usize) -> Result<()> {
        let _ = device;
        Ok(())
    }

    /// When the vendor gets its own certificate anew, for the whole fleet.
    fn fleet_due(&self) -> Option<u64> {
        None
    }

    fn renew_fleet(&mut self) -> Result<()> {
        Ok(())
    }

    /// The user has put a new device in the place of this one: what clients ask for is the same after the steps that
    /// users do, and the old one gets nothing more.
    fn replace(&mut self, device: usize) -> Result<Identity>;

    /// Somebody says that the device was stolen, to whoever can do something about it.
    fn report_theft(&mut self, device: usize) -> Result<Remedy>;

    /// Whether the party can be reached from now on.
    fn reach(&mut self, party: Party, reachable: bool) -> Result<()>;

    /// What a client has before it connects to this device for the first time, or after what the user did.
    fn trust(&self, device: usize) -> Trust;

    /// The client that knows the solution, where no unmodified one does.
    fn own_client(&self, _device: usize) -> Result<Option<Box<dyn Client>>> {
        Ok(None)
    }

    /// The best that `twin`, a device that works, can present to be taken for `victim`: its own keys, no theft.
    fn pose(&mut self, twin: usize, victim: usize) -> Result<Identity>;

    /// What a thief who has everything on the device can present for `name`, which is not its own, with keys that were on
    /// it and sign for others. Nothing if no key on it does.
    fn forge(&mut self, _device: usize, _name: &str) -> Result<Option<Identity>> {
        Ok(None)
    }

    /// What the vendor's own authority signs for a name that the vendor has nothing to do with, if it is broken into.
    /// Nothing if the vendor has none.
    fn outside(&mut self) -> Result<Option<Identity>> {
        Ok(None)
    }

    /// The names of devices that anybody can read in public records, such as certificate transparency logs.
    fn published(&self) -> Vec<String>;
}

/// What a device serves with.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// What clients ask for.
    pub(crate) name: String,
    pub(crate) proof: Proof,
    /// The last second at which it is valid; for ever if none.
    pub(crate) ends: Option<u64>,
}

/// How the device shows who it is.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// A certificate chain and the leaf's key, in PEM.
    Certificate { chain: PathBuf, key: PathBuf },
    /// An identity folder, as dc-signer and dc-agent write it.
    Credential { folder: PathBuf },
    /// A raw public key (RFC 7250); its private key in PEM.
    RawKey { key: PathBuf },
}

/// What a client is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    /// Root certificates, in PEM, that stand for those that clients are delivered with.
    pub(crate) delivered: Vec<PathBuf>,
    /// Root certificates, in PEM, that the user has to import.
    pub(crate) imported: Vec<PathBuf>,
    /// The SHA-256 of the SubjectPublicKeyInfo that the client remembers, or was told.
    pub(crate) pin: Option<[u8; 32]>,
}

/// What helps after a theft.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remedy {
    /// A certificate revocation list, in PEM, for clients that load one.
    pub(crate) revocation_list: Option<PathBuf>,
    /// What the user has to remove from a client, in words; nothing if users can do nothing.
    pub(crate) removal: Option<&'static str>,
}

/// Serves this identity on a port of loopback until dropped; answers each connection with a small page over HTTP.
pub(crate) fn serve(identity: &Identity) -> Result<Server> {
    crate::server::start(identity)
}

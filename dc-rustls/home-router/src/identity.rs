//! The router's identity: a store for each service, and what there is to say about the credential in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use dc_core::{DelegatedCredential, DelegationCertificate, Form, pem};
use dc_rustls::server::{Identity, Settings, Store, Watch};
use rustls::crypto::ring;

use crate::Failure;

/// The credential that is served. Moments are seconds since 1970.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Credential {
    /// The router's name; none if no credential has one.
    pub(crate) name: Option<String>,
    pub(crate) forms: Vec<Form>,
    /// When the credential's file was written, which is the last renewal as far as the folder tells.
    pub(crate) written: Option<u64>,
    /// The last second at which all credentials are valid.
    pub(crate) expires: u64,
}

impl Credential {
    /// Reads what a store has checked.
    ///
    /// Fails if a file cannot be read or is not what its name says.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let chain = pem::certificates(&fs::read(folder.join("chain.pem"))?)?;
        let first = chain.into_iter().next().ok_or("chain.pem is empty")?;
        let certificate = DelegationCertificate::parse(first)?;
        let path = folder.join("credential.pem");
        let mut read = Self {
            name: None,
            forms: Vec::new(),
            written: fs::metadata(&path)?.modified().ok().map(seconds),
            expires: u64::MAX,
        };
        for stored in pem::read(&fs::read(&path)?)? {
            let credential = DelegatedCredential::decode(stored.form, &stored.bytes)?;
            let claim = credential.credential();
            let name = claim.unique_name.as_ref();
            read.name = read.name.or_else(|| Some(name?.as_str().to_owned()));
            read.forms.push(stored.form);
            let expires = certificate.expiry(claim.valid_time).as_secs();
            read.expires = read.expires.min(expires);
        }
        Ok(read)
    }
}

/// The state of the identity folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// The credential that is served; it may have ended.
    pub(crate) credential: Option<Credential>,
    /// The error of contents of the folder that are not served.
    pub(crate) complaint: Option<String>,
}

/// Follows an identity folder for all services.
#[derive(Clone, Debug)]
pub(crate) struct Follower {
    folder: PathBuf,
    standing: Arc<Mutex<Standing>>,
}

impl Follower {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.into(),
            standing: Arc::default(),
        }
    }

    /// The state now.
    pub(crate) fn standing(&self) -> Standing {
        self.lock().clone()
    }

    /// The router's name; none before there is a credential with one.
    pub(crate) fn name(&self) -> Option<String> {
        self.lock().credential.as_ref()?.name.clone()
    }

    /// Serves what the folder holds from both stores, until the watch is dropped.
    ///
    /// A folder that is not there yet is reported, not an error: the agent may come later than this program.
    /// Fails if no thread can be started.
    pub(crate) fn follow(
        &self,
        [store, other]: &[Arc<Store>; 2],
        interval: Duration,
    ) -> Result<Watch, Failure> {
        let (this, other) = (self.clone(), Arc::clone(other));
        let report = move |news| {
            let news = match news {
                Ok(()) => this.install(&other),
                Err(error) => Err(Failure::from(error)),
            };
            match news {
                Ok(credential) => this.installed(credential),
                Err(error) => this.refused(&error),
            }
        };
        Ok(store.watch(&self.folder, interval, report)?)
    }

    /// Installs in the other store what one has taken. If the folder changes in between, the watch comes again.
    fn install(&self, other: &Store) -> Result<Credential, Failure> {
        other.install(Identity::load(&self.folder)?)?;
        Credential::read(&self.folder)
    }

    fn installed(&self, credential: Credential) {
        let name = credential.name.as_deref().unwrap_or("no name");
        eprintln!("serving a credential for {name}");
        *self.lock() = Standing {
            credential: Some(credential),
            complaint: None,
        };
    }

    fn refused(&self, error: &Failure) {
        let mut standing = self.lock();
        match standing.credential {
            Some(_) => eprintln!("kept the old identity: {error}"),
            None => eprintln!("no credential to serve: {error}"),
        }
        // Before the router is enrolled there is no folder, which says all.
        standing.complaint = self.folder.exists().then(|| error.to_string());
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An empty store for a service that speaks these application protocols, and no others.
///
/// Each service has its own, so that a client of one cannot be led to the other (RFC 7301), and no session of
/// one is resumed at the other.
pub(crate) fn store(alpn_protocols: &[&[u8]]) -> Arc<Store> {
    let protocols = alpn_protocols.iter().map(|name| name.to_vec());
    Store::with_settings(
        Settings::new(Arc::new(ring::default_provider())).alpn_protocols(protocols),
    )
}

/// Seconds since 1970; 0 for what was before.
pub(crate) fn seconds(moment: SystemTime) -> u64 {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
impl Follower {
    /// One that serves a router of this name, as far as anybody asks.
    pub(crate) fn of(name: &str) -> Self {
        let this = Self::new(Path::new("nowhere"));
        this.lock().credential = Some(Credential {
            name: Some(name.to_owned()),
            forms: Vec::new(),
            written: None,
            expires: u64::MAX,
        });
        this
    }
}

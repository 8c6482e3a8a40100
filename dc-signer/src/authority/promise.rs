//! The promises of a zone to its devices, tried where its key is: a signing process may issue less than the zone says.

use dc_core::Role;
use dc_pki::keys::{KeyFault, NotSigned, ProcessFault, Refusal};
use dc_pki::names::ZoneName;
use dc_pki::{Forms, Roles};
use dc_store::registry::Zone;

use super::Error;
use super::error::PkiError;
use super::loaded::Loaded;

/// All that the devices of a zone are to get.
#[derive(Clone, Debug)]
pub(super) struct Promise {
    pub(super) zone: ZoneName,
    pub(super) forms: Forms,
    pub(super) roles: Roles,
}

impl Promise {
    pub(super) fn of(zone: &Zone) -> Self {
        Self {
            zone: zone.zone.clone(),
            forms: zone.forms,
            roles: zone.roles,
        }
    }

    /// Asks the signing process that has a key whether it would issue all of it; a key that is here is not asked.
    ///
    /// A process that issues for no clients breaks no promise: they are left out, and that is warned of. Takes as long as some
    /// signatures may. Fails with [`PkiError::Sign`], and if the machine has no random numbers.
    pub(super) fn try_with(&self, loaded: &Loaded) -> Result<(), PkiError> {
        if !loaded.delegation.key().is_elsewhere() {
            return Ok(());
        }
        let name = self.zone.fresh_name()?;
        let (name, key) = (Some(name.as_str()), loaded.delegation.key());
        if self.forms != Forms::Rfc9345 {
            answered(key.try_issue(name))?;
        }
        if self.forms != Forms::Named {
            answered(key.try_issue(None))?;
        }
        match (self.roles, &loaded.for_clients) {
            (Roles::Both, Some(clients)) => answered(clients.key().try_issue(name)),
            (Roles::Both, None) | (Roles::Server, _) => Ok(()),
        }
    }

    /// The same before it is made. That the process does not answer now, or refuses for another reason, is none to leave the zone as
    /// it is: it may be what has to be changed in an emergency.
    ///
    /// Fails with [`Error::ProcessRefuses`], and with [`Error::NotForClients`] if it is for clients and the certificate is not.
    pub(super) fn try_anew(&self, loaded: &Loaded) -> Result<(), Error> {
        if self.roles == Roles::Both {
            match loaded.delegation.for_role(Role::Client) {
                Err(PkiError::UnfitCertificate { .. }) => {
                    let path = loaded.delegation.chain_path().into();
                    return Err(Error::NotForClients { path });
                }
                Err(error) => self.stays(&error)?,
                Ok(_) => {}
            }
        }
        self.try_with(loaded).or_else(|error| self.stays(&error))
    }

    fn stays(&self, error: &PkiError) -> Result<(), Error> {
        match process_fault(error) {
            Some(fault) if is_of_zone(fault) => Err(Error::ProcessRefuses {
                zone: self.zone.clone(),
                source: fault.clone(),
            }),
            _ => Ok(()),
        }
    }
}

/// A process of an older version knows no such question, and is believed as it was before there was one.
fn answered(tried: Result<(), NotSigned>) -> Result<(), PkiError> {
    let error = match tried {
        Ok(()) => return Ok(()),
        Err(source) => PkiError::Sign { source },
    };
    match reason(process_fault(&error)) {
        Some(Refusal::Malformed) => Ok(()),
        _ => Err(error),
    }
}

/// True if a process issues for servers alone, or for clients no more.
pub(super) fn is_of_role(error: &Error) -> bool {
    let Error::Pki(error) = error else {
        return false;
    };
    reason(process_fault(error)) == Some(Refusal::Role)
}

fn is_of_zone(fault: &ProcessFault) -> bool {
    let of_zone = [Refusal::Form, Refusal::Name, Refusal::Role];
    reason(Some(fault)).is_some_and(|reason| of_zone.contains(&reason))
}

fn process_fault(error: &PkiError) -> Option<&ProcessFault> {
    match error {
        PkiError::Process { fault, .. } => Some(fault),
        PkiError::Sign { source } => match &source.fault {
            KeyFault::Process { fault } => Some(fault),
            _ => None,
        },
        _ => None,
    }
}

fn reason(fault: Option<&ProcessFault>) -> Option<Refusal> {
    match fault {
        Some(ProcessFault::Refused { reason, .. }) => Some(*reason),
        _ => None,
    }
}

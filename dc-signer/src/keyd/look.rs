//! The check of a configuration with all that it names, before a process needs it.

use std::path::Path;

use dc_core::Role;

use super::caller::Callers;
use super::checkpoints;
use super::error::Error;
use crate::config::KeydConfig;
use dc_pki::trust::read_roots;
use dc_pki::{Delegation, keyd};

/// Looks whether a process could start and sign, with the rights of this one, and changes nothing; `base` is the folder of the
/// configuration.
///
/// Fails with [`Error`], the first thing that is wrong.
pub fn look(config: &KeydConfig, base: &Path) -> Result<(), Error> {
    if config.zones.is_empty() {
        return Err(Error::Missing { table: "zones" });
    }
    let callers = Callers::find(&config.callers)?;
    if let Some(listen) = &config.listen {
        let own = (&*listen.certificate, &*listen.key);
        keyd::server_config(own, callers.certificates().to_vec())?;
    }
    config.anchors.as_deref().map(read_roots).transpose()?;
    for delegation in &config.delegations {
        Delegation::load_with(&delegation.folder, Role::Server, &config.keys.unlock)?;
    }
    if let Some(table) = &config.checkpoints {
        checkpoints::open_key(table, base, &config.keys.unlock)?;
    }
    Ok(())
}

//! Settings of the authority.

use std::sync::Arc;
use std::time::Duration;

use super::Error;
use super::manufacturers::Manufacturers;
use crate::config::{Addresses, Approval, Config, NameMode, Operators, Renewals};

/// The part of the configuration that the authority needs.
#[derive(Debug)]
pub struct Settings {
    pub(super) tenant: String,
    pub(super) names: NameMode,
    /// The lifetime of credentials.
    pub(super) lifetime: Duration,
    /// How devices are asked to renew before their time.
    pub(super) renewals: Renewals,
    /// Activation codes are taken.
    pub(super) codes: bool,
    pub(super) code_lifetime: Duration,
    pub(super) manufacturers: Arc<Manufacturers>,
    pub(super) operators: Operators,
    pub(super) approval: Approval,
    pub(super) addresses: Addresses,
}

impl Settings {
    /// Fails with what reading the manufacturers' anchors fails with.
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        Ok(Self {
            tenant: config.tenant.clone(),
            names: config.names.mode,
            lifetime: config.credentials.lifetime,
            renewals: config.renewals,
            codes: config.enrolment.codes,
            code_lifetime: config.enrolment.code_lifetime,
            manufacturers: Manufacturers::load(&config.manufacturers)?.into(),
            operators: config.operators,
            approval: config.approval,
            addresses: config.retention.addresses,
        })
    }
}

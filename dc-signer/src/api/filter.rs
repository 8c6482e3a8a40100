//! Queries of operators: the devices that are meant, and the part of them.

use serde::Deserialize;

use super::problem::ApiError;
use crate::access::export::Format;
use crate::authority::{Filter, Page};
use dc_protocol::Kind;
use dc_store::registry;

/// The devices that are meant.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only those in this state: `preregistered`, `active`, `suspended` or `retired`.
    state: Option<String>,
    /// Only those of this zone.
    zone: Option<String>,
    /// Only those whose external id begins so.
    prefix: Option<String>,
    /// Only those that two devices seem to be, or only the others.
    possible_clone: Option<bool>,
    /// Only those whose credential ends before this time.
    #[param(maximum = 253402300799i64)]
    expires_before: Option<u64>,
    /// Only those whose latest credential is under the delegation certificate with this SHA-256, 64 hexadecimal digits.
    delegation: Option<String>,
    /// Only those whose credential ends at this time or later.
    #[param(maximum = 253402300799i64)]
    expires_from: Option<u64>,
    /// Only those that hold a credential, be it one that has ended, or only the others.
    has_credential: Option<bool>,
    /// Only those whom this text means: the start of an external id or of a unique name, now or before, in capitals or small letters;
    /// or a device's id, a serial number, the SHA-256 of an enrolment key or of the latest credential (its first 8 digits or more), or
    /// the first two groups of an activation code.
    #[param(min_length = 1, max_length = 256)]
    search: Option<String>,
    /// `ndjson`, which it is unless given, or `csv`.
    format: Option<String>,
}

impl Which {
    pub(super) fn filter(&self) -> Result<Filter, ApiError> {
        let delegation = self.delegation.as_deref().map(str::parse);
        Ok(Filter {
            state: self.state.as_deref().map(str::parse).transpose()?,
            zone: self.zone.as_deref().map(super::zones::parse).transpose()?,
            possible_clone: self.possible_clone,
            external_id_prefix: self.prefix.clone(),
            expires_before: self.expires_before.map(super::at).transpose()?,
            delegation: delegation.transpose().map_err(registry::Error::from)?,
            expires_from: self.expires_from.map(super::at).transpose()?,
            has_credential: self.has_credential,
            search: self.search.as_deref().map(str::parse).transpose()?,
        })
    }

    pub(super) fn format(&self) -> Result<Format, ApiError> {
        let Some(given) = &self.format else {
            return Ok(Format::default());
        };
        let unknown = || {
            let detail = format!("format is {given}: use ndjson or csv");
            ApiError::new(Kind::BadRequest, detail)
        };
        Format::of(given).ok_or_else(unknown)
    }
}

/// The devices that are meant, and the part of them. (serde cannot both flatten and refuse unknown fields.)
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only those in this state: `preregistered`, `active`, `suspended` or `retired`.
    state: Option<String>,
    /// Only those of this zone.
    zone: Option<String>,
    /// Only those whose external id begins so.
    prefix: Option<String>,
    /// Only those that two devices seem to be, or only the others.
    possible_clone: Option<bool>,
    /// Only those whose credential ends before this time.
    #[param(maximum = 253402300799i64)]
    expires_before: Option<u64>,
    /// Only those whose latest credential is under the delegation certificate with this SHA-256, 64 hexadecimal digits.
    delegation: Option<String>,
    /// Only those whose credential ends at this time or later.
    #[param(maximum = 253402300799i64)]
    expires_from: Option<u64>,
    /// Only those that hold a credential, be it one that has ended, or only the others.
    has_credential: Option<bool>,
    /// Only those whom this text means: the start of an external id or of a unique name, now or before, in capitals or small letters;
    /// or a device's id, a serial number, the SHA-256 of an enrolment key or of the latest credential (its first 8 digits or more), or
    /// the first two groups of an activation code.
    #[param(min_length = 1, max_length = 256)]
    search: Option<String>,
    /// Only those behind this external id: what `next` was on the page before.
    after: Option<String>,
    /// The last ones before this external id, unless `after` is given: what `previous` was on the page behind. The first page, if there
    /// are fewer than fill one.
    before: Option<String>,
    /// True to count all that fit too, up to 1000.
    count: Option<bool>,
    /// At most so many, 100 unless given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

impl Wanted {
    pub(super) fn filter(&self) -> Result<Filter, ApiError> {
        let which = Which {
            state: self.state.clone(),
            zone: self.zone.clone(),
            prefix: self.prefix.clone(),
            possible_clone: self.possible_clone,
            expires_before: self.expires_before,
            delegation: self.delegation.clone(),
            expires_from: self.expires_from,
            has_credential: self.has_credential,
            search: self.search.clone(),
            format: None,
        };
        which.filter()
    }

    pub(super) fn page(&self) -> Result<Page, ApiError> {
        let limit = self.limit.unwrap_or(100);
        if !(1..=Page::MAX).contains(&limit) {
            let detail = format!("limit is {limit}: use 1 to {}", Page::MAX);
            return Err(ApiError::new(Kind::BadRequest, detail));
        }
        Ok(Page {
            after: self.after.as_deref().map(str::parse).transpose()?,
            before: self.before.as_deref().map(str::parse).transpose()?,
            limit,
            count: self.count.unwrap_or_default(),
        })
    }
}

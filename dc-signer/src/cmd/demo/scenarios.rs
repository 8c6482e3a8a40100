//! Everything that is tried, in the order of the table.

use std::time::Duration;

use dc_core::Error as Wrong;
use dc_rustls::client::NamePolicy::{Ignored, Preferred, Required};
use dc_rustls::server::{Acceptor, Store};
use dc_rustls::{Error as Tls, Refusal};

use super::client::{Attempt, Client, meet_with_stock_rustls};
use super::fleet::{Device, Fleet};
use super::reason::{is_bad_signature, is_expired, is_handshake_failure, is_not_the_holder, why};
use super::row::{Expected, Proof, Row};
use super::{cloud, forge, server};
use crate::cmd::Error;

use Expected::{Accepted, Refused, Resumed};

pub(super) fn all(fleet: &Fleet) -> Result<Vec<Row>, Error> {
    let cast = Cast {
        fleet,
        home: fleet.enrol("home", &rcgen::PKCS_ECDSA_P256_SHA256)?,
        twin: fleet.enrol("twin", &rcgen::PKCS_ECDSA_P256_SHA256)?,
        strict: Client::new(fleet, Required)?,
        plain: Client::new(fleet, Ignored)?,
    };
    let mut rows = cast.right_devices()?;
    rows.extend(cast.evil_twins()?);
    rows.extend(cast.bad_credentials()?);
    rows.extend(cast.without_credentials()?);
    rows.extend(cast.resumption()?);
    rows.extend(cloud::all(fleet, &cast.home, &cast.twin)?);
    Ok(rows)
}

/// The parties of most scenarios.
struct Cast<'a> {
    fleet: &'a Fleet,
    /// The device that clients want to reach.
    home: Device,
    /// Another device of the same vendor.
    twin: Device,
    /// A client that takes nothing but a credential for exactly the wanted name.
    strict: Client,
    /// A client that knows RFC 9345 and no unique name.
    plain: Client,
}

impl Cast<'_> {
    fn right_devices(&self) -> Result<Vec<Row>, Error> {
        let honest = self.honest(&self.home)?;
        let named = self.strict.meet(&honest, &self.home.name)?;
        let rfc9345 = self.plain.meet(&honest, &self.home.name)?;
        let preferred = Client::new(self.fleet, Preferred)?.meet(&honest, &self.home.name)?;
        let mut rows = vec![
            self.row("right CPE, named form", Accepted(Proof::Named), named),
            self.row(
                "right CPE, RFC 9345 form",
                Accepted(Proof::Rfc9345),
                rfc9345,
            ),
            self.row(
                "right CPE, client takes both",
                Accepted(Proof::Named),
                preferred,
            ),
        ];
        for (title, algorithm) in [
            ("right CPE with a P-384 key", &rcgen::PKCS_ECDSA_P384_SHA384),
            ("right CPE with an Ed25519 key", &rcgen::PKCS_ED25519),
        ] {
            let device = self.fleet.enrol(title, algorithm)?;
            let attempt = self.strict.meet(&self.honest(&device)?, &device.name)?;
            let expected = Accepted(Proof::Named);
            rows.push(Row::new(title, &expected, &device.name, &attempt));
        }
        Ok(rows)
    }

    fn evil_twins(&self) -> Result<Vec<Row>, Error> {
        let twin = self.honest(&self.twin)?;
        // An honest server shows its name to nobody who wants another one.
        let shown = self.reckless(self.twin.identity()?)?;
        let nameless = self.reckless(forge::without_name(self.fleet, &self.twin)?)?;
        let renamed = self.reckless(forge::renamed(self.fleet, &self.twin, &self.home.name)?)?;
        let stolen = self.reckless(forge::stolen(self.fleet, &self.home, &self.twin)?)?;
        let meet = |twin| self.strict.meet(twin, &self.home.name);
        Ok(vec![
            self.row(
                "evil twin with its own credential",
                Refused("another device's name", |error| {
                    matches!(why(error), Some(Wrong::NameMismatch { .. }))
                }),
                meet(&shown)?,
            ),
            self.row(
                "evil twin leaves its name out",
                Refused("nothing to answer with", is_handshake_failure),
                meet(&nameless)?,
            ),
            self.row(
                "evil twin writes the right name in",
                Refused("signature", is_bad_signature),
                meet(&renamed)?,
            ),
            self.row(
                "evil twin with the right CPE's credential",
                Refused("not the credential's key", is_not_the_holder),
                meet(&stolen)?,
            ),
            self.row(
                "evil twin, client without unique names",
                Accepted(Proof::Rfc9345),
                self.plain.meet(&twin, &self.home.name)?,
            ),
        ])
    }

    fn bad_credentials(&self) -> Result<Vec<Row>, Error> {
        let (fleet, home) = (self.fleet, &self.home);
        let other = fleet.another_delegation()?;
        let forgeries = [
            (
                "expired",
                forge::expired(fleet, home)?,
                Refused("expired", is_expired),
            ),
            (
                "valid for longer than 7 days",
                forge::too_long(fleet, home)?,
                Refused("more than 7 days", |error| {
                    matches!(why(error), Some(Wrong::ValidityTooLong { .. }))
                }),
            ),
            (
                "wrong delegation certificate",
                forge::other_certificate(home, &other)?,
                Refused("signature", is_bad_signature),
            ),
            (
                "tampered signature",
                forge::bad_signature(fleet, home)?,
                Refused("signature", is_bad_signature),
            ),
        ];
        forgeries
            .into_iter()
            .map(|(title, identity, expected)| {
                let attempt = self.strict.meet(&self.reckless(identity)?, &home.name)?;
                Ok(self.row(title, expected, attempt))
            })
            .collect()
    }

    fn without_credentials(&self) -> Result<Vec<Row>, Error> {
        let (fleet, name) = (self.fleet, &self.home.name);
        let ordinary = server::ordinary(fleet, name)?;
        let with_fallback = self.honest(&self.home)?.fallback(ordinary.clone());
        let without_fallback = self.honest(&self.home)?;
        let no_credential = Acceptor::new(Store::new(fleet.provider.clone())).fallback(ordinary);
        Ok(vec![
            self.row(
                "client without support, fallback",
                Accepted(Proof::Certificate),
                meet_with_stock_rustls(fleet, &with_fallback, name)?,
            ),
            self.row(
                "client without support, no fallback",
                Refused("clean alert", is_handshake_failure),
                meet_with_stock_rustls(fleet, &without_fallback, name)?,
            ),
            self.row(
                "server without a credential",
                Refused("no credential", |error| {
                    matches!(error, Tls::Refused(Refusal::CredentialRequired))
                }),
                self.strict.meet(&no_credential, name)?,
            ),
        ])
    }

    fn resumption(&self) -> Result<Vec<Row>, Error> {
        let honest = self.honest(&self.home)?;
        let client = Client::new(self.fleet, Required)?;
        let first = client.meet(&honest, &self.home.name)?;
        let second = client.meet(&honest, &self.home.name)?;
        client.wait(Duration::from_secs(8 * 24 * 3600));
        let later = client.meet(&honest, &self.home.name)?;
        Ok(vec![
            self.row("first connection", Accepted(Proof::Named), first),
            self.row("second connection", Resumed, second),
            self.row(
                "third connection, 8 days later",
                Refused("expired", is_expired),
                later,
            ),
        ])
    }

    fn honest(&self, device: &Device) -> Result<Acceptor, Error> {
        server::honest(self.fleet, device.identity()?)
    }

    fn reckless(&self, identity: dc_rustls::server::Identity) -> Result<Acceptor, Error> {
        server::reckless(self.fleet, identity)
    }

    /// The outcome of an attempt to reach the right device.
    fn row(&self, scenario: &'static str, expected: Expected, attempt: Attempt) -> Row {
        Row::new(scenario, &expected, &self.home.name, &attempt)
    }
}

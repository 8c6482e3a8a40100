//! The ceilings of the zones: pure, and the only maker of [`Permitted`].

use std::time::Duration;

use dc_core::{DelegationCertificate, Role, UniqueName};
use pki_types::UnixTime;

use super::turned_away::TurnedAway;
use crate::config::Ceiling;
use dc_pki::keys::Refusal;
use dc_pki::names::ZoneName;
use dc_pki::time::Span;
use dc_pki::{Forms, Roles};

/// The zones that are issued in, each with its ceilings.
#[derive(Clone, Debug)]
pub(super) struct Ceilings(pub(super) Vec<Ceiling>);

/// A wish for one credential, under a certificate.
#[derive(Clone, Debug)]
pub(super) struct Wish<'a> {
    pub(super) role: Role,
    pub(super) name: Option<&'a UniqueName<'static>>,
    pub(super) lifetime: Option<Duration>,
}

impl<'a> Wish<'a> {
    pub(super) fn new(
        role: Role,
        name: Option<&'a UniqueName<'static>>,
        lifetime: Option<Duration>,
    ) -> Self {
        Self {
            role,
            name,
            lifetime,
        }
    }
}

/// That a wish is below all ceilings but that on how many there may be: good for one credential.
#[derive(Debug)]
#[must_use]
pub(super) struct Permitted<'c> {
    ceiling: &'c Ceiling,
    lifetime: Duration,
}

impl Permitted<'_> {
    /// The zone, whose rate it counts for.
    pub(super) fn zone(&self) -> &ZoneName {
        &self.ceiling.zone
    }

    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }
}

impl Ceilings {
    /// Permits a wish under a certificate, or says which ceiling it is above.
    ///
    /// That the certificate covers the name, and may issue now, is RFC 9345's to say, when it is signed for.
    pub(super) fn permit(
        &self,
        certificate: &DelegationCertificate<'_>,
        wish: &Wish<'_>,
        now: UnixTime,
    ) -> Result<Permitted<'_>, TurnedAway> {
        let ceiling = match wish.name {
            Some(name) => self.of_name(name)?,
            None => self.without_name(certificate, wish.role)?,
        };
        may_be_for(ceiling, wish.role)?;
        let lifetime = match wish.lifetime {
            Some(lifetime) => {
                may_live(ceiling, lifetime)?;
                lifetime
            }
            None => {
                let left = certificate
                    .not_after()
                    .as_secs()
                    .saturating_sub(now.as_secs());
                let left = Duration::from_secs(left.saturating_sub(1));
                ceiling.lifetime.min(left)
            }
        };
        Ok(Permitted { ceiling, lifetime })
    }

    /// A zone that a certificate is for, and that has credentials for this end of connections, and for so long if it is said.
    pub(super) fn zone_of(
        &self,
        certificate: &DelegationCertificate<'_>,
        role: Role,
        lifetime: Option<Duration>,
    ) -> Result<&ZoneName, TurnedAway> {
        let zones = self.0.iter().filter(|ceiling| {
            let wildcard = ceiling.zone.wildcard();
            let names = certificate.dns_names().iter();
            names
                .map(|name| name.to_ascii_lowercase())
                .any(|name| name == wildcard)
        });
        let mut may = zones.map(|ceiling| {
            may_be_for(ceiling, role)?;
            lifetime.map_or(Ok(()), |lifetime| may_live(ceiling, lifetime))?;
            Ok(&ceiling.zone)
        });
        let first = may.next().unwrap_or_else(|| {
            let names = certificate.dns_names().join(", ");
            Err(outside(&format!("the certificate for {names}")))
        });
        first.or_else(|refused| may.find_map(Result::ok).ok_or(refused))
    }

    /// The zone with a wildcard, if there is one.
    pub(super) fn named(&self, zone: &ZoneName) -> Result<&Ceiling, TurnedAway> {
        let found = self.0.iter().find(|ceiling| ceiling.zone == *zone);
        found.ok_or_else(|| outside(&zone.to_string()))
    }

    fn of_name(&self, name: &UniqueName<'_>) -> Result<&Ceiling, TurnedAway> {
        let mut zones = self.0.iter();
        let ceiling = zones.find(|ceiling| name.covered_by(&ceiling.zone.wildcard()));
        let ceiling = ceiling.ok_or_else(|| outside(name.as_str()))?;
        match ceiling.forms {
            Forms::Named | Forms::Both => Ok(ceiling),
            Forms::Rfc9345 => Err(TurnedAway::new(
                Refusal::Form,
                format!("zone {} has no named credentials", ceiling.zone),
            )),
        }
    }

    /// An unnamed credential is good for every name of its certificate.
    fn without_name(
        &self,
        certificate: &DelegationCertificate<'_>,
        role: Role,
    ) -> Result<&Ceiling, TurnedAway> {
        if role == Role::Client {
            let detail = "a credential for a client has a name: without one it is any device's";
            return Err(TurnedAway::new(Refusal::Form, detail));
        }
        let mut first = None;
        for name in certificate.dns_names() {
            let zone = ZoneName::parse(&name.to_ascii_lowercase());
            let zone = zone.ok().filter(|_| name.starts_with("*."));
            let zone = zone.ok_or_else(|| outside(name))?;
            let ceiling = self.named(&zone)?;
            if ceiling.forms == Forms::Named {
                return Err(TurnedAway::new(
                    Refusal::Form,
                    format!("zone {zone} has no credentials without a name"),
                ));
            }
            first.get_or_insert(ceiling);
        }
        first.ok_or_else(|| outside("a certificate without names"))
    }
}

fn may_be_for(ceiling: &Ceiling, role: Role) -> Result<(), TurnedAway> {
    match (role, ceiling.roles) {
        (Role::Server, _) | (Role::Client, Roles::Both) => Ok(()),
        (Role::Client, Roles::Server) => Err(TurnedAway::new(
            Refusal::Role,
            format!("zone {} has no credentials for clients", ceiling.zone),
        )),
    }
}

fn may_live(ceiling: &Ceiling, lifetime: Duration) -> Result<(), TurnedAway> {
    match lifetime > ceiling.lifetime {
        false => Ok(()),
        true => Err(TurnedAway::new(
            Refusal::Lifetime,
            format!(
                "a lifetime of {} is above the ceiling of zone {}, {}",
                Span::new(lifetime),
                ceiling.zone,
                Span::new(ceiling.lifetime)
            ),
        )),
    }
}

fn outside(name: &str) -> TurnedAway {
    TurnedAway::new(Refusal::Name, format!("{name} is in none of its zones"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dc_pki::names;
    use dc_pki::test_ca::TestRoot;
    use dc_pki::time::from_seconds;

    fn ceiling(zone: &str, forms: Forms, roles: Roles) -> Ceiling {
        Ceiling {
            zone: ZoneName::parse(zone).unwrap(),
            lifetime: HOUR,
            forms,
            roles,
            per_minute: 1,
            per_hour: 1,
        }
    }

    fn certificate(zone: &str) -> DelegationCertificate<'static> {
        let root = TestRoot::generate(now()).unwrap();
        let made = root
            .delegate(&ZoneName::parse(zone).unwrap(), now())
            .unwrap();
        DelegationCertificate::parse(made.certificate().clone()).unwrap()
    }

    fn now() -> UnixTime {
        from_seconds(1_800_000_000)
    }

    fn wish<'n>(name: Option<&'n UniqueName<'static>>) -> Wish<'n> {
        Wish {
            role: Role::Server,
            name,
            lifetime: None,
        }
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_lifetime_is_taken_up_to_the_ceiling() {
        let ceilings = Ceilings(vec![ceiling("a.example.com", Forms::Both, Roles::Server)]);
        let certificate = certificate("a.example.com");
        let name = names::parse("x.a.example.com").unwrap();
        let second = Duration::from_secs(1);
        for (wanted, got) in [(None, HOUR), (Some(HOUR), HOUR), (Some(second), second)] {
            let lifetime = wanted;
            for name in [Some(&name), None] {
                let wish = Wish {
                    lifetime,
                    ..wish(name)
                };
                let permitted = ceilings.permit(&certificate, &wish, now()).unwrap();
                assert_eq!(permitted.lifetime(), got);
                assert_eq!(permitted.zone().to_string(), "a.example.com");
            }
        }
        let lifetime = Some(HOUR + second);
        let wish = Wish {
            lifetime,
            ..wish(Some(&name))
        };
        let refused = ceilings.permit(&certificate, &wish, now()).unwrap_err();
        assert_eq!(refused.reason, Refusal::Lifetime);
        assert_eq!(
            refused.detail,
            "a lifetime of 1 h 1 s is above the ceiling of zone a.example.com, 1 h"
        );
        // Nobody asks for more than is left by asking for nothing.
        let end = from_seconds(certificate.not_after().as_secs() - 10);
        let wish = Wish {
            lifetime: None,
            ..wish
        };
        let permitted = ceilings.permit(&certificate, &wish, end).unwrap();
        assert_eq!(permitted.lifetime(), Duration::from_secs(9));
    }

    #[test]
    fn names_are_one_label_below_a_zone() {
        let ceilings = Ceilings(vec![ceiling("a.example.com", Forms::Named, Roles::Server)]);
        let certificate = certificate("a.example.com");
        let permit = |name: &str| {
            let name = names::parse(name).unwrap();
            let permitted = ceilings.permit(&certificate, &wish(Some(&name)), now());
            permitted.map(|_| ()).map_err(|refused| refused.reason)
        };
        assert_eq!(permit("x.a.example.com"), Ok(()));
        for outside in [
            "a.example.com",
            "x.y.a.example.com",
            "x.b.example.com",
            "xa.example.com",
            "x.a.example.com.evil.org",
        ] {
            assert_eq!(permit(outside), Err(Refusal::Name), "{outside}");
        }
    }

    #[test]
    fn forms_and_roles_are_the_zones() {
        let name = names::parse("x.a.example.com").unwrap();
        let certificate = certificate("a.example.com");
        let (server, client) = (Role::Server, Role::Client);
        let both = [Ok(()), Err(Refusal::Role), Err(Refusal::Form)];
        for (forms, roles, named_client, unnamed) in [
            (Forms::Named, Roles::Server, both[1], both[2]),
            (Forms::Named, Roles::Both, both[0], both[2]),
            (Forms::Both, Roles::Both, both[0], both[0]),
            (Forms::Both, Roles::Server, both[1], both[0]),
            (Forms::Rfc9345, Roles::Both, both[2], both[0]),
        ] {
            let ceilings = Ceilings(vec![ceiling("a.example.com", forms, roles)]);
            let permit = |role, name| {
                let wish = Wish { role, ..wish(name) };
                let permitted = ceilings.permit(&certificate, &wish, now());
                permitted.map(|_| ()).map_err(|refused| refused.reason)
            };
            assert_eq!(
                permit(client, Some(&name)),
                named_client,
                "{forms:?} {roles:?}"
            );
            assert_eq!(permit(server, None), unnamed, "{forms:?}");
            assert_eq!(permit(client, None), Err(Refusal::Form));
            let of_role = ceilings.zone_of(&certificate, client, None).map(|_| ());
            let of_role = of_role.map_err(|refused| refused.reason);
            assert_eq!(of_role.is_ok(), roles == Roles::Both);
            assert!(ceilings.zone_of(&certificate, server, None).is_ok());
        }
    }

    #[test]
    fn an_unnamed_credential_needs_every_name_of_the_certificate_to_be_a_zone() {
        let ceilings = Ceilings(vec![ceiling("a.example.com", Forms::Both, Roles::Server)]);
        let other = certificate("b.example.com");
        let refused = ceilings.permit(&other, &wish(None), now()).unwrap_err();
        assert_eq!(refused.reason, Refusal::Name);
        let refused = ceilings.zone_of(&other, Role::Server, None).unwrap_err();
        assert_eq!(refused.reason, Refusal::Name);
    }
}

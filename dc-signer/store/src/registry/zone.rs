//! Zones, and the delegation certificates that names under them are signed with.

use std::str::FromStr;
use std::time::Duration;

use pki_types::UnixTime;

use super::fields::Fields;
use super::{DelegationState, Error, Sha256};
use dc_pki::names::ZoneName;
use dc_pki::{Forms, Roles};

/// A zone that the signer issues under.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Zone {
    /// The suffix of all its names.
    pub zone: ZoneName,
    /// The forms of credentials its devices get.
    pub forms: Forms,
    /// The ends of connections that its devices get credentials for.
    pub roles: Roles,
    /// Until when credentials of the forms that it issued before may be valid; none if it never issued any or others.
    pub other_forms_until: Option<UnixTime>,
    /// Devices whose credential was issued before this are to renew now, not when it is due.
    pub renew_issued_before: Option<UnixTime>,
    /// How often its list of withdrawn names changed.
    pub withdrawn_sequence: u64,
    /// Its delegation certificates, by number.
    pub delegations: Vec<ZoneDelegation>,
}

/// The presence of credentials of both forms in one zone.
///
/// An unnamed one can be used for every name of the zone's certificate, so the named ones protect no client that accepts the
/// unnamed as well, as those do that only prefer named ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BothForms {
    /// It issues both.
    Issued,
    /// It issued other forms before, and the last credential of those ends by then.
    Ending {
        /// The second of its end, at the latest.
        until: UnixTime,
    },
}

impl FromStr for DelegationState {
    type Err = Error;

    /// Fails with [`Error::BadState`].
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(Error::BadState)
    }
}

/// One delegation certificate of a zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ZoneDelegation {
    /// Counts up from 1 within the zone.
    pub number: u32,
    /// Its use now.
    pub state: DelegationState,
    /// SHA-256 of the delegation certificate.
    pub certificate_sha256: Sha256,
    /// When the certificate begins.
    pub not_before: UnixTime,
    /// When it ends.
    pub not_after: UnixTime,
    /// When it got into its state.
    pub since: UnixTime,
}

impl ZoneDelegation {
    /// SHA-256 of what does not change of it, which its audit records have: the text `dc-slot-v1`, the zone, its number in 8 bytes, the
    /// hash of the certificate, and its beginning and its end in 8 bytes; each with its length in 8 bytes in front.
    #[must_use]
    pub fn commitment(&self, zone: &ZoneName) -> Sha256 {
        let zone = zone.to_string();
        let numbers = [
            u64::from(self.number),
            self.not_before.as_secs(),
            self.not_after.as_secs(),
        ];
        let [number, begin, end] = numbers.map(u64::to_be_bytes);
        let certificate = self.certificate_sha256.as_bytes();
        let fields: [&[u8]; 5] = [zone.as_bytes(), &number, certificate, &begin, &end];
        Fields::hash("dc-slot-v1", &fields)
    }

    /// The most time that an active certificate must have left: no credential may end after it, and none lives
    /// longer than seven days.
    pub const MIN_LEFT: Duration = Duration::from_secs(8 * 86_400);
    /// The most time from its notBefore until a certificate becomes active without need: clients with slow clocks take it then.
    pub const SOAK: Duration = Duration::from_secs(48 * 3600);

    /// The time that a certificate with this life must have left to issue under it: a quarter of its life, and never more than
    /// [`Self::MIN_LEFT`]. From certificates of less than 32 days credentials are shorter in the end.
    #[must_use]
    pub fn min_left_of(life: Duration) -> Duration {
        Self::MIN_LEFT.min(life / 4)
    }

    /// The time from its notBefore until a certificate with this life becomes active without need: an eighth of its life, and
    /// never more than [`Self::SOAK`].
    #[must_use]
    pub fn soak_of(life: Duration) -> Duration {
        Self::SOAK.min(life / 8)
    }

    /// From the certificate's notBefore to its notAfter.
    #[must_use]
    pub fn life(&self) -> Duration {
        let life = self
            .not_after
            .as_secs()
            .saturating_sub(self.not_before.as_secs());
        Duration::from_secs(life)
    }

    /// The last second in which may be issued under the certificate.
    #[must_use]
    pub fn issues_until(&self) -> UnixTime {
        let min_left = Self::min_left_of(self.life()).as_secs();
        let until = self.not_after.as_secs().saturating_sub(min_left);
        UnixTime::since_unix_epoch(Duration::from_secs(until))
    }

    /// When it has soaked: from then on it can become active without need.
    #[must_use]
    pub fn soaked_at(&self) -> UnixTime {
        let soak = Self::soak_of(self.life()).as_secs();
        let at = self.not_before.as_secs().saturating_add(soak);
        UnixTime::since_unix_epoch(Duration::from_secs(at))
    }

    /// True if enough is left of the certificate to issue under it.
    #[must_use]
    pub fn may_issue(&self, now: UnixTime) -> bool {
        now <= self.issues_until()
    }
}

impl Zone {
    /// SHA-256 of what an act sets of it, which its audit record has: the text `dc-zone-v1`, the zone, its forms, its roles, the time
    /// before which a credential is to be renewed, and the one until which others than these forms may be valid, both in 8 bytes and
    /// empty if there is none; each with its length in 8 bytes in front.
    #[must_use]
    pub fn commitment(&self) -> Sha256 {
        let zone = self.zone.to_string();
        let [before, until] = [self.renew_issued_before, self.other_forms_until]
            .map(|time| time.map_or(Vec::new(), |time| time.as_secs().to_be_bytes().to_vec()));
        let fields: [&[u8]; 5] = [
            zone.as_bytes(),
            self.forms.as_str().as_bytes(),
            self.roles.as_str().as_bytes(),
            &before,
            &until,
        ];
        Fields::hash("dc-zone-v1", &fields)
    }

    /// The delegation that new credentials are signed with.
    #[must_use]
    pub fn active(&self) -> Option<&ZoneDelegation> {
        self.delegations
            .iter()
            .find(|delegation| delegation.state == DelegationState::Active)
    }

    /// True if it has issued, or may issue, to a device: a zone that never had an active certificate has promised nothing.
    #[must_use]
    pub fn is_in_service(&self) -> bool {
        let used = |slot: &ZoneDelegation| {
            matches!(
                slot.state,
                DelegationState::Active | DelegationState::Draining
            )
        };
        self.delegations.iter().any(used)
    }

    /// The presence of credentials of both forms that may be valid at a time; none if those that are valid are of one.
    #[must_use]
    pub fn both_forms(&self, now: UnixTime) -> Option<BothForms> {
        let ending = self.other_forms_until.filter(|until| *until >= now);
        match self.forms {
            _ if !self.is_in_service() => None,
            Forms::Both => Some(BothForms::Issued),
            Forms::Named | Forms::Rfc9345 => ending.map(|until| BothForms::Ending { until }),
        }
    }

    /// Moves a delegation on. What was active starts draining when another becomes active.
    ///
    /// Says which delegations changed; none, if the delegation is in that state already, so two replicas may
    /// both ask. One that drains may become active again. Fails with [`Error::UnknownDelegation`], [`Error::DelegationOrder`] for
    /// another step back or one left out (a delegation that was never used may go at once), and [`Error::TooLittleLeft`] if the
    /// certificate cannot be active, or if it begins later.
    pub fn move_delegation(
        &mut self,
        number: u32,
        to: DelegationState,
        now: UnixTime,
    ) -> Result<Vec<ZoneDelegation>, Error> {
        let delegation = self
            .delegations
            .iter()
            .find(|delegation| delegation.number == number);
        let delegation = delegation.ok_or(Error::UnknownDelegation { number })?;
        match (delegation.state, to) {
            (from, to) if from == to => return Ok(Vec::new()),
            (DelegationState::Next | DelegationState::Draining, DelegationState::Active)
                if delegation.not_before > now || !delegation.may_issue(now) =>
            {
                return Err(Error::TooLittleLeft {
                    not_before: delegation.not_before,
                    not_after: delegation.not_after,
                });
            }
            (DelegationState::Next, DelegationState::Active | DelegationState::Gone)
            | (DelegationState::Active, DelegationState::Draining)
            // Whoever moved on by mistake goes back.
            | (DelegationState::Draining, DelegationState::Active | DelegationState::Gone) => {}
            (from, to) => return Err(Error::DelegationOrder { from, to }),
        }
        Ok(self.place(number, to, now))
    }

    fn place(&mut self, number: u32, to: DelegationState, now: UnixTime) -> Vec<ZoneDelegation> {
        let mut changed = Vec::new();
        for delegation in &mut self.delegations {
            let state = match delegation.state {
                _ if delegation.number == number => to,
                DelegationState::Active if to == DelegationState::Active => {
                    DelegationState::Draining
                }
                unchanged => unchanged,
            };
            if state != delegation.state {
                (delegation.state, delegation.since) = (state, now);
                changed.push(delegation.clone());
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn delegation(number: u32, state: DelegationState) -> ZoneDelegation {
        ZoneDelegation {
            number,
            state,
            certificate_sha256: Sha256::of(&number.to_be_bytes()),
            not_before: at(NOW - 86_400),
            not_after: at(NOW + 60 * 86_400),
            since: at(NOW - 86_400),
        }
    }

    fn zone(delegations: Vec<ZoneDelegation>) -> Zone {
        Zone {
            zone: ZoneName::parse("cpe.example.com").unwrap(),
            forms: Forms::Named,
            roles: Roles::Server,
            other_forms_until: None,
            renew_issued_before: None,
            withdrawn_sequence: 0,
            delegations,
        }
    }

    #[test]
    fn the_active_delegation_drains_when_the_next_becomes_active() {
        let mut zone = zone(vec![
            delegation(1, DelegationState::Active),
            delegation(2, DelegationState::Next),
        ]);
        let changed = zone
            .move_delegation(2, DelegationState::Active, at(NOW))
            .unwrap();
        assert_eq!(changed.len(), 2);
        assert_eq!(zone.delegations[0].state, DelegationState::Draining);
        assert_eq!(zone.active().unwrap().number, 2);
        assert_eq!(zone.active().unwrap().since, at(NOW));
    }

    #[test]
    fn a_zone_goes_back_to_what_drains_and_what_it_left_drains() {
        let mut zone = zone(vec![
            delegation(1, DelegationState::Draining),
            delegation(2, DelegationState::Active),
        ]);
        let back = zone.move_delegation(1, DelegationState::Active, at(NOW));
        assert_eq!(back.unwrap().len(), 2);
        let states = zone.delegations.iter().map(|slot| (slot.state, slot.since));
        let now = at(NOW);
        assert_eq!(
            states.collect::<Vec<_>>(),
            [
                (DelegationState::Active, now),
                (DelegationState::Draining, now)
            ]
        );
    }

    #[test]
    fn a_zone_does_not_go_back_to_what_is_about_to_end() {
        let mut zone = zone(vec![delegation(1, DelegationState::Draining)]);
        zone.delegations[0].not_before = at(NOW - 80 * 86_400);
        zone.delegations[0].not_after = at(NOW + 8 * 86_400 - 1);
        let back = zone.move_delegation(1, DelegationState::Active, at(NOW));
        assert!(matches!(back, Err(Error::TooLittleLeft { .. })), "{back:?}");
    }

    #[test]
    fn asking_twice_changes_nothing() {
        let mut zone = zone(vec![delegation(1, DelegationState::Active)]);
        assert_eq!(
            zone.move_delegation(1, DelegationState::Active, at(NOW)),
            Ok(vec![])
        );
    }

    #[test]
    fn no_delegation_comes_back_that_is_gone_or_skips_draining() {
        for (from, to) in [
            (DelegationState::Gone, DelegationState::Active),
            (DelegationState::Gone, DelegationState::Next),
            (DelegationState::Active, DelegationState::Next),
            (DelegationState::Active, DelegationState::Gone),
            (DelegationState::Next, DelegationState::Draining),
        ] {
            let mut zone = zone(vec![delegation(1, from)]);
            let error = zone.move_delegation(1, to, at(NOW)).unwrap_err();
            assert_eq!(error, Error::DelegationOrder { from, to });
        }
    }

    #[test]
    fn a_certificate_with_less_than_eight_days_left_does_not_become_active() {
        for (left, good) in [(8 * 86_400, true), (8 * 86_400 - 1, false)] {
            let mut zone = zone(vec![delegation(1, DelegationState::Next)]);
            zone.delegations[0].not_before = at(NOW - 60 * 86_400);
            zone.delegations[0].not_after = at(NOW + left);
            let moved = zone.move_delegation(1, DelegationState::Active, at(NOW));
            assert_eq!(moved.is_ok(), good, "{left}");
        }
    }

    #[test]
    fn a_short_certificate_is_issued_from_until_a_quarter_of_it_is_left() {
        for (days, min_left, soak) in [
            (398, 8 * 24, 48),
            (47, 8 * 24, 48),
            (32, 8 * 24, 48),
            (16, 4 * 24, 48),
            (7, 42, 21),
        ] {
            let mut short = delegation(1, DelegationState::Next);
            short.not_after = at(short.not_before.as_secs() + days * 86_400);
            let until = short.not_after.as_secs() - min_left * 3600;
            assert_eq!(short.issues_until(), at(until), "{days}");
            assert_eq!(
                short.soaked_at().as_secs() - short.not_before.as_secs(),
                soak * 3600,
                "{days}"
            );
            assert!(short.may_issue(at(until)) && !short.may_issue(at(until + 1)));
            let mut zone = zone(vec![short]);
            let late = zone.move_delegation(1, DelegationState::Active, at(until + 1));
            assert!(matches!(late, Err(Error::TooLittleLeft { .. })), "{days}");
            let moved = zone.move_delegation(1, DelegationState::Active, at(until));
            assert!(moved.is_ok(), "{days}");
        }
    }

    #[test]
    fn a_certificate_that_has_not_begun_does_not_become_active() {
        let mut zone = zone(vec![delegation(1, DelegationState::Next)]);
        zone.delegations[0].not_before = at(NOW + 1);
        let error = zone
            .move_delegation(1, DelegationState::Active, at(NOW))
            .unwrap_err();
        assert!(matches!(error, Error::TooLittleLeft { .. }), "{error}");
    }

    #[test]
    fn an_unknown_delegation_is_named() {
        let error = zone(vec![]).move_delegation(3, DelegationState::Active, at(NOW));
        assert_eq!(error, Err(Error::UnknownDelegation { number: 3 }));
    }

    #[test]
    fn a_zone_has_both_forms_while_it_issues_both_and_until_those_from_before_have_ended() {
        let in_service = || zone(vec![delegation(1, DelegationState::Active)]);
        for (forms, until, expected) in [
            (Forms::Named, None, None),
            (Forms::Rfc9345, None, None),
            (Forms::Both, None, Some(BothForms::Issued)),
            (Forms::Both, Some(NOW - 1), Some(BothForms::Issued)),
            (
                Forms::Named,
                Some(NOW),
                Some(BothForms::Ending { until: at(NOW) }),
            ),
            (
                Forms::Rfc9345,
                Some(NOW + 9),
                Some(BothForms::Ending { until: at(NOW + 9) }),
            ),
            (Forms::Named, Some(NOW - 1), None),
        ] {
            let zone = Zone {
                forms,
                roles: Roles::Server,
                other_forms_until: until.map(at),
                ..in_service()
            };
            assert_eq!(zone.both_forms(at(NOW)), expected, "{forms:?} {until:?}");
        }
    }

    #[test]
    fn a_zone_that_never_had_an_active_certificate_has_no_credentials_of_any_form() {
        let unused = vec![delegation(1, DelegationState::Next)];
        for (delegations, is_in_service) in [
            (vec![], false),
            (unused, false),
            (vec![delegation(1, DelegationState::Gone)], false),
            (vec![delegation(1, DelegationState::Draining)], true),
        ] {
            let mut zone = zone(delegations);
            zone.forms = Forms::Both;
            assert_eq!(zone.both_forms(at(NOW)).is_some(), is_in_service);
        }
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for state in DelegationState::ALL {
            assert_eq!(state.as_str().parse::<DelegationState>(), Ok(state));
        }
        for forms in Forms::ALL {
            assert_eq!(forms.as_str().parse::<Forms>(), Ok(forms));
        }
        let error = "".parse::<Forms>().unwrap_err();
        assert_eq!(error.to_string(), "forms are one of named, both, rfc9345");
        assert_eq!(Error::from(error).to_string(), error.to_string());
        assert_eq!("NEXT".parse::<DelegationState>(), Err(Error::BadState));
    }
}

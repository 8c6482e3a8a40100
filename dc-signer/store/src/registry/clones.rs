//! Noticing that two boxes use one enrolment key.
//!
//! A device shows the credential that it holds when it renews. One box has either what it was last given, or, if that answer was
//! lost, still what it showed then; and if it showed nothing, it had lost everything from before. So whoever shows anything else
//! is another box than the one that showed, or was given, something newer.

use std::time::Duration;

use pki_types::UnixTime;

use super::{Device, Sha256, Shown};

impl Device {
    /// True if a box that shows this, and asks for a credential for this key, is another one than that which was given the
    /// last one.
    #[must_use]
    pub fn looks_cloned(
        &self,
        shown: Option<&Sha256>,
        spki_sha256: &Sha256,
        now: UnixTime,
    ) -> bool {
        // Nothing to show is how a device looks that was reset. What it shows from then on counts.
        let (Some(held), Some(shown)) = (self.credential, shown) else {
            return false;
        };
        if held.sha256 == *shown {
            return false;
        }
        match self.shown {
            Shown::Nothing => true,
            Shown::Credential(last) if last != *shown => true,
            // The last answer was lost. A box sends the same request again until it is answered, for hours or weeks; with
            // another key it is one that could not use the answer, and tries anew within hours.
            Shown::Credential(_) | Shown::Unknown => {
                let age = now.as_secs().saturating_sub(held.issued.as_secs());
                held.spki_sha256 != *spki_sha256 && age >= ANOTHER_REQUEST.as_secs()
            }
        }
    }
}

/// By then a device that does not send the same request again has asked again: it waits four hours at most between two tries.
const ANOTHER_REQUEST: Duration = Duration::from_secs(6 * 3600);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::registry::{Held, State};
    use crate::testing::registry::{at, device, key};

    fn new() -> Device {
        Device {
            state: State::Active,
            key: Some(key(1)),
            ..device()
        }
    }

    fn hash(number: u64) -> Sha256 {
        Sha256::of(&number.to_be_bytes())
    }

    /// The signer's side.
    struct Signer {
        device: Device,
        issued: u64,
        now: u64,
        flagged: bool,
    }

    impl Signer {
        fn new() -> Self {
            Self {
                device: new(),
                issued: 0,
                now: 1_800_000_000,
                flagged: false,
            }
        }

        fn issue(&mut self, request: &Request) -> Sha256 {
            let (shown, spki) = (request.shown.as_ref(), hash(request.key));
            self.flagged |= self.device.looks_cloned(shown, &spki, at(self.now));
            self.issued += 1;
            let held = Held {
                sha256: hash(1_000_000 + self.issued),
                spki_sha256: spki,
                issued: at(self.now),
                expires: at(self.now + 590_400),
            };
            self.device.hand_out(held, request.shown);
            held.sha256
        }
    }

    #[derive(Clone, Debug, PartialEq)]
    struct Request {
        shown: Option<Sha256>,
        key: u64,
    }

    /// A box as the agent is: its request is the same until it is answered for good.
    #[derive(Clone, Debug, Default)]
    struct Agent {
        holds: Option<Sha256>,
        pending: Option<Request>,
        keys: u64,
    }

    impl Agent {
        fn ask(&mut self, signer: &mut Signer) -> Sha256 {
            self.keys += 1;
            let new = Request {
                shown: self.holds,
                key: self.keys,
            };
            let request = match &self.pending {
                Some(pending) if pending.shown == self.holds => pending.clone(),
                _ => self.pending.insert(new).clone(),
            };
            signer.issue(&request)
        }

        fn renew(&mut self, signer: &mut Signer) {
            let got = self.ask(signer);
            (self.holds, self.pending) = (Some(got), None);
        }
    }

    /// An event in the life of an honest box.
    #[derive(Clone, Copy, Debug)]
    enum Happens {
        /// It renews, and gets the answer.
        Renews,
        /// It renews, and the answer is lost.
        IsNotAnswered,
        /// It gets an answer that it cannot use, and makes another request.
        CannotUseTheAnswer,
        /// Its credential is gone, and its enrolment key is not.
        LosesItsCredential,
    }

    fn honest() -> impl Strategy<Value = (Happens, u64)> {
        use Happens::*;
        let happens = proptest::sample::select(vec![
            Renews,
            Renews,
            IsNotAnswered,
            IsNotAnswered,
            CannotUseTheAnswer,
            LosesItsCredential,
        ]);
        (happens, 60..2_000_000_u64)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn one_box_is_never_flagged(life in proptest::collection::vec(honest(), 1..40)) {
            let (mut signer, mut agent) = (Signer::new(), Agent::default());
            for (happens, wait) in life {
                match happens {
                    Happens::Renews => agent.renew(&mut signer),
                    Happens::IsNotAnswered => drop(agent.ask(&mut signer)),
                    // It tries again within hours.
                    Happens::CannotUseTheAnswer => {
                        agent.ask(&mut signer);
                        agent.pending = None;
                        signer.now += wait.min(4 * 3600);
                        agent.renew(&mut signer);
                    }
                    Happens::LosesItsCredential => agent.holds = None,
                }
                prop_assert!(!signer.flagged, "{happens:?}");
                signer.now += wait;
            }
        }

        /// The copy shows what it likes of what it has, or nothing; the honest box loses answers now and then.
        #[test]
        fn two_boxes_are_flagged_once_both_have_renewed_with_what_they_got_themselves(
            before in 1..4_usize,
            copied_while_pending: bool,
            shows in proptest::collection::vec((0..3_usize, 0..3_usize), 2..12),
        ) {
            let (mut signer, mut agent) = (Signer::new(), Agent::default());
            for _ in 0..before {
                agent.renew(&mut signer);
                signer.now += 300_000;
            }
            if copied_while_pending {
                agent.ask(&mut signer);
            }
            let mut got: Vec<Option<Sha256>> = vec![None, agent.holds];
            for (key, (show, lost)) in (500_000..).zip(shows) {
                // Often enough that nothing is ever old.
                signer.now += 5 * 3600;
                let request = Request {
                    shown: got[got.len() - 1 - show.min(got.len() - 1)],
                    key,
                };
                got.push(Some(signer.issue(&request)));
                signer.now += 60;
                for _ in 0..lost {
                    agent.ask(&mut signer);
                }
                agent.renew(&mut signer);
            }
            prop_assert!(signer.flagged);
        }
    }

    #[test]
    fn whoever_shows_nothing_to_stay_unseen_is_seen_when_the_box_renews() {
        let (mut signer, mut agent) = (Signer::new(), Agent::default());
        agent.renew(&mut signer);
        for key in 100..120 {
            signer.now += 5 * 3600;
            signer.issue(&Request { shown: None, key });
        }
        agent.renew(&mut signer);
        assert!(signer.flagged);
    }

    #[test]
    fn an_older_credential_with_another_key_is_a_clones_after_six_hours() {
        for (age, cloned) in [(6 * 3600 - 1, false), (6 * 3600, true)] {
            let (mut signer, mut agent) = (Signer::new(), Agent::default());
            agent.renew(&mut signer);
            let mut copy = agent.clone();
            agent.renew(&mut signer);
            signer.now += age;
            copy.keys = 100;
            copy.renew(&mut signer);
            assert_eq!(signer.flagged, cloned);
        }
    }

    #[test]
    fn what_was_issued_before_anybody_kept_count_flags_nobody_by_itself() {
        let mut signer = Signer::new();
        let mut agent = Agent::default();
        agent.renew(&mut signer);
        signer.device.shown = Shown::Unknown;
        let request = Request {
            shown: Some(hash(7)),
            key: 100,
        };
        assert!(
            !signer
                .device
                .looks_cloned(request.shown.as_ref(), &hash(1), at(signer.now))
        );
        agent.renew(&mut signer);
        assert!(!signer.flagged);
    }
}

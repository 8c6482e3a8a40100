//! The audit log: one record for each act, chained by hashes.
//!
//! Each record has the SHA-256 of the one before it, so none can be changed, removed or put in
//! between without all later ones changing. Times say what the clock said and are not part of the
//! order: a clock that jumps does not break the chain.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use dc_evidence::Hash;
use pki_types::UnixTime;

use super::fields::Fields;
use super::{Error, Sha256, without_address};

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $text:literal,)*) => {
        /// An action of the audit log.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum Action { $($(#[$doc])* $action,)* }

        impl Action {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$action,)*];

            /// As it is written everywhere.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$action => $text,)* }
            }
        }
    };
}

actions! {
    /// An older copy of the database was accepted, with what is not in it.
    AcceptOlder = "accept-older",
    /// Somebody knows of something in the database that is not as the log says.
    Acknowledge = "acknowledge",
    /// A delegation began to be used for new credentials.
    ActivateDelegation = "activate-slot",
    /// A device was added.
    Add = "add",
    /// An operator agreed to what another had asked for.
    Approve = "approve",
    /// An operator asked for an act that another one has to agree to.
    AskApproval = "ask-approval",
    /// Somebody at the machine acted without an operator's credential.
    BreakGlass = "break-glass",
    /// Other acts take two operators from now on.
    ChangeApproval = "change-approval",
    /// An operator was added or changed.
    ChangeOperator = "change-operator",
    /// A zone's forms, its roles, or when to renew, changed.
    ChangeZone = "change-zone",
    /// A device's suspected clone is none.
    ClearClone = "clear-clone",
    /// An operator may do nothing from now on.
    DisableOperator = "disable-operator",
    /// A delegation is not used for new credentials any more.
    DrainDelegation = "drain-slot",
    /// A delegation's key can be destroyed.
    EndDelegation = "end-slot",
    /// An older version of a secret ends, or ends sooner.
    EndSecret = "end-secret",
    /// An operator may do again what their role allows.
    EnableOperator = "enable-operator",
    /// A device's enrolment key was pinned.
    Enrol = "enrol",
    /// An operator had devices written out; the record is there before the first of them.
    Export = "export",
    /// An export of an operator has come to its end, or was broken off.
    ExportEnd = "export-end",
    /// An act that two operators agreed to was done.
    FinishApproval = "finish-approval",
    /// The new key of a switch was used, and the old one is gone.
    FinishSwitch = "finish-switch",
    /// An order for a zone's next delegation certificate brought none.
    FailOrder = "fail-order",
    /// Two devices seem to use one name.
    FlagClone = "flag-clone",
    /// A delegation certificate was imported.
    ImportDelegation = "import-slot",
    /// A credential was issued, for a server.
    Issue = "issue",
    /// A credential was issued, for a client.
    IssueClient = "issue-client",
    /// An activation code was made.
    NewCode = "new-code",
    /// A zone was added.
    NewZone = "new-zone",
    /// A zone's next delegation certificate was ordered from its CA.
    OrderDelegation = "order-slot",
    /// An operator looked at devices; some minutes of one are one record.
    Read = "read",
    /// An operator did not agree to what another had asked for.
    RefuseApproval = "refuse-approval",
    /// A zone was removed that never had a delegation certificate, nor a device.
    RemoveZone = "remove-zone",
    /// An operator got another token, or another certificate.
    RenewOperator = "renew-operator",
    /// A device was replaced.
    Replace = "replace",
    /// A newer log was applied to a restored database.
    Replay = "replay",
    /// A device got a new name.
    NewName = "new-name",
    /// A device gets credentials again.
    Resume = "resume",
    /// A device never gets credentials again.
    Retire = "retire",
    /// Secrets were taken out of the database, as they are.
    ExportSecrets = "export-secrets",
    /// Secrets were sealed with another key-encryption key.
    ResealSecrets = "reseal-secrets",
    /// A secret has a new version.
    RotateSecret = "rotate-secret",
    /// Secrets were sealed into the database.
    SealSecrets = "seal-secrets",
    /// A delegation certificate and its key were shared with the other signers.
    ShareDelegation = "share-slot",
    /// A device gets no credentials.
    Suspend = "suspend",
    /// A device began to use another enrolment key.
    SwitchKey = "switch-key",
    /// Issuances were removed that are in an archive.
    Tidy = "tidy",
    /// A replacement got a name before the credentials of the box that had it were over.
    TakeName = "take-name",
}

impl Action {
    /// The table of what it is done to: slots of zones, or devices.
    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::ActivateDelegation
            | Self::DrainDelegation
            | Self::EndDelegation
            | Self::ImportDelegation => "slots",
            _ => "devices",
        }
    }
}

/// A change of a device's standing, name or key, as an action of the log says it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DeviceChange {
    Add,
    Enrol,
    FinishSwitch,
    NewName,
    Replace,
    Resume,
    Retire,
    Suspend,
    SwitchKey,
}

impl FromStr for Action {
    type Err = Error;

    /// Fails with [`Error::BadAction`].
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.as_str() == text)
            .ok_or(Error::BadAction)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The contents of a record, before it has its place in the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// When, by the clock of whoever did it.
    pub time: UnixTime,
    /// Which signer it was done at.
    pub node: String,
    /// The actor, such as `operator:alice`, `operator:alice+bob` if two were needed, `root:uid=0,login=1000` without a credential, or `device`.
    pub actor: String,
    /// An action of the audit log.
    pub action: Action,
    /// To which unique name, or to which operator.
    pub name: Option<String>,
    /// SHA-256 of the SubjectPublicKeyInfo it is about: of the credential, or an enrolment key.
    pub spki_sha256: Option<Sha256>,
    /// SHA-256 of the credential, or of a delegation's delegation certificate.
    pub credential_sha256: Option<Sha256>,
    /// In which zone.
    pub zone: Option<String>,
    /// When what it is about ends.
    pub expires: Option<UnixTime>,
    /// SHA-256 of what the act set that no other field says: [`Device::commitment`](super::Device::commitment) of a device
    /// that was added or replaced, [`Operator::commitment`](super::Operator::commitment) of an operator,
    /// [`Zone::commitment`](super::Zone::commitment) of a zone.
    pub detail_sha256: Option<Sha256>,
    /// The reason, in the words of whoever did it.
    pub reason: Option<String>,
    /// The devices that were read, as a filter, and how many there were; the number of what a record decides; an operator's role; or what
    /// takes two operators. At its end, the address that an act came from over HTTP.
    pub scope: Option<String>,
}

impl Entry {
    /// The scope without the address that the act came from; none if it is that alone.
    #[must_use]
    pub fn said(&self) -> Option<&str> {
        let (said, _) = without_address(self.scope.as_deref()?);
        (!said.is_empty()).then_some(said)
    }

    /// The address that the act came from; none if it was none over HTTP, if that is not kept, or if the record is older.
    #[must_use]
    pub fn came_from(&self) -> Option<IpAddr> {
        without_address(self.scope.as_deref()?).1
    }
}

/// One record of the audit log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// Its place, counted from 1.
    pub seq: u64,
    /// Its contents.
    pub entry: Entry,
    /// The hash of the record before it, [`Sha256::ZERO`] for the first.
    pub prev_hash: Sha256,
}

impl Record {
    /// The bytes that its hash and its leaf are made of: its fields in order, so that whoever has an export can make them.
    ///
    /// A field is its length in 8 bytes, then its bytes; numbers have 8 bytes and the highest comes first, times are seconds
    /// since 1970. An optional field is a byte 0 if there is none, and a byte 1 and the field if there is one. The fields are:
    /// the text `dc-audit-v1`; `seq`; `time`; `node`; `actor`; `action`; optional `name`; optional `spki_sha256`; optional
    /// `credential_sha256`; optional `zone`; optional `expires`; `prev_hash`. Hashes have 32 bytes, texts are UTF-8. If there is a
    /// `detail_sha256`, the text is `dc-audit-v2`, and it stands as a field in front of `prev_hash`. If there is a `reason` or a
    /// `scope`, the text is `dc-audit-v3`, and in front of `prev_hash` stand: optional `detail_sha256`; optional `reason`; optional
    /// `scope`.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        let Self {
            seq,
            entry,
            prev_hash,
        } = self;
        let Entry {
            time,
            node,
            actor,
            action,
            name,
            spki_sha256,
            credential_sha256,
            zone,
            expires,
            detail_sha256,
            reason,
            scope,
        } = entry;
        let mut fields = Fields(Vec::with_capacity(TYPICAL_LEN));
        let is_explained = reason.is_some() || scope.is_some();
        // Records without these are as they were before there were any.
        fields.field(match detail_sha256 {
            _ if is_explained => b"dc-audit-v3",
            None => b"dc-audit-v1",
            Some(_) => b"dc-audit-v2",
        });
        fields.field(&seq.to_be_bytes());
        fields.field(&time.as_secs().to_be_bytes());
        fields.field(node.as_bytes());
        fields.field(actor.as_bytes());
        fields.field(action.as_str().as_bytes());
        fields.option(name.as_ref().map(String::as_bytes));
        fields.option(spki_sha256.as_ref().map(|hash| &hash.as_bytes()[..]));
        fields.option(credential_sha256.as_ref().map(|hash| &hash.as_bytes()[..]));
        fields.option(zone.as_ref().map(String::as_bytes));
        fields.option(
            expires
                .map(|time| time.as_secs().to_be_bytes())
                .as_ref()
                .map(|secs| &secs[..]),
        );
        if is_explained {
            fields.option(detail_sha256.as_ref().map(|hash| &hash.as_bytes()[..]));
            fields.option(reason.as_ref().map(String::as_bytes));
            fields.option(scope.as_ref().map(String::as_bytes));
        } else if let Some(detail) = detail_sha256 {
            fields.field(detail.as_bytes());
        }
        fields.field(prev_hash.as_bytes());
        fields.0
    }

    /// SHA-256 of [`Self::encoded`], which the next record has as its `prev_hash`.
    #[must_use]
    pub fn hash(&self) -> Sha256 {
        Sha256::of(&self.encoded())
    }

    /// The hash that stands for it in the Merkle tree over the log, at the index `seq - 1`: that of the record
    /// [`Self::encoded`] (RFC 9162 §2.1.1).
    #[must_use]
    pub fn leaf(&self) -> Hash {
        Hash::of_record(&self.encoded())
    }
}

/// The end of an audit log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// The place of the last record; 0 if there is none.
    pub seq: u64,
    /// Its hash.
    pub hash: Sha256,
}

impl Head {
    /// Of a log with no records.
    pub const EMPTY: Self = Self {
        seq: 0,
        hash: Sha256::ZERO,
    };

    /// Puts an entry at the end of the log. A time that no database can hold is the last one that
    /// it can.
    pub fn append(&mut self, mut entry: Entry) -> Record {
        entry.time = entry.time.min(LAST);
        entry.expires = entry.expires.map(|time| time.min(LAST));
        let record = Record {
            seq: self.seq + 1,
            entry,
            prev_hash: self.hash,
        };
        (self.seq, self.hash) = (record.seq, record.hash());
        record
    }

    /// Checks that a record is the next one of the log, and moves on to it.
    ///
    /// Fails with [`Error::AuditSequence`] and [`Error::AuditLink`].
    pub fn follow(&mut self, record: &Record) -> Result<(), Error> {
        let expected = self.seq.saturating_add(1);
        if record.seq != expected {
            let found = record.seq;
            return Err(Error::AuditSequence { expected, found });
        }
        if record.prev_hash != self.hash {
            return Err(Error::AuditLink { seq: self.seq });
        }
        (self.seq, self.hash) = (record.seq, record.hash());
        Ok(())
    }
}

/// The last second of the year 9999, behind which no certificate ends: who reads a time adds to it.
pub(crate) const LAST: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(253_402_300_799));

/// Of a record of an issuance.
const TYPICAL_LEN: usize = 384;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> impl Strategy<Value = Entry> {
        let hash = || proptest::option::of(any::<[u8; 32]>().prop_map(Sha256::from_bytes));
        let text = || proptest::option::of("[a-z.]{0,8}");
        let action = proptest::sample::select(Action::ALL);
        let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let about = (
            text(),
            hash(),
            hash(),
            text(),
            proptest::option::of(any::<u64>()),
            hash(),
            text(),
            text(),
        );
        (any::<u64>(), "[a-z]{0,4}", "[a-z:]{0,9}", action, about).prop_map(
            move |(
                seconds,
                node,
                actor,
                action,
                (name, spki, credential, zone, expires, detail, reason, scope),
            )| Entry {
                time: time(seconds),
                node,
                actor,
                action,
                name,
                spki_sha256: spki,
                credential_sha256: credential,
                zone,
                expires: expires.map(time),
                detail_sha256: detail,
                reason,
                scope,
            },
        )
    }

    fn log(entries: Vec<Entry>) -> (Vec<Record>, Head) {
        let mut head = Head::EMPTY;
        let records = entries.into_iter().map(|entry| head.append(entry));
        (records.collect(), head)
    }

    /// Walks a log as a verifier does who knows where it must end.
    fn walk(records: &[Record], end: Head) -> Result<(), Error> {
        let mut head = Head::EMPTY;
        for record in records {
            head.follow(record)?;
        }
        match head == end {
            true => Ok(()),
            false => Err(Error::AuditLink { seq: head.seq }),
        }
    }

    /// The documented encoding of a record's end, field by field.
    #[test]
    fn each_encoding_is_as_it_is_documented() {
        let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap().to_be_bytes();
        let field = |bytes: &[u8]| [&length(bytes)[..], bytes].concat();
        let some = |bytes: &[u8]| [&[1][..], &field(bytes)].concat();
        let (none, zero) = (vec![0], field(&[0; 32]));
        let detail = Sha256::of(b"detail");
        let reason = "NOC-4711".to_owned();
        let scope = "all rows=2".to_owned();
        let cases = [
            (None, None, None, "dc-audit-v1", Vec::new()),
            (
                Some(detail),
                None,
                None,
                "dc-audit-v2",
                field(detail.as_bytes()),
            ),
            (
                None,
                Some(&reason),
                None,
                "dc-audit-v3",
                [&none[..], &some(reason.as_bytes()), &none].concat(),
            ),
            (
                Some(detail),
                Some(&reason),
                Some(&scope),
                "dc-audit-v3",
                [
                    some(detail.as_bytes()),
                    some(reason.as_bytes()),
                    some(scope.as_bytes()),
                ]
                .concat(),
            ),
            (
                None,
                None,
                Some(&scope),
                "dc-audit-v3",
                [&none[..], &none, &some(scope.as_bytes())].concat(),
            ),
        ];
        for (detail_sha256, reason, scope, version, end) in cases {
            let record = Record {
                seq: 7,
                entry: Entry {
                    time: UnixTime::since_unix_epoch(Duration::from_secs(9)),
                    node: "n".to_owned(),
                    actor: "a".to_owned(),
                    action: Action::Suspend,
                    name: Some("d".to_owned()),
                    spki_sha256: None,
                    credential_sha256: None,
                    zone: None,
                    expires: Some(UnixTime::since_unix_epoch(Duration::from_secs(1))),
                    detail_sha256,
                    reason: reason.cloned(),
                    scope: scope.cloned(),
                },
                prev_hash: Sha256::ZERO,
            };
            let expected = [
                field(version.as_bytes()),
                field(&7_u64.to_be_bytes()),
                field(&9_u64.to_be_bytes()),
                field(b"n"),
                field(b"a"),
                field(b"suspend"),
                some(b"d"),
                none.clone(),
                none.clone(),
                none.clone(),
                some(&1_u64.to_be_bytes()),
                end,
                zero.clone(),
            ];
            assert_eq!(record.encoded(), expected.concat(), "{version}");
        }
    }

    proptest! {
        #[test]
        fn what_was_appended_is_what_is_followed(entries in proptest::collection::vec(entry(), 0..9)) {
            let (records, head) = log(entries);
            prop_assert_eq!(walk(&records, head), Ok(()));
        }

        #[test]
        fn a_record_that_was_changed_breaks_the_chain(
            entries in proptest::collection::vec(entry(), 1..9),
            other in entry(),
            place: proptest::sample::Index,
        ) {
            let (mut records, head) = log(entries);
            let record = place.get_mut(&mut records);
            prop_assume!(record.entry != other);
            record.entry = other;
            prop_assert!(walk(&records, head).is_err());
        }

        #[test]
        fn a_record_that_was_removed_breaks_the_chain(
            entries in proptest::collection::vec(entry(), 1..9),
            place: proptest::sample::Index,
        ) {
            let (mut records, head) = log(entries);
            records.remove(place.index(records.len()));
            prop_assert!(walk(&records, head).is_err());
        }

        #[test]
        fn records_that_changed_places_break_the_chain(
            entries in proptest::collection::vec(entry(), 2..9),
            place: proptest::sample::Index,
        ) {
            let (mut records, head) = log(entries);
            let first = place.index(records.len() - 1);
            records.swap(first, first + 1);
            prop_assert!(walk(&records, head).is_err());
        }

        #[test]
        fn entries_that_differ_have_other_hashes(a in entry(), b in entry()) {
            prop_assume!(a != b);
            prop_assert_ne!(Head::EMPTY.clone().append(a).hash(), Head::EMPTY.clone().append(b).hash());
        }
    }

    #[test]
    fn an_empty_field_is_not_a_missing_one() {
        let mut record = log(vec![Entry {
            time: UnixTime::since_unix_epoch(Duration::ZERO),
            node: String::new(),
            actor: String::new(),
            action: Action::Add,
            name: None,
            spki_sha256: None,
            credential_sha256: None,
            zone: None,
            expires: None,
            detail_sha256: None,
            reason: None,
            scope: None,
        }])
        .0
        .remove(0);
        let missing = record.hash();
        record.entry.name = Some(String::new());
        assert_ne!(record.hash(), missing);
    }

    #[test]
    fn records_are_encoded_as_they_always_were() {
        let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let mut record = Record {
            seq: 7,
            entry: Entry {
                time: time(1_800_000_000),
                node: "node-1".into(),
                actor: "device".into(),
                action: Action::Issue,
                name: Some("k3v.cpe.example.com".into()),
                spki_sha256: Some(Sha256::from_bytes([1; 32])),
                credential_sha256: Some(Sha256::from_bytes([2; 32])),
                zone: None,
                expires: Some(time(1_800_590_400)),
                detail_sha256: None,
                reason: None,
                scope: None,
            },
            prev_hash: Sha256::from_bytes([3; 32]),
        };
        // Made in Python by the documentation of `encoded`.
        let (hash, leaf) = (
            "1109baf83493df7ea879fda10fae4d81cff422a42dee8a3a4b3d89421f05ac24",
            "5N04lbHkiccTKmZuJv4MW0ibMQ3DbuwJOMI1RwJd2C8=",
        );
        assert_eq!(record.hash().to_string(), hash);
        assert_eq!(record.leaf().to_string(), leaf);
        record.entry.detail_sha256 = Some(Sha256::from_bytes([4; 32]));
        let hash = "455547c7ae5e9bdc25cebf60272647086c68edd8102e27b4f09fabbd3b006d46";
        assert_eq!(record.hash().to_string(), hash);
        record.entry.reason = Some("NOC-4711, Köln".into());
        let hash = "aa96590bd76c7929332826e055d0b049e781e4e8bbd681418830cfbf611d2983";
        assert_eq!(record.hash().to_string(), hash);
    }

    #[test]
    fn actions_are_read_as_they_are_written() {
        for action in Action::ALL {
            assert_eq!(action.as_str().parse::<Action>(), Ok(*action));
        }
        assert_eq!("".parse::<Action>(), Err(Error::BadAction));
    }
}

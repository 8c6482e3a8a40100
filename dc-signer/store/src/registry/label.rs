//! Names that are derived: stable for a device, unlinkable to it without the key.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use dc_core::UniqueName;
use ring::hmac;

use super::ExternalId;
use dc_pki::names::ZoneName;

/// The key that names are derived with. Whoever has it can link names to external ids.
pub struct NameKey(hmac::Key);

/// The input that a name is derived from.
#[derive(Clone, Copy, Debug)]
pub struct NameInput<'a> {
    /// Whose signer it is, from the configuration.
    pub tenant: &'a str,
    /// The vendor's name for the device or customer.
    pub external_id: &'a ExternalId,
    /// Which of the customer's devices it is.
    pub slot: u32,
    /// How often the device got a new name.
    pub epoch: u32,
}

impl NameKey {
    /// From 32 random bytes.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The name under a zone: 130 bits of HMAC-SHA-256 as its first label.
    ///
    /// Never fails in practice: a zone leaves room for the label.
    pub fn name(
        &self,
        zone: &ZoneName,
        input: &NameInput<'_>,
    ) -> Result<UniqueName<'static>, dc_core::Error> {
        let name = format!("{}.{zone}", self.label(input));
        UniqueName::try_from(name.as_str()).map(UniqueName::into_owned)
    }

    fn label(&self, input: &NameInput<'_>) -> String {
        let NameInput {
            tenant,
            external_id,
            slot,
            epoch,
        } = input;
        let mut context = hmac::Context::with_key(&self.0);
        let slot = slot.to_be_bytes();
        let epoch = epoch.to_be_bytes();
        for field in [
            b"dc-name-v1",
            tenant.as_bytes(),
            external_id.as_str().as_bytes(),
            &slot,
            &epoch,
        ] {
            // The length in front keeps ("ab", "c") and ("a", "bc") apart.
            let len = u64::try_from(field.len()).unwrap_or(u64::MAX);
            context.update(&len.to_be_bytes());
            context.update(field);
        }
        let mut label = BASE32_NOPAD
            .encode(context.sign().as_ref())
            .to_ascii_lowercase();
        label.truncate(LABEL_LEN);
        label
    }
}

impl fmt::Debug for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameKey(..)")
    }
}

/// Five bits a character: 130 bits.
const LABEL_LEN: usize = 26;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn input<'a>(tenant: &'a str, external_id: &'a ExternalId) -> NameInput<'a> {
        NameInput {
            tenant,
            external_id,
            slot: 0,
            epoch: 0,
        }
    }

    #[test]
    fn a_name_is_the_same_every_time_and_another_one_for_each_field() {
        let key = NameKey::new(&[1; 32]);
        let (id, other_id) = ("c-1".parse().unwrap(), "c-2".parse().unwrap());
        let zone = ZoneName::parse("cpe.example.com").unwrap();
        let base = input("default", &id);
        let name = |key: &NameKey, input| key.name(&zone, &input).unwrap();
        let first = name(&key, base);
        assert_eq!(first, name(&key, base));
        assert!(first.covered_by(&zone.wildcard()));
        assert_eq!(first.as_str().find('.'), Some(26));
        let others = [
            name(&key, input("other", &id)),
            name(&key, input("default", &other_id)),
            name(&key, NameInput { slot: 1, ..base }),
            name(&key, NameInput { epoch: 1, ..base }),
            name(&NameKey::new(&[2; 32]), base),
        ];
        assert!(others.iter().all(|other| *other != first));
    }

    #[test]
    fn the_label_is_what_anybody_with_the_key_computes() {
        // python3: hmac.new(bytes(32), b''.join(len(f).to_bytes(8,'big')+f for f in fields),
        // 'sha256')
        let id = "customer-1".parse().unwrap();
        let label = NameKey::new(&[0; 32]).label(&input("default", &id));
        assert_eq!(label, "hpqndsjaalrcdtjtduvzbtegnm");
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", NameKey::new(&[7; 32])), "NameKey(..)");
    }

    proptest! {
        #[test]
        fn fields_do_not_run_into_each_other(text in "[a-z]{2,20}", cut in 1usize..19) {
            prop_assume!(cut + 1 < text.len());
            let key = NameKey::new(&[1; 32]);
            let (left, right) = text.split_at(cut);
            let (longer, shorter) = text.split_at(cut + 1);
            let (right, shorter) = (right.parse().unwrap(), shorter.parse().unwrap());
            prop_assert_ne!(key.label(&input(left, &right)), key.label(&input(longer, &shorter)));
        }
    }
}

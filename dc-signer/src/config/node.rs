//! A value of a TOML file as serde reads it, with errors in our words.

use std::fmt::Display;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error, Expected, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use toml::de::DeValue;

use super::error::KeyErrorKind;

/// A value that is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'t>(pub(super) &'t DeValue<'t>);

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = KeyErrorKind;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, KeyErrorKind> {
        match self.0 {
            DeValue::String(text) => visitor.visit_str(text),
            DeValue::Integer(number) => {
                let number = i128::from_str_radix(number.as_str(), number.radix());
                // A longer one is beyond every limit too.
                visitor.visit_i128(number.unwrap_or(i128::MAX))
            }
            DeValue::Boolean(flag) => visitor.visit_bool(*flag),
            // Nothing takes them, whatever they are.
            DeValue::Float(_) => visitor.visit_f64(0.0),
            DeValue::Datetime(_) => visitor.visit_unit(),
            DeValue::Array(array) => {
                let items = array.iter().map(|item| Node(item.get_ref()));
                visitor.visit_seq(SeqDeserializer::new(items))
            }
            DeValue::Table(table) => {
                let keys = table.iter();
                let keys = keys.map(|(key, value)| (key.get_ref().as_ref(), Node(value.get_ref())));
                visitor.visit_map(MapDeserializer::new(keys))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, KeyErrorKind> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, KeyErrorKind> {
        match self.0.as_str() {
            Some(word) => visitor.visit_enum(word.into_deserializer()),
            None => self.deserialize_any(visitor),
        }
    }

    /// A table alone: serde would take a list as well, by position.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, KeyErrorKind> {
        match self.0 {
            DeValue::Array(_) => Err(Error::invalid_type(Unexpected::Seq, &visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq
        tuple tuple_struct map identifier ignored_any
    }
}

impl IntoDeserializer<'_, KeyErrorKind> for Node<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Error for KeyErrorKind {
    fn custom<T: Display>(reason: T) -> Self {
        Self::Unfit(reason.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        let wanted = match wanted.to_string().as_str() {
            "a boolean" => "true or false".to_owned(),
            "a sequence" => "a list of tables, each begun with [[…]]".to_owned(),
            wanted => wanted.to_owned(),
        };
        let found = match found {
            Unexpected::Str(_) => "a text",
            Unexpected::Float(_) => "a number with a point",
            Unexpected::Bool(_) => "true or false",
            Unexpected::Unit => "a date",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a table",
            // serde has no name for numbers of more than 64 bits.
            _ => "a whole number",
        };
        Self::Unfit(format!("is {found}: it has to be {wanted}"))
    }

    fn missing_field(key: &'static str) -> Self {
        let is_its = |line: &&&str| line.split(" = ").next() == Some(key);
        let example = EXAMPLES.iter().find(is_its).copied().unwrap_or_default();
        Self::Missing { key, example }
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        let nearest = nearest(key, known);
        Self::Unknown { known, nearest }
    }

    fn unknown_variant(given: &str, words: &'static [&'static str]) -> Self {
        let words: Vec<_> = words.iter().map(|given| format!("{given:?}")).collect();
        let words = words.join(" or ");
        Self::Unfit(format!("is {given:?}: it has to be {words}"))
    }
}

/// The known key that needs the fewest changes, if that is at most a third of its letters.
fn nearest(given: &str, known: &[&'static str]) -> Option<&'static str> {
    let mut renamed = RENAMED.iter().filter(|(old, _)| *old == given);
    if let Some((_, new)) = renamed.find(|(_, new)| known.contains(new)) {
        return Some(new);
    }
    known
        .iter()
        .map(|key| (strsim::levenshtein(given, key), *key))
        .filter(|(changes, key)| changes * 3 <= key.len().max(6))
        .min()
        .map(|(_, key)| key)
}

/// Tables that had another name, which is nearer to another table's.
const RENAMED: &[(&str, &str)] = &[("renewal", "certificate_renewal")];

/// Lines that could stand there, for the keys that have to be there.
pub(super) const EXAMPLES: &[&str] = &[
    "data = \"/var/lib/dc-signer\"",
    "address = \"[::]:8443\"",
    "proxies = [\"10.0.0.7\"]",
    "certificate = \"/etc/dc-signer/tls/chain.pem\"",
    "key = \"/etc/dc-signer/tls/key.pem\"",
    "name = \"acme\"",
    "anchors = \"acme.pem\"",
    "roots = \"roots.pem\"",
    "directory = \"https://acme.example.com/directory\"",
    "command = [\"/usr/local/bin/order\"]",
    "kid = \"customer-1\"",
    "hmac = { credential = \"acme-eab\" }",
    "zone = \"cpe.example.com\"",
    "of = \"signer\"",
    "start = \"5d\"",
    "length = \"72h\"",
    "found = \"20d\"",
    "socket = \"/run/dc-keyd/socket\"",
    "state = \"/var/lib/dc-keyd\"",
    "user = \"dc-signer\"",
    "folder = \"cpe.example.com\"",
    "origin = \"signer.example.com/audit\"",
    "url = \"https://audit.example.com/checkpoints\"",
];

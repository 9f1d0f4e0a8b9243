//! The options of one provider: a table that only the provider can decode.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

use crate::spec::decode::decode_along_schema;
use crate::spec::tree::Node;
use crate::spec::{KeyPath, Origin, ProviderName, SpecError, SpecErrorKind, SpecErrors};

/// The table named like the provider, not yet decoded, each value with its origin.
///
/// Two are equal when provider and values are; where the values came from does not count.
#[derive(Clone, Debug)]
pub struct ProviderOptions {
    provider: ProviderName,
    table: Node,
}

impl ProviderOptions {
    /// No options.
    pub fn empty(provider: ProviderName) -> Self {
        Self { provider, table: Node::empty(&Origin::built_in()) }
    }

    pub(crate) fn new(provider: ProviderName, table: Option<Node>) -> Self {
        match table {
            Some(table) => Self { provider, table },
            None => Self::empty(provider),
        }
    }

    /// The provider they are for.
    pub fn provider(&self) -> &ProviderName {
        &self.provider
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.table.table().is_some_and(std::collections::BTreeMap::is_empty)
    }

    /// Decodes the options. Unknown keys, wrong types and refused values are reported together, with their places.
    ///
    /// `T` gives each option its default: `#[serde(default, deny_unknown_fields)]`.
    pub fn decode<T: DeserializeOwned + JsonSchema + Default>(&self) -> Result<T, SpecErrors> {
        if self.is_empty() {
            return Ok(T::default());
        }
        let mut table = self.table.clone();
        let (value, findings) = decode_along_schema(&mut table, &self.base());
        SpecErrors::check(findings.errors)?;
        Ok(value.unwrap_or_default())
    }

    /// An error about the option at `path`, dotted, inside the table: for the provider's own checks.
    pub fn error(&self, path: &str, message: impl Into<String>, hint: Option<String>) -> SpecError {
        let inner = KeyPath::dotted(path);
        let node = self.table.get_or_enclosing(&inner);
        SpecError {
            kind: SpecErrorKind::InvalidValue,
            path: self.base().join(&inner),
            message: message.into(),
            hint,
            origin: (node.origin != Origin::built_in()).then(|| node.origin.clone()),
        }
    }

    fn base(&self) -> KeyPath {
        KeyPath::root().key(self.provider.as_str())
    }
}

impl PartialEq for ProviderOptions {
    fn eq(&self, other: &Self) -> bool {
        self.provider == other.provider && self.table.to_json() == other.table.to_json()
    }
}

impl Eq for ProviderOptions {}

impl Serialize for ProviderOptions {
    /// The values alone, with sorted keys.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.table.to_json().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::spec::tree::file_layer;

    #[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Options {
        vpc: Vpc,
        admins: Vec<Admin>,
        roles: BTreeMap<String, Admin>,
        zones: BTreeMap<String, u8>,
        speed: Option<Speed>,
        addresses: Vec<std::net::Ipv4Addr>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Vpc {
        cidr: Option<String>,
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Admin {
        arn: String,
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Speed {
        Fast,
        Slow,
    }

    fn options(text: &str) -> ProviderOptions {
        let table = Node::parse(&file_layer("t.toml".into(), text), text).unwrap();
        ProviderOptions::new("eks".parse().unwrap(), Some(table))
    }

    fn errors(text: &str) -> Vec<(String, SpecErrorKind)> {
        let errors = options(text).decode::<Options>().unwrap_err().errors;
        assert!(errors.iter().all(|error| error.origin.as_ref().is_some_and(|origin| origin.span.is_some())));
        errors.into_iter().map(|error| (error.path.to_string(), error.kind)).collect()
    }

    #[test]
    fn no_table_and_no_keys_give_the_defaults() {
        let empty = ProviderOptions::empty("eks".parse().unwrap());
        assert!(empty.is_empty());
        assert_eq!(empty.decode::<Options>().unwrap(), Options::default());
    }

    #[test]
    fn options_are_decoded() {
        let text = "vpc.cidr = \"10.0.0.0/16\"\nadmins = [{ arn = \"a\" }]\nspeed = \"fast\"\nzones = { a = 1 }";
        let decoded = options(text).decode::<Options>().unwrap();
        assert_eq!(decoded.vpc.cidr.as_deref(), Some("10.0.0.0/16"));
        assert_eq!((decoded.admins.len(), decoded.zones["a"], decoded.speed), (1, 1, Some(Speed::Fast)));
    }

    #[test]
    fn all_mistakes_are_reported_together_with_their_paths() {
        use SpecErrorKind::{InvalidValue, UnknownKey, WrongType};
        let text = "vpc = { cird = \"x\" }\nadmins = [{ arn = 1 }, { name = \"b\" }]\nspeed = \"fats\"\nzones = { a = 300 }\naddresses = [\"10.0.0\", \"10.0.0.1\", \"x\"]\n";
        let expected = [
            ("eks.vpc.cird", UnknownKey),
            ("eks.admins[0].arn", WrongType),
            ("eks.admins[1].name", UnknownKey),
            ("eks.speed", InvalidValue),
            ("eks.zones.a", InvalidValue),
            ("eks.addresses[0]", InvalidValue),
            ("eks.addresses[2]", InvalidValue),
        ];
        assert_eq!(errors(text), expected.map(|(path, kind)| (path.to_owned(), kind)));
    }

    #[test]
    fn a_key_that_is_wrong_is_not_also_missing() {
        assert_eq!(errors("roles = { a = { arn = 1 } }"), [("eks.roles.a.arn".to_owned(), SpecErrorKind::WrongType)]);
        assert_eq!(errors("roles = { a = {} }"), [("eks.roles.a".to_owned(), SpecErrorKind::InvalidValue)]);
    }

    #[test]
    fn a_missing_key_of_an_element_is_reported_at_the_element() {
        assert_eq!(
            errors("admins = [{ arn = \"a\" }, {}]"),
            [("eks.admins[1]".to_owned(), SpecErrorKind::InvalidValue)]
        );
    }

    #[test]
    fn a_check_of_the_provider_points_at_the_value() {
        let options = options("vpc = { cidr = \"10.0.0.0/30\" }");
        let error = options.error("vpc.cidr", "the network is too small", None);
        assert_eq!(error.to_string(), "t.toml:1:16: eks.vpc.cidr: the network is too small");
        assert_eq!(options.error("vpc.other", "m", None).origin.unwrap().span.unwrap().column, 7);
        assert_eq!(ProviderOptions::empty("eks".parse().unwrap()).error("a", "m", None).to_string(), "eks.a: m");
    }

    #[test]
    fn equality_and_serialisation_ignore_places() {
        let (one, other) =
            (options("vpc.cidr = \"a\"\nspeed = \"fast\""), options("speed = \"fast\"\n\n[vpc]\ncidr = \"a\""));
        assert_eq!(one, other);
        assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&other).unwrap());
        assert_ne!(one, options("speed = \"slow\""));
    }
}

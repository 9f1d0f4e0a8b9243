//! Names and keys, valid in the strictest cloud, checked where they enter.

use crate::spec::Invalid;

/// Defines a newtype over [`String`] whose only way in is the check.
macro_rules! checked_string {
    ($(#[$meta:meta])* $name:ident, $check:path) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::spec::Invalid;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}
pub(crate) use checked_string;

checked_string! {
    /// The cluster's name: a lower-case letter, then at most 31 lower-case letters, digits and hyphens, the last of
    /// which is no hyphen. This is valid on every platform (k3d allows 32 characters, GKE 40 in lower case).
    ClusterName, check_cluster_name
}

checked_string! {
    /// The platform, for example `eks`. Which ones exist is known to the registry of providers, not here.
    ProviderName, check_provider_name
}

checked_string! {
    /// The place in the platform's own words: a region or zone, for example `us-east-1`.
    Location, check_location
}

checked_string! {
    /// The name of a worker pool: a lower-case letter, then at most 11 lower-case letters and digits (the rule of AKS,
    /// the strictest platform).
    PoolName, check_pool_name
}

checked_string! {
    /// A container image with its registry, and its tag or digest, as far as its letters go: what is there, only a node finds out.
    ImageName, check_image_name
}

checked_string! {
    /// The key of a tag on everything that is created.
    TagKey, check_tag_key
}

impl PoolName {
    /// What the pool is called on the platform: `worker` for the pool `default`, else its own name.
    pub fn node_pool_name(&self) -> &str {
        if self.0 == "default" { "worker" } else { &self.0 }
    }
}

fn is_lower_or_digit(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn check_cluster_name(text: &str) -> Result<(), Invalid> {
    let fits = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| is_lower_or_digit(c) || c == '-')
        && !text.ends_with('-')
        && text.len() <= 32;
    let rule = "a lower-case letter, then up to 31 lower-case letters, digits and hyphens, not ending with a hyphen";
    if fits {
        Ok(())
    } else if text.len() > 32 {
        Err(Invalid::new(format!("`{text}` is {} characters long, the limit is 32", text.chars().count()), rule))
    } else {
        Err(Invalid::new(format!("`{text}` is not a cluster name"), rule))
    }
}

fn check_provider_name(text: &str) -> Result<(), Invalid> {
    let fits =
        text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(|c| is_lower_or_digit(c) || c == '-');
    if fits && text.len() <= 32 {
        Ok(())
    } else {
        Err(Invalid::new(format!("`{text}` is not the name of a provider"), "a name such as \"eks\", in lower case"))
    }
}

fn check_image_name(text: &str) -> Result<(), Invalid> {
    let is_edge = |edge: Option<char>| edge.is_some_and(|edge| edge.is_ascii_alphanumeric());
    let fits = text.len() <= 255
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._:@/-".contains(c))
        && is_edge(text.chars().next())
        && is_edge(text.chars().next_back());
    if fits {
        return Ok(());
    }
    Err(Invalid::new(
        format!("`{}` is not the name of an image", text.escape_debug()),
        "registry, name and tag, for example \"registry.example.com/howso/worker:1.2\"",
    ))
}

fn check_location(text: &str) -> Result<(), Invalid> {
    if !text.is_empty() && text.len() <= 64 && text.chars().all(|c| is_lower_or_digit(c) || c == '-') {
        Ok(())
    } else {
        Err(Invalid::new(
            format!("`{text}` is not a region"),
            "the provider's own spelling: lower-case letters, digits and hyphens, for example \"us-east-1\"",
        ))
    }
}

fn check_pool_name(text: &str) -> Result<(), Invalid> {
    if text == "core" {
        return Err(Invalid::new("`core` is the name of the core pool", "another name, for example \"large\""));
    }
    let fits =
        text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(is_lower_or_digit) && text.len() <= 12;
    if fits {
        Ok(())
    } else {
        Err(Invalid::new(
            format!("`{text}` is not the name of a pool"),
            "a lower-case letter, then up to 11 lower-case letters and digits",
        ))
    }
}

/// Tag keys that belong to the cloud, to this program or to Kubernetes.
const RESERVED_TAG_PREFIXES: [&str; 3] = ["aws:", "howso-infra/", "kubernetes.io/cluster"];

fn check_tag_key(text: &str) -> Result<(), Invalid> {
    // The cloud compares `aws:` without regard to case, so every prefix is compared like that.
    let lower = text.to_ascii_lowercase();
    if let Some(prefix) = RESERVED_TAG_PREFIXES.iter().find(|prefix| lower.starts_with(**prefix)) {
        return Err(Invalid::new(
            format!("tag keys beginning with `{prefix}` are reserved"),
            "any other key of 1 to 128 characters",
        ));
    }
    if text.is_empty() || text.chars().count() > 128 || text.chars().any(char::is_control) || text.trim() != text {
        return Err(Invalid::new(
            format!("`{}` is not a tag key", text.escape_debug()),
            "1 to 128 characters, none of them a control character, no space at either end",
        ));
    }
    Ok(())
}

/// Checks the value of a tag: at most 256 characters, none of them a control character.
pub(crate) fn check_tag_value(text: &str) -> Result<(), Invalid> {
    if text.chars().count() <= 256 && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(Invalid::new("this is not a tag value", "at most 256 characters, none of them a control character"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts<T: std::str::FromStr<Err = Invalid> + std::fmt::Display>(good: &[&str], bad: &[&str]) {
        for text in good {
            let parsed = text.parse::<T>().unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!(parsed.to_string(), *text);
        }
        for text in bad {
            let error = text.parse::<T>().err().unwrap_or_else(|| panic!("{text:?} was accepted"));
            assert!(error.hint.is_some(), "{text:?} has no hint");
        }
    }

    #[test]
    fn cluster_names_are_valid_in_the_strictest_cloud() {
        let (longest, too_long) = ("a".repeat(32), "a".repeat(33));
        accepts::<ClusterName>(
            &["a", "howso", "howso-2", "h0", &longest],
            &["", "-a", "a-", "2a", "Howso", "howso_1", "höwso", "a b", &too_long],
        );
    }

    #[test]
    fn a_cluster_name_that_is_too_long_is_told_its_length() {
        let error = "a".repeat(40).parse::<ClusterName>().unwrap_err();
        assert!(error.message.contains("40 characters"), "{error}");
    }

    #[test]
    fn pool_names_are_short_lower_case_and_not_core() {
        accepts::<PoolName>(
            &["default", "worker", "w2", "abcdefghijkl"],
            &["", "core", "2w", "a-b", "A", "abcdefghijklm"],
        );
    }

    #[test]
    fn the_default_pool_is_called_worker_on_the_platform() {
        assert_eq!("default".parse::<PoolName>().unwrap().node_pool_name(), "worker");
        assert_eq!("large".parse::<PoolName>().unwrap().node_pool_name(), "large");
    }

    #[test]
    fn locations_and_providers_are_lower_case_words() {
        accepts::<Location>(&["us-east-1", "westeurope"], &["", "US-East-1", "us east", "us_east"]);
        accepts::<ProviderName>(&["eks", "k3d"], &["", "EKS", "3k", "a.b"]);
    }

    #[test]
    fn reserved_and_malformed_tag_keys_are_refused() {
        let too_long = "k".repeat(129);
        accepts::<TagKey>(
            &["team", "cost center", "Owner:Mail", "awsome"],
            &[
                "",
                "aws:x",
                "AWS:x",
                "howso-infra/x",
                "Howso-Infra/x",
                "kubernetes.io/cluster/x",
                " a",
                "a\n",
                &too_long,
            ],
        );
    }

    #[test]
    fn tag_values_may_be_empty_but_not_endless() {
        assert!(check_tag_value("").is_ok());
        assert!(check_tag_value(&"v".repeat(256)).is_ok());
        assert!(check_tag_value(&"v".repeat(257)).is_err());
        assert!(check_tag_value("a\tb").is_err());
    }
}

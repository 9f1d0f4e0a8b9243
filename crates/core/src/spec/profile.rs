//! Profiles: sizes of clusters that a specification builds on.

use camino::Utf8Path;

use crate::spec::schema_cursor::SchemaCursor;
use crate::spec::shape::settle_texts;
use crate::spec::suggest::nearest;
use crate::spec::tree::Value;
use crate::spec::{KeyPath, Layers, Origin, SpecError, SpecErrorKind, SpecErrors};

/// The names of the profiles that are built in, smallest first.
pub const EMBEDDED_PROFILES: [&str; 3] = ["small", "medium", "large"];

/// The profile when nothing names one: the cheapest.
pub const DEFAULT_PROFILE: &str = "small";

/// The text of a profile that is built in.
pub fn embedded_profile(name: &str) -> Option<&'static str> {
    match name {
        "small" => Some(include_str!("../../../../profiles/small.toml")),
        "medium" => Some(include_str!("../../../../profiles/medium.toml")),
        "large" => Some(include_str!("../../../../profiles/large.toml")),
        _ => None,
    }
}

/// Which profile to build on, and what said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileChoice {
    /// A name, or a path.
    pub name: String,
    /// The layer that chose it.
    pub origin: Origin,
}

impl ProfileChoice {
    /// The file that is meant, when a path was given: a text with a slash, or one that ends in `.toml`.
    pub fn as_path(&self) -> Option<&Utf8Path> {
        let is_path = self.name.contains('/') || self.name.to_ascii_lowercase().ends_with(".toml");
        is_path.then(|| Utf8Path::new(&self.name))
    }

    /// The error that there is no such profile among `known`.
    pub fn unknown<'a>(&self, known: impl IntoIterator<Item = &'a str> + Clone) -> SpecErrors {
        let hint = if let Some(near) = nearest(&self.name, known.clone()) {
            format!("did you mean \"{near}\"?")
        } else {
            let names: Vec<_> = known.into_iter().map(|name| format!("\"{name}\"")).collect();
            format!("there are {}, and files by path", names.join(", "))
        };
        SpecErrors::from(SpecError {
            kind: SpecErrorKind::UnknownProfile,
            path: KeyPath::dotted("profile"),
            message: format!("there is no profile \"{}\"", self.name),
            hint: Some(hint),
            origin: Some(self.origin.clone()),
        })
    }
}

/// Which profile `layers` name: flag, else environment, else file, else [`DEFAULT_PROFILE`].
///
/// The caller finds the profile's text and adds it with [`Layers::profile`].
pub fn profile_name(layers: &Layers) -> Result<ProfileChoice, SpecErrors> {
    let path = KeyPath::dotted("profile");
    let Some(node) = layers.highest(&path) else {
        return Ok(ProfileChoice { name: DEFAULT_PROFILE.to_owned(), origin: Origin::built_in() });
    };
    let mut node = node.clone();
    settle_texts(&mut node, &SchemaCursor::new(&serde_json::json!({ "type": "string" })));
    match &node.value {
        Value::String(name) if !name.is_empty() => {
            Ok(ProfileChoice { name: name.clone(), origin: node.origin.clone() })
        }
        _ => Err(SpecErrors::from(SpecError {
            kind: SpecErrorKind::WrongType,
            path,
            message: format!("expected the name or path of a profile, found {}", node.to_toml_text()),
            hint: Some("\"small\", \"medium\", \"large\", or the path of a file".to_owned()),
            origin: Some(node.origin.clone()),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::embedded_profile;

    #[test]
    fn every_listed_profile_is_embedded_and_nothing_else() {
        for name in EMBEDDED_PROFILES {
            assert!(embedded_profile(name).is_some_and(|text| text.contains("[core]")), "{name}");
        }
        assert!(embedded_profile("huge").is_none());
        assert!(EMBEDDED_PROFILES.contains(&DEFAULT_PROFILE));
    }

    #[test]
    fn flag_wins_over_environment_over_file_over_default() {
        let name = |layers: &Layers| profile_name(layers).unwrap().name;
        let layers = Layers::new();
        assert_eq!(name(&layers), "small");
        let layers = layers.file("a.toml".into(), "profile = \"medium\"").unwrap();
        assert_eq!(name(&layers), "medium");
        let layers = layers.environment([("HOWSO_INFRA_PROFILE".into(), "large".into())], &[]).unwrap();
        assert_eq!(name(&layers), "large");
        let layers = layers.flag("--profile", "profile", "./mine.toml").unwrap();
        let choice = profile_name(&layers).unwrap();
        assert_eq!(choice.as_path().unwrap(), "./mine.toml");
        assert_eq!(choice.origin.to_string(), "--profile");
    }

    #[test]
    fn a_profile_that_is_no_text_is_refused() {
        let layers = Layers::new().file("a.toml".into(), "profile = 3").unwrap();
        let errors = profile_name(&layers).unwrap_err();
        assert_eq!(errors.errors[0].kind, SpecErrorKind::WrongType);
        assert_eq!(errors.to_string().split(':').next(), Some("a.toml"));
    }

    #[test]
    fn an_unknown_profile_is_told_the_nearest_or_all() {
        let choice = |name: &str| ProfileChoice { name: name.into(), origin: Origin::built_in() };
        let hint = |name: &str| choice(name).unknown(EMBEDDED_PROFILES).errors[0].hint.clone().unwrap();
        assert_eq!(hint("lage"), "did you mean \"large\"?");
        assert!(hint("gigantic").contains("\"small\", \"medium\", \"large\""));
        assert_eq!(choice("large").as_path(), None);
    }
}

//! `profile`: which profiles there are, and where every value comes from.

use std::collections::BTreeMap;

use howso_infra::core::spec::{
    EMBEDDED_PROFILES, Explained, Layer, Layers, Origin, ProfileChoice, Resolved, SpecErrorKind, SpecErrors,
    profile_name, resolve,
};
use serde_json::{Value, json};

use super::Context;
use crate::arguments::{ProfileShowArguments, ProfileVerb};
use crate::failure::Failure;
use crate::settings::{self, Profile, find_profile, own_profiles};
use crate::view::Report;
use crate::view::style::{Style, lines};

/// Stands for values that a cluster needs and a profile need not have.
const UNSET: &str = "not set";

pub(super) fn run(context: &Context<'_>, verb: ProfileVerb) -> Result<(), Failure> {
    match verb {
        ProfileVerb::List => list(context),
        ProfileVerb::Show(arguments) => show(context, arguments),
    }
}

fn list(context: &Context<'_>) -> Result<(), Failure> {
    let own = own_profiles(context.machine)?;
    let mut profiles: Vec<(String, String)> = Vec::new();
    for name in EMBEDDED_PROFILES.into_iter().filter(|name| !own.contains_key(*name)) {
        profiles.push((name.to_owned(), "built in".to_owned()));
    }
    profiles.extend(own.into_iter().map(|(name, path)| (name, path.into_string())));
    context.console.data(&ProfileList(profiles));
    Ok(())
}

/// Names and where each comes from.
struct ProfileList(Vec<(String, String)>);

impl Report for ProfileList {
    fn kind(&self) -> &'static str {
        "profiles"
    }

    fn json(&self) -> Value {
        let profiles: Vec<Value> =
            self.0.iter().map(|(name, origin)| json!({ "name": name, "origin": origin })).collect();
        json!({ "profiles": profiles })
    }

    fn text(&self, style: Style) -> String {
        let width = self.0.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        lines(self.0.iter().map(|(name, origin)| format!("{name:<width$}  {}", style.dim(origin))))
    }
}

fn show(context: &Context<'_>, arguments: Box<ProfileShowArguments>) -> Result<(), Failure> {
    let ProfileShowArguments { profile_name: named, explain, mut spec } = *arguments;
    spec.profile = named.or(spec.profile);
    let layers = settings::layers(&spec, context.machine)?;
    if !explain {
        let choice = profile_name(&layers)?;
        let profile = find_profile(&choice, context.machine)?;
        context.console.data(&ProfileText { choice, profile });
        return Ok(());
    }
    let layers = settings::with_profile(layers, context.machine)?;
    let resolved = resolve_as_far_as_possible(context, layers)?;
    context.console.data(&Explanation(resolved.origins.explain()));
    Ok(())
}

/// What a cluster needs and nobody said yet is filled in, so that the rest can be explained.
pub(super) fn resolve_as_far_as_possible(context: &Context<'_>, layers: Layers) -> Result<Resolved, SpecErrors> {
    let schemas = context.registry.schemas();
    let errors = match resolve(&layers, &schemas) {
        Ok(resolved) => return Ok(resolved),
        Err(errors) => errors,
    };
    let fillings: BTreeMap<&str, &str> = [("name", "unset"), ("provider", "unset"), ("region", "unset")].into();
    let mut filled = layers;
    for error in errors.errors.iter().filter(|error| error.kind == SpecErrorKind::Missing) {
        let path = error.path.to_string();
        if let Some(filling) = fillings.get(path.as_str()) {
            filled = filled.flag(UNSET, &path, *filling)?;
        }
    }
    resolve(&filled, &schemas)
}

/// The text of a profile.
struct ProfileText {
    choice: ProfileChoice,
    profile: Profile,
}

impl Report for ProfileText {
    fn kind(&self) -> &'static str {
        "profile"
    }

    fn json(&self) -> Value {
        json!({ "name": self.choice.name, "path": self.profile.path, "text": self.profile.text })
    }

    fn text(&self, _style: Style) -> String {
        self.profile.text.clone()
    }
}

/// Every value with its origin.
struct Explanation(Vec<Explained>);

impl Explanation {
    fn is_unset(explained: &Explained) -> bool {
        matches!(&explained.origin.layer, Layer::Flag { flag } if flag == UNSET)
    }
}

impl Report for Explanation {
    fn kind(&self) -> &'static str {
        "explanation"
    }

    fn json(&self) -> Value {
        let value = |explained: &Explained| {
            let set = (!Self::is_unset(explained)).then_some((&explained.value, explained.origin.to_string()));
            let (value, origin) = set.unzip();
            json!({ "path": explained.path.to_string(), "value": value, "origin": origin })
        };
        json!({ "values": self.0.iter().map(value).collect::<Vec<_>>() })
    }

    fn text(&self, style: Style) -> String {
        const WIDTH_MAX: usize = 60;
        let assignment = |explained: &Explained| {
            if Self::is_unset(explained) {
                format!("# {} =", explained.path)
            } else {
                format!("{} = {}", explained.path, explained.value)
            }
        };
        let rows: Vec<(String, &Origin)> =
            self.0.iter().map(|explained| (assignment(explained), &explained.origin)).collect();
        let widths = rows.iter().map(|(assignment, _)| assignment.chars().count());
        let width = widths.filter(|width| *width <= WIDTH_MAX).max().unwrap_or(0);
        lines(
            rows.into_iter()
                .map(|(assignment, origin)| format!("{assignment:<width$}  {}", style.dim(&format!("# {origin}")))),
        )
    }
}

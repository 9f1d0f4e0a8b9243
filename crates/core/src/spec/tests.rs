//! Tests of the module as a whole: layers in, a specification or its mistakes out.

mod bad_inputs;
mod client;
mod precedence;
mod profiles;
mod reference;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::spec::{Layers, ProviderSchemas, Resolved, SpecErrors, embedded_profile, profile_name, resolve};

/// What a specification needs at least.
const MINIMAL: &str = "name = \"howso\"\nprovider = \"eks\"\nregion = \"us-east-1\"\n";

/// Options of a provider, as its crate would define them.
#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// The network.
    vpc: VpcOptions,
}

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct VpcOptions {
    /// Its addresses.
    cidr: Option<String>,
}

fn providers() -> ProviderSchemas {
    BTreeMap::from([
        ("eks".to_owned(), schemars::schema_for!(Options).into()),
        ("gke".to_owned(), schemars::Schema::from(true).into()),
    ])
}

/// Resolves `layers` as the command line does: the profile that they name, embedded, is added first.
fn resolve_layers(layers: Layers) -> Result<Resolved, SpecErrors> {
    let choice = profile_name(&layers)?;
    let text = embedded_profile(&choice.name).expect("the tests use profiles that are built in");
    resolve(&layers.profile(&choice.name, None, text)?, &providers())
}

/// Resolves a file over the profile it names.
fn resolve_file(text: &str) -> Result<Resolved, SpecErrors> {
    resolve_layers(Layers::new().file("howso-infra.toml".into(), text)?)
}

/// Resolves a file that is valid.
fn valid(text: &str) -> Resolved {
    resolve_file(text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Resolves what a file adds to the minimum.
fn valid_with(text: &str) -> Resolved {
    valid(&format!("{MINIMAL}{text}"))
}

//! What tests of several modules share.

use std::collections::BTreeMap;

use howso_infra_core::provider::Facts;
use howso_infra_core::spec::{
    ClusterSpec, Layers, ProviderSchema, ProviderSchemas, SpecErrors, embedded_profile, resolve,
};
use howso_infra_core::{Attributes, ClusterIdentity, DeploymentId, Generation};

use crate::facts::K3dFacts;
use crate::options::K3dOptions;

/// The specification of a profile with further lines of TOML.
pub(crate) fn specification(profile: &str, more: &str) -> Result<ClusterSpec, SpecErrors> {
    let schema = ProviderSchema { options: schemars::schema_for!(K3dOptions), only_location: Some("local") };
    let schemas = ProviderSchemas::from([("k3d".to_owned(), schema)]);
    let text = embedded_profile(profile).expect("the profile is embedded");
    let file = format!("name = \"demo\"\nprovider = \"k3d\"\n{more}");
    let layers = Layers::new().profile(profile, None, text)?.file("demo.toml".into(), &file)?;
    Ok(resolve(&layers, &schemas)?.spec)
}

/// A machine with 8 CPUs and 32 GiB, and these workers of the pool `worker`.
pub(crate) fn facts(workers: &[&str]) -> Facts {
    let workers = workers.iter().map(|name| (*name).to_owned()).collect();
    let facts = K3dFacts {
        cpus: 8,
        memory_mebibytes: 32 * 1024,
        http_port: 80,
        https_port: 8443,
        registry_port: 5000,
        workers: BTreeMap::from([("worker".to_owned(), workers)]),
        images: Attributes::new(),
        images_missing: Vec::new(),
    };
    Facts { values: facts.to_attributes(), ..Facts::default() }
}

/// A deployment.
pub(crate) fn identity() -> ClusterIdentity {
    let deployment = DeploymentId::from_bytes([7; 16]);
    ClusterIdentity { cluster: "demo".to_owned(), deployment, generation: Generation::FIRST }
}

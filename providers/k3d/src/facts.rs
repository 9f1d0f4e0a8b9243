//! What the survey found, typed: the graph reads it, and it travels as [`Facts`] between the two.

use std::collections::BTreeMap;

use howso_infra_core::provider::Facts;
use howso_infra_core::{Attributes, Value};

/// The names of the facts.
mod name {
    /// The CPUs of the machine on which Docker runs.
    pub(super) const CPUS: &str = "cpus";
    /// Its memory in mebibytes.
    pub(super) const MEMORY: &str = "memory_mebibytes";
    /// The port for HTTP.
    pub(super) const HTTP_PORT: &str = "http_port";
    /// The port for HTTPS.
    pub(super) const HTTPS_PORT: &str = "https_port";
    /// The port of the registry.
    pub(super) const REGISTRY_PORT: &str = "registry_port";
    /// The names of the worker nodes that there shall be, by the name of their pool.
    pub(super) const WORKERS: &str = "workers";
    /// What each node shall have of images: identifiers by name.
    pub(super) const IMAGES: &str = "images";
    /// The names of those that Docker does not have.
    pub(super) const IMAGES_MISSING: &str = "images_missing";
}

/// What the survey found and chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct K3dFacts {
    /// The CPUs of the machine on which Docker runs.
    pub(crate) cpus: u64,
    /// Its memory.
    pub(crate) memory_mebibytes: u64,
    /// The port for HTTP.
    pub(crate) http_port: u16,
    /// The port for HTTPS.
    pub(crate) https_port: u16,
    /// The port of the registry.
    pub(crate) registry_port: u16,
    /// The names of the worker nodes that there shall be, by the name of their pool.
    pub(crate) workers: BTreeMap<String, Vec<String>>,
    /// What each node shall have of images: identifiers by name.
    pub(crate) images: Attributes,
    /// The names of those that Docker does not have.
    pub(crate) images_missing: Vec<String>,
}

impl K3dFacts {
    /// Writes the facts by name.
    pub(crate) fn to_attributes(&self) -> Attributes {
        let number = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let workers = self.workers.iter().map(|(pool, names)| (pool.clone(), Value::texts(names.clone())));
        Attributes::from([
            (name::CPUS.to_owned(), number(self.cpus)),
            (name::MEMORY.to_owned(), number(self.memory_mebibytes)),
            (name::HTTP_PORT.to_owned(), number(self.http_port.into())),
            (name::HTTPS_PORT.to_owned(), number(self.https_port.into())),
            (name::REGISTRY_PORT.to_owned(), number(self.registry_port.into())),
            (name::WORKERS.to_owned(), Value::Map(workers.collect())),
            (name::IMAGES.to_owned(), Value::Map(self.images.clone())),
            (name::IMAGES_MISSING.to_owned(), Value::texts(self.images_missing.clone())),
        ])
    }

    /// Reads the facts back; [`None`] for facts of another provider.
    pub(crate) fn from_facts(facts: &Facts) -> Option<Self> {
        let number = |name: &str| facts.values.get(name)?.as_integer();
        let port = |name: &str| u16::try_from(number(name)?).ok();
        let texts = |value: &Value| {
            value.as_list().into_iter().flatten().filter_map(Value::as_text).map(str::to_owned).collect()
        };
        let workers = facts.values.get(name::WORKERS)?.as_map()?;
        Some(Self {
            cpus: u64::try_from(number(name::CPUS)?).ok()?,
            memory_mebibytes: u64::try_from(number(name::MEMORY)?).ok()?,
            http_port: port(name::HTTP_PORT)?,
            https_port: port(name::HTTPS_PORT)?,
            registry_port: port(name::REGISTRY_PORT)?,
            workers: workers.iter().map(|(pool, names)| (pool.clone(), texts(names))).collect(),
            images: facts.values.get(name::IMAGES)?.as_map()?.clone(),
            images_missing: texts(facts.values.get(name::IMAGES_MISSING)?),
        })
    }
}

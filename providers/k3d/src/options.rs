//! The `[k3d]` table of a specification.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use howso_infra_core::spec::{ClusterSpec, SpecErrors};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::images::ImageName;

/// What only k3d has to know.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct K3dOptions {
    /// The image of the nodes, for example `"rancher/k3s:v1.34.4-k3s1"`. Left out: the newest of `kubernetes.version`, or the
    /// one that k3d was released with.
    pub(crate) image: Option<String>,
    /// The address of this machine at which the cluster is reached: its API, its web ports, its registry.
    #[schemars(with = "String")]
    #[serde(deserialize_with = "address")]
    pub(crate) listen: IpAddr,
    /// The port for HTTP. Left out: 80, or a free one from 8080 on.
    #[schemars(range(min = 1))]
    pub(crate) http_port: Option<u16>,
    /// The port for HTTPS. Left out: 443, or a free one from 8443 on.
    #[schemars(range(min = 1))]
    pub(crate) https_port: Option<u16>,
    /// Whether there is a registry for images of your own.
    pub(crate) registry: bool,
    /// The port of the registry. Left out: 5000, or a free one from 5001 on.
    #[schemars(range(min = 1))]
    pub(crate) registry_port: Option<u16>,
    /// The image of the registry. Left out: the one that k3d takes.
    pub(crate) registry_image: Option<String>,
    /// Directories of this machine in every node: `"/here:/there"`.
    pub(crate) volumes: Vec<String>,
    /// Images of this machine's Docker that every node has, also without a registry: `"trainee:1"`.
    #[schemars(with = "Vec<String>")]
    pub(crate) images: BTreeSet<ImageName>,
}

impl Default for K3dOptions {
    fn default() -> Self {
        Self {
            image: None,
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            http_port: None,
            https_port: None,
            registry: true,
            registry_port: None,
            registry_image: None,
            volumes: Vec::new(),
            images: BTreeSet::new(),
        }
    }
}

/// An address; the error says what one looks like, which that of the type does not.
fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = |_| format!("`{text}` is not an address such as \"127.0.0.1\" or \"0.0.0.0\"");
    text.parse().map_err(wrong).map_err(serde::de::Error::custom)
}

impl K3dOptions {
    /// Decodes the options of a specification, and checks what their types cannot say.
    pub(crate) fn from_spec(spec: &ClusterSpec) -> Result<Self, SpecErrors> {
        let options: Self = spec.provider_options.decode()?;
        let mut errors = Vec::new();
        for (index, volume) in options.volumes.iter().enumerate() {
            let is_pair = volume
                .split_once(':')
                .is_some_and(|(here, there)| // k3d replaces what follows a dollar sign by environment variables.
                here.starts_with('/') && there.starts_with('/') && !volume.contains(['@', '$']));
            if !is_pair {
                let message = format!("`{volume}` does not name two places");
                let hint = "a path of this machine and one of the nodes: \"/data:/data\"".to_owned();
                errors.push(spec.provider_options.error(&format!("volumes.{index}"), message, Some(hint)));
            }
        }
        let chosen = [options.http_port, options.https_port, options.registry_port];
        let mut seen = Vec::new();
        for (name, port) in ["http_port", "https_port", "registry_port"].into_iter().zip(chosen) {
            let Some(port) = port else { continue };
            if seen.contains(&port) {
                let hint = "choose different ports".to_owned();
                errors.push(spec.provider_options.error(name, format!("the port {port} is used twice"), Some(hint)));
            }
            seen.push(port);
        }
        if errors.is_empty() { Ok(options) } else { Err(SpecErrors::from(errors)) }
    }
}

//! Images of this machine's Docker that every node has, also without a registry.
//!
//! An image goes from Docker straight into the containerd of a node: no file, no helper container. `k3d image import` is not used: it
//! knows only all nodes of a cluster at once, so a node that comes later would cost the others the same again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use howso_infra_core::{Attributes, ErrorKind, ProviderError, Value};
use oci_spec::distribution::Reference;
use serde::{Deserialize, Deserializer};

use crate::docker::Docker;

/// Writes a line for each image that is there: its name, the digest that the name stands for, and what lies behind that digest.
const LIST_SCRIPT: &str = "ctr images ls \"$@\" | while read -r name kind digest rest; do \
                           case $digest in sha256:*) printf '%s %s ' \"$name\" \"$digest\"; \
                           ctr content get \"$digest\" | tr -d '\\n'; echo;; esac; done";

/// Reads an image from its standard input. The containerd of a node that has just started may not answer yet.
const IMPORT_SCRIPT: &str = "until ctr version > /dev/null 2>&1; do sleep 1; done; ctr images import - 2>&1";

/// The whole name of an image, as containerd writes it: `docker.io/library/trainee:1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ImageName(String);

impl fmt::Display for ImageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl ImageName {
    fn parse(text: &str) -> Result<Self, String> {
        let reference: Reference = text
            .parse()
            .map_err(|error| format!("`{text}` is not the name of an image such as \"trainee:1\": {error}"))?;
        if reference.digest().is_some() {
            // Docker saves such an image without a name, so no pod could ask for it.
            return Err(format!(
                "`{text}` names an image by its digest; give it a tag with `docker tag`, and name that"
            ));
        }
        Ok(Self(reference.whole()))
    }
}

impl<'de> Deserialize<'de> for ImageName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What Docker calls the images that nodes shall have; nothing for those that it does not have.
pub(crate) type ImageIds = BTreeMap<ImageName, Option<String>>;

/// Which images a node has: by name, the identifier that Docker gives to the same image, or the node's own for another one of that name.
/// [`None`] when the node cannot say.
pub(crate) async fn of_node(
    docker: &Docker,
    node: &str,
    images: &ImageIds,
) -> Result<Option<Attributes>, ProviderError> {
    if images.is_empty() {
        return Ok(None);
    }
    let filters: Vec<String> = images.keys().map(|name| format!("name=={name}")).collect();
    let command = ["sh", "-c", LIST_SCRIPT, "sh"].into_iter().chain(filters.iter().map(String::as_str));
    match docker.ask(node, &command.collect::<Vec<_>>()).await {
        Ok(listing) => Ok(listing.map(|listing| parse_listing(&listing, images))),
        // It has stopped or gone since it was seen.
        Err(error) if matches!(error.kind, ErrorKind::Conflict { .. } | ErrorKind::Gone) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Docker calls an image by the digest of its configuration or, with the image store of containerd, by that of its manifest or index.
fn parse_listing(listing: &str, images: &ImageIds) -> Attributes {
    let line = |line: &str| {
        let (name, rest) = line.split_once(' ')?;
        let (digest, manifest) = rest.split_once(' ')?;
        let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap_or_default();
        let configuration = manifest["config"]["digest"].as_str();
        let wanted = images.iter().find(|(image, _)| image.0 == name).and_then(|(_, id)| id.as_deref());
        let is_wanted = wanted.is_some() && (wanted == configuration || wanted == Some(digest));
        let own = configuration.unwrap_or(digest);
        Some((name.to_owned(), Value::text(wanted.filter(|_| is_wanted).unwrap_or(own))))
    };
    listing.lines().filter_map(line).collect()
}

/// How the import into a node is.
#[derive(Debug)]
pub(crate) enum ImportState {
    Running,
    Done,
    Failed(ProviderError),
}

/// An import that goes on, or how it ended.
type Import = Shared<BoxFuture<'static, Result<(), ProviderError>>>;

/// The imports that this process has begun, by node. One that it leaves unfinished ends with it, and leaves no image.
#[derive(Default)]
pub(crate) struct Imports(Mutex<BTreeMap<String, Import>>);

impl Imports {
    /// Begins to give a node those of the images `wanted`, identifiers by name, that it lacks. Does not wait for the end.
    pub(crate) fn start(&self, docker: &Arc<Docker>, node: &str, wanted: &Attributes) {
        let (docker, name, wanted) = (Arc::clone(docker), node.to_owned(), wanted.clone());
        let import = tokio::spawn(async move { import(&docker, &name, &wanted).await });
        // Nobody aborts it, so it can only have panicked.
        let ended = import.map(|joined| joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
        self.lock().insert(node.to_owned(), ended.boxed().shared());
    }

    /// How the last import into `node` is; waits up to `patience` for its end.
    pub(crate) async fn state(&self, node: &str, patience: Duration) -> ImportState {
        let Some(import) = self.lock().get(node).cloned() else { return ImportState::Done };
        match tokio::time::timeout(patience, import).await {
            Err(_) => ImportState::Running,
            Ok(Ok(())) => ImportState::Done,
            Ok(Err(error)) => ImportState::Failed(error),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Import>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn import(docker: &Docker, node: &str, wanted: &Attributes) -> Result<(), ProviderError> {
    let ids = wanted.iter().map(|(name, id)| (ImageName(name.clone()), id.as_text().map(str::to_owned))).collect();
    let present = of_node(docker, node, &ids).await?.unwrap_or_default();
    let lacking = wanted.iter().filter(|(name, id)| present.get(*name) != Some(*id));
    let lacking: Vec<&str> = lacking.map(|(name, _)| name.as_str()).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    docker.pipe_images(&lacking, node, &["sh", "-c", IMPORT_SCRIPT]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ImageName {
        ImageName::parse(text).unwrap()
    }

    #[test]
    fn a_name_is_completed_as_docker_does() {
        assert_eq!(name("trainee").to_string(), "docker.io/library/trainee:latest");
        assert_eq!(name("howso/trainee:1").to_string(), "docker.io/howso/trainee:1");
        assert_eq!(name("localhost:5000/a/b:1").to_string(), "localhost:5000/a/b:1");
    }

    #[test]
    fn what_no_pod_could_ask_for_is_no_name() {
        for text in [
            "",
            "Trainee",
            "a b",
            "a:",
            "a; rm -rf /",
            "trainee@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ] {
            let error = ImageName::parse(text).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }

    #[test]
    fn an_image_is_recognised_in_both_image_stores_of_docker() {
        let manifest = r#"{"schemaVersion":2,"config":{"digest":"sha256:c1"},"layers":[]}"#;
        let listing = format!(
            "docker.io/library/a:1 sha256:m1 {manifest}\ndocker.io/library/b:1 sha256:i1 {{\"manifests\":[]}}\n"
        );
        let seen = |a: Option<&str>, b: Option<&str>| {
            let ids = [(name("a:1"), a.map(str::to_owned)), (name("b:1"), b.map(str::to_owned)), (name("c:1"), None)];
            let parsed = parse_listing(&listing, &ids.into());
            assert_eq!(parsed.len(), 2, "a third is not there");
            ["a", "b"].map(|name| parsed[&format!("docker.io/library/{name}:1")].as_text().unwrap().to_owned())
        };
        assert_eq!(seen(Some("sha256:c1"), Some("sha256:i1")), ["sha256:c1", "sha256:i1"]);
        assert_eq!(seen(Some("sha256:m1"), None), ["sha256:m1", "sha256:i1"]);
        assert_eq!(seen(Some("sha256:new"), Some("sha256:new")), ["sha256:c1", "sha256:i1"], "an older one");
    }

    #[test]
    fn a_listing_that_is_broken_off_tells_what_it_tells() {
        assert_eq!(parse_listing("docker.io/library/a:1\nx sha256:1 {\n", &ImageIds::new()).len(), 1);
    }
}

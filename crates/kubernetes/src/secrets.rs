//! What the platform keeps in its namespace and Helm does not: passwords, and the volumes that they open.
//!
//! A password is made once and sent to the API server. Of a secret that is there only the keys are looked at.

use std::collections::BTreeSet;

use howso_infra_core::identity::{CLUSTER_TAG, DEPLOYMENT_TAG};
use howso_infra_core::{ErrorKind, OperationVerb, ProviderError};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value as Json, json};

use crate::backend::KubernetesBackend;
use crate::errors::Call;
use crate::list;
use crate::object::collection;
use crate::submit::{create_or_keep, send_delete};
use crate::workloads::is_ours;
use howso_infra_core::inside::{PLATFORM_NAMESPACE, SecretName};

/// A secret that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentSecret {
    /// The keys that it has.
    pub keys: BTreeSet<String>,
    /// Whether this program made it.
    pub is_ours: bool,
}

/// A secret to make.
pub struct NewSecret<'a> {
    /// Its name.
    pub name: &'a SecretName,
    /// What Kubernetes makes of it: <https://kubernetes.io/docs/concepts/configuration/secret/#secret-types>.
    pub kind: &'static str,
    /// Its keys, with what each holds.
    pub values: Vec<(&'static str, SecretString)>,
}

/// A claim for a volume.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VolumeClaim {
    /// Its name.
    pub name: String,
    /// What it asks for, as the API writes it.
    pub size: String,
    uid: String,
}

impl KubernetesBackend {
    /// What a secret has; [`None`] when there is none, also while there is no control plane.
    pub async fn secret(&self, name: &SecretName) -> Result<Option<PresentSecret>, ProviderError> {
        if self.api.session().await?.is_none() {
            return Ok(None);
        }
        let Some(secret) = list::one(&self.api, &Call::read("get secrets"), &path_of(name)).await? else {
            return Ok(None);
        };
        let keys = secret["data"].as_object().into_iter().flat_map(Map::keys).cloned().collect();
        Ok(Some(PresentSecret { keys, is_ours: is_ours(&secret) }))
    }

    /// Makes a secret. One that is there by now is kept, for something may read it already.
    pub async fn make_secret(&self, secret: &NewSecret<'_>) -> Result<(), ProviderError> {
        let NewSecret { name: SecretName { namespace, name }, kind, values } = secret;
        let call = Call::mutation(OperationVerb::Create, "create secrets");
        let data: Map<String, Json> =
            values.iter().map(|(key, value)| ((*key).to_owned(), Json::from(value.expose_secret()))).collect();
        let mut labels = json!({ CLUSTER_TAG: self.cluster });
        if let Some(deployment) = self.deployment().await? {
            labels[DEPLOYMENT_TAG] = json!(deployment);
        }
        let metadata = json!({ "name": name, "namespace": namespace, "labels": labels });
        let secret =
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "stringData": data });
        create_or_keep(self, &call, collection("v1", "secrets", Some(namespace)), &secret).await
    }

    /// Removes a secret. One that is gone is as wanted.
    pub async fn delete_secret(&self, name: &SecretName) -> Result<(), ProviderError> {
        self.delete_or_gone("delete secrets", &path_of(name), None).await
    }

    /// The claims for volumes in the namespace of the platform.
    pub async fn claims(&self) -> Result<Vec<VolumeClaim>, ProviderError> {
        if self.api.session().await?.is_none() {
            return Ok(Vec::new());
        }
        let path = collection("v1", "persistentvolumeclaims", Some(PLATFORM_NAMESPACE));
        let claims = list::all(&self.api, &Call::read("list persistentvolumeclaims"), &path, None).await?;
        let mut claims: Vec<VolumeClaim> = claims.iter().map(claim).collect();
        claims.sort();
        Ok(claims)
    }

    /// Removes a claim, and with it its volume when the volume's policy says so. One that is gone is as wanted.
    pub async fn delete_claim(&self, claim: &VolumeClaim) -> Result<(), ProviderError> {
        let path = format!("{}/{}", collection("v1", "persistentvolumeclaims", Some(PLATFORM_NAMESPACE)), claim.name);
        self.delete_or_gone("delete persistentvolumeclaims", &path, Some(&claim.uid)).await
    }

    async fn delete_or_gone(&self, action: &str, path: &str, uid: Option<&str>) -> Result<(), ProviderError> {
        match send_delete(self, &Call::mutation(OperationVerb::Delete, action), path, uid).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == ErrorKind::Gone => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn path_of(SecretName { namespace, name }: &SecretName) -> String {
    format!("{}/{name}", collection("v1", "secrets", Some(namespace)))
}

fn claim(object: &Json) -> VolumeClaim {
    let text = |pointer: &str| object.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned();
    VolumeClaim {
        name: text("/metadata/name"),
        size: text("/spec/resources/requests/storage"),
        uid: text("/metadata/uid"),
    }
}

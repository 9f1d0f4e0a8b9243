//! The kinds of objects that the API serves, with the official types that say which fields each of them has.

use std::sync::LazyLock;

use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch, coordination::v1 as coordination,
    core::v1 as core, networking::v1 as networking, policy::v1 as policy, rbac::v1 as rbac,
    scheduling::v1 as scheduling, storage::v1 as storage,
};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1 as apiregistration;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A kind of objects.
#[derive(Debug)]
pub(crate) struct Resource {
    /// What it is called in messages and in the store: `deployments.apps`.
    pub(crate) id: String,
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) is_namespaced: bool,
    /// What is wrong with an object of this kind: fields that there are not, and what cannot be read at all.
    pub(crate) check: fn(&Value) -> Result<Vec<String>, String>,
}

/// All of them.
pub(crate) static RESOURCES: LazyLock<Vec<Resource>> = LazyLock::new(|| {
    vec![
        namespaced::<core::ConfigMap>(),
        namespaced::<core::Event>(),
        global::<core::Namespace>(),
        global::<core::Node>(),
        namespaced::<core::PersistentVolumeClaim>(),
        global::<core::PersistentVolume>(),
        namespaced::<core::Pod>(),
        namespaced::<core::ReplicationController>(),
        namespaced::<core::Secret>(),
        namespaced::<core::ServiceAccount>(),
        namespaced::<core::Service>(),
        global::<apiregistration::APIService>(),
        namespaced::<apps::DaemonSet>(),
        namespaced::<apps::Deployment>(),
        namespaced::<apps::ReplicaSet>(),
        namespaced::<apps::StatefulSet>(),
        namespaced::<autoscaling::HorizontalPodAutoscaler>(),
        namespaced::<batch::CronJob>(),
        namespaced::<batch::Job>(),
        namespaced::<coordination::Lease>(),
        namespaced::<networking::Ingress>(),
        namespaced::<networking::NetworkPolicy>(),
        namespaced::<policy::PodDisruptionBudget>(),
        global::<rbac::ClusterRoleBinding>(),
        global::<rbac::ClusterRole>(),
        namespaced::<rbac::RoleBinding>(),
        namespaced::<rbac::Role>(),
        global::<scheduling::PriorityClass>(),
        global::<storage::StorageClass>(),
    ]
});

impl Resource {
    /// `v1`, `apps/v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// The kind of this name in the store.
pub(crate) fn resource(id: &str) -> Option<&'static Resource> {
    RESOURCES.iter().find(|resource| resource.id == id)
}

/// The kind at a path.
pub(crate) fn at(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
    RESOURCES.iter().find(|known| (known.group, known.version, known.plural) == (group, version, plural))
}

/// The kind of an object.
pub(crate) fn of(object: &Value) -> Option<&'static Resource> {
    let (version, kind) = (object["apiVersion"].as_str()?, object["kind"].as_str()?);
    RESOURCES.iter().find(|known| known.kind == kind && known.api_version() == version)
}

fn namespaced<K>() -> Resource
where
    K: k8s_openapi::Resource<Scope = k8s_openapi::NamespaceResourceScope> + DeserializeOwned,
{
    row::<K>(true)
}

fn global<K>() -> Resource
where
    K: k8s_openapi::Resource<Scope = k8s_openapi::ClusterResourceScope> + DeserializeOwned,
{
    row::<K>(false)
}

fn row<K: k8s_openapi::Resource + DeserializeOwned>(is_namespaced: bool) -> Resource {
    let (group, plural) = (K::GROUP, K::URL_PATH_SEGMENT);
    Resource {
        id: if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") },
        group,
        version: K::VERSION,
        kind: K::KIND,
        plural,
        is_namespaced,
        check: check::<K>,
    }
}

fn check<K: DeserializeOwned>(object: &Value) -> Result<Vec<String>, String> {
    let mut unknown = Vec::new();
    let read: Result<K, _> =
        serde_ignored::deserialize(object, |path| unknown.push(path.to_string().replace(".?", "")));
    read.map(|_| unknown).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_that_there_is_not_is_told() {
        let deployments = resource("deployments.apps").expect("they are served");
        let object = |spec: Value| json!({ "apiVersion": "apps/v1", "kind": "Deployment", "spec": spec });
        let template = json!({ "metadata": {}, "spec": { "containers": [{ "name": "a", "imagge": "b" }] } });
        let spec = json!({ "selector": {}, "template": template });
        assert_eq!((deployments.check)(&object(spec)), Ok(vec!["spec.template.spec.containers.0.imagge".to_owned()]));
        assert!((deployments.check)(&object(json!({ "replicas": "three" }))).is_err());
    }
}

//! Where objects are found in the API.

use howso_infra_core::ResourceId;

use crate::kinds;

/// How the API spells one kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ObjectKind {
    /// The kind's name in the graph.
    pub(crate) kind: &'static str,
    /// Group and version.
    pub(crate) api_version: &'static str,
    /// The API's own name of the kind.
    pub(crate) api_kind: &'static str,
    /// The name of its collection.
    pub(crate) plural: &'static str,
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// Every kind of object that is made here.
pub(crate) const OBJECT_KINDS: [ObjectKind; 11] = [
    object_kind(kinds::NAMESPACE, "v1", "Namespace", "namespaces"),
    object_kind(kinds::STORAGE_CLASS, "storage.k8s.io/v1", "StorageClass", "storageclasses"),
    object_kind(kinds::PRIORITY_CLASS, "scheduling.k8s.io/v1", "PriorityClass", "priorityclasses"),
    object_kind(kinds::SERVICE_ACCOUNT, "v1", "ServiceAccount", "serviceaccounts"),
    object_kind(kinds::CLUSTER_ROLE, RBAC, "ClusterRole", "clusterroles"),
    object_kind(kinds::ROLE, RBAC, "Role", "roles"),
    object_kind(kinds::CLUSTER_ROLE_BINDING, RBAC, "ClusterRoleBinding", "clusterrolebindings"),
    object_kind(kinds::ROLE_BINDING, RBAC, "RoleBinding", "rolebindings"),
    object_kind(kinds::DAEMON_SET, "apps/v1", "DaemonSet", "daemonsets"),
    object_kind(kinds::DEPLOYMENT, "apps/v1", "Deployment", "deployments"),
    object_kind(kinds::POD_DISRUPTION_BUDGET, "policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
];

const fn object_kind(
    kind: &'static str,
    api_version: &'static str,
    api_kind: &'static str,
    plural: &'static str,
) -> ObjectKind {
    ObjectKind { kind, api_version, api_kind, plural }
}

impl ObjectKind {
    /// The kind of a resource, when it is an object.
    pub(crate) fn of(resource: &ResourceId) -> Option<Self> {
        OBJECT_KINDS.into_iter().find(|object| object.kind == resource.kind())
    }

    /// The path of the collection: of one namespace, or of the whole cluster.
    pub(crate) fn collection(self, namespace: Option<&str>) -> String {
        collection(self.api_version, self.plural, namespace)
    }

    /// The path of one object, which is also its identifier for people: no other text looks like it.
    pub(crate) fn path(self, namespace: Option<&str>, name: &str) -> String {
        format!("{}/{name}", self.collection(namespace))
    }

    /// The name of a call as a role would permit it, for example `patch deployments.apps`.
    pub(crate) fn action(self, verb: &str) -> String {
        match self.api_version.split_once('/') {
            Some((group, _)) => format!("{verb} {}.{group}", self.plural),
            None => format!("{verb} {}", self.plural),
        }
    }
}

/// The path of a collection.
pub(crate) fn collection(api_version: &str, plural: &str, namespace: Option<&str>) -> String {
    let root = if api_version.contains('/') { "/apis" } else { "/api" };
    match namespace {
        Some(namespace) => format!("{root}/{api_version}/namespaces/{namespace}/{plural}"),
        None => format!("{root}/{api_version}/{plural}"),
    }
}

//! The objects that a cluster needs.

pub(crate) mod autoscaler;
mod image_loader;

use howso_infra_core::Resource;
use howso_infra_core::inside::{Inside, PLATFORM_NAMESPACE, SYSTEM_NAMESPACE, StorageClass};
use serde_json::json;

use crate::kinds::{DAEMON_SET, NAMESPACE, PRIORITY_CLASS, STORAGE_CLASS};
use crate::manifest::{Name, resource};
use crate::object::ObjectKind;

const CORE_PRIORITY: &str = "howso-core";
const TRAINEE_PRIORITY: &str = "howso-trainee";

/// The annotation of the class that claims without a class get.
pub(crate) const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

/// Every object that `inside` asks for.
pub(crate) fn build(inside: &Inside) -> Vec<Resource> {
    let mut objects = vec![namespace()];
    objects.extend(priority_classes());
    objects.extend(inside.storage_class.as_ref().map(storage_class));
    objects.extend(inside.autoscaler.iter().flat_map(autoscaler::build));
    objects.extend(image_loader::build(inside));
    objects
}

/// The names under which objects of ours are looked for, whosever they are. Storage classes are all looked at.
pub(crate) fn known_names() -> Vec<(&'static str, Option<&'static str>, &'static str)> {
    let mut names = vec![
        (NAMESPACE, None, PLATFORM_NAMESPACE),
        (PRIORITY_CLASS, None, CORE_PRIORITY),
        (PRIORITY_CLASS, None, TRAINEE_PRIORITY),
        (DAEMON_SET, Some(SYSTEM_NAMESPACE), image_loader::NAME),
    ];
    names.extend(autoscaler::NAMES.map(|(kind, namespace)| (kind, namespace, autoscaler::NAME)));
    names
}

/// The path of an object by its attributes.
pub(crate) fn path_of(object: ObjectKind, attributes: &howso_infra_core::Attributes) -> Option<String> {
    let text = |field: &str| attributes.get(field)?.as_text();
    Some(object.path(text("namespace"), text("name")?))
}

/// What runs here may not take over a node; what could not even be started under the stricter rules is warned about.
fn namespace() -> Resource {
    let labels = json!({
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/warn": "restricted",
        "pod-security.kubernetes.io/audit": "restricted",
    });
    let name = Name { namespace: None, name: PLATFORM_NAMESPACE };
    resource(NAMESPACE, name, &json!({ "metadata": { "labels": labels } }))
}

/// The platform comes before trainees, and a trainee never pushes anything out. Both stay above -10, below which the cluster
/// autoscaler adds no node for a pod (`--expendable-pods-priority-cutoff`).
fn priority_classes() -> [Resource; 2] {
    let class = |name: &str, value: u32, preemption: &str, description: &str| {
        let manifest = json!({ "value": value, "preemptionPolicy": preemption, "description": description });
        resource(PRIORITY_CLASS, Name { namespace: None, name }, &manifest)
    };
    [
        class(CORE_PRIORITY, 1_000_000, "PreemptLowerPriority", "The services of the Howso Platform."),
        class(TRAINEE_PRIORITY, 1_000, "Never", "Trainees of the Howso Platform: they wait for room."),
    ]
}

fn storage_class(class: &StorageClass) -> Resource {
    let manifest = json!({
        "metadata": { "annotations": { DEFAULT_CLASS: "true" } },
        "provisioner": class.provisioner,
        "parameters": class.parameters,
        "reclaimPolicy": "Delete",
        // A volume is made in the zone of the node that uses it.
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": true,
    });
    resource(STORAGE_CLASS, Name { namespace: None, name: &class.name }, &manifest)
}

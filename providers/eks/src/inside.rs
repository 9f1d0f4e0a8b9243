//! What EKS leaves to us inside the cluster: a default storage class, and the cluster autoscaler.

use std::collections::BTreeMap;

use howso_infra_core::inside::{Autoscaler, Inside, Pool, PoolRole, StorageClass, WorkerImage};
use howso_infra_core::provider::Facts;
use howso_infra_core::spec::{CORE_LABEL, ClusterSpec};
use howso_infra_core::{Resource, Value};

use crate::facts::EksFacts;
use crate::graph;
use crate::options::EksOptions;
use crate::pools::NODEGROUP;

/// The label that EKS puts on every node of a managed group, with the group's name.
const GROUP_LABEL: &str = "eks.amazonaws.com/nodegroup";

/// What is to be inside.
pub(crate) fn inside(spec: &ClusterSpec, options: &EksOptions, facts: &Facts) -> Inside {
    // Both are told as errors where the graph itself is built.
    let (Some(known), Ok(graph)) = (EksFacts::from_facts(facts), graph::graph(spec, facts)) else {
        return Inside::default();
    };
    Inside {
        // Without the driver nobody would make the volumes of the class.
        storage_class: (spec.addons.is_on() && options.addons.ebs_csi_driver).then(storage_class),
        autoscaler: spec.autoscaler.is_on().then(|| autoscaler(spec, options, &known)),
        worker_image: WorkerImage::of(spec),
        metrics: spec.addons.is_on() && options.addons.metrics_server,
        pools: graph
            .iter()
            .filter(|resource| resource.id.kind() == NODEGROUP)
            .map(|group| pool(group, spec.autoscaler.is_on()))
            .collect(),
    }
}

fn storage_class() -> StorageClass {
    StorageClass {
        name: "gp3".to_owned(),
        provisioner: "ebs.csi.aws.com".to_owned(),
        parameters: [("encrypted", "true"), ("type", "gp3")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
    }
}

/// Groups are found by the tags that EKS itself puts on those of managed node groups. The role comes by pod identity, to which the
/// account is bound by its name, so that it needs no annotation.
fn autoscaler(spec: &ClusterSpec, options: &EksOptions, facts: &EksFacts) -> Autoscaler {
    let version = facts.kubernetes_version;
    let image = options.autoscaler_image.clone();
    let tags = format!("k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/{}", spec.name);
    Autoscaler {
        image: image.unwrap_or_else(|| format!("registry.k8s.io/autoscaling/cluster-autoscaler:v{version}.0")),
        arguments: vec!["--cloud-provider=aws".to_owned(), format!("--node-group-auto-discovery=asg:tag={tags}")],
        environment: BTreeMap::from([("AWS_REGION".to_owned(), spec.location.to_string())]),
        service_account_annotations: BTreeMap::new(),
    }
}

/// A node group as its nodes must be.
fn pool(group: &Resource, is_autoscaled: bool) -> Pool {
    let size =
        |field: &str| group.attributes.get(field).and_then(Value::as_integer).and_then(|size| size.try_into().ok());
    let labels = group.attributes.get("labels").and_then(Value::as_map);
    let is_core = labels.is_some_and(|labels| labels.contains_key(CORE_LABEL.0));
    let name = group.id.name().to_owned();
    Pool {
        role: if is_core { PoolRole::Core } else { PoolRole::Worker },
        member_label: (GROUP_LABEL.to_owned(), name.clone()),
        name,
        min: size("min_size").unwrap_or_default(),
        max: size("max_size").unwrap_or_default(),
        autoscaling_group: is_autoscaled.then(|| Value::reference(&group.id, "autoscaling_group")),
        scaling: None,
    }
}

#[cfg(test)]
mod tests;

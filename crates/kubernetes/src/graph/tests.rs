use std::collections::BTreeMap;

use howso_infra_core::inside::{Autoscaler, StorageClass, WorkerImage};
use howso_infra_core::{ClusterIdentity, DeploymentId, Generation};

use super::*;
use crate::manifest::to_send;
use crate::object::ObjectKind;

fn inside() -> Inside {
    let pool = |name: &str, role, min, max| Pool {
        name: name.to_owned(),
        role,
        member_label: ("example.com/group".to_owned(), name.to_owned()),
        min,
        max,
        autoscaling_group: Some(Value::reference(&ResourceId::new("test/group", name), "name")),
        scaling: None,
    };
    Inside {
        storage_class: Some(StorageClass {
            name: "gp3".to_owned(),
            provisioner: "ebs.csi.aws.com".to_owned(),
            parameters: BTreeMap::from([
                ("encrypted".to_owned(), "true".to_owned()),
                ("type".to_owned(), "gp3".to_owned()),
            ]),
        }),
        autoscaler: Some(Autoscaler {
            image: "registry.k8s.io/autoscaling/cluster-autoscaler:v1.34.0".to_owned(),
            arguments: vec!["--cloud-provider=aws".to_owned()],
            environment: BTreeMap::from([("AWS_REGION".to_owned(), "us-east-1".to_owned())]),
            service_account_annotations: BTreeMap::new(),
        }),
        worker_image: Some(WorkerImage {
            image: "registry.example.com/howso/worker:1.2".parse().unwrap(),
            pull_secret: "registry".parse().ok(),
        }),
        metrics: true,
        pools: vec![pool("core", PoolRole::Core, 3, 3), pool("worker", PoolRole::Worker, 0, 20)],
    }
}

fn cloud() -> Graph {
    Graph::new(["core", "worker"].map(|name| Resource::new(ResourceId::new("test/group", name)))).unwrap()
}

#[test]
fn every_object_is_sent_like_this() {
    let identity = ClusterIdentity {
        cluster: "demo".to_owned(),
        deployment: DeploymentId::from_bytes([1; 16]),
        generation: Generation::FIRST,
    };
    let resources = graph(&inside(), &cloud());
    let sent = resources.iter().filter_map(|resource| {
        let object = ObjectKind::of(&resource.id)?;
        let manifest = to_send(object, &resource.attributes, &identity, &resource.id);
        Some(format!("---\n{}", serde_saphyr::to_string(&manifest).unwrap()))
    });
    insta::assert_snapshot!(sent.collect::<String>());
}

#[test]
fn everything_inside_waits_for_the_cloud_and_checks_come_last() {
    let resources = graph(&inside(), &cloud());
    let all = Graph::new(cloud().iter().cloned().chain(resources.clone())).unwrap();
    let contents = all.get(&contents_id()).unwrap();
    assert!(cloud().iter().all(|resource| contents.depends_on.contains(&resource.id)));
    for resource in resources.iter().filter(|resource| resource.id != contents_id()) {
        assert!(resource.depends_on.contains(&contents_id()), "{}", resource.id);
    }
    let checks: Vec<&str> =
        resources.iter().filter(|resource| resource.id.kind() == CHECK).map(|check| check.id.name()).collect();
    assert_eq!(checks, ["add-ons", "storage-class", "metrics", "core-nodes", "worker-nodes", "autoscaler"]);
}

#[test]
fn every_attribute_has_a_rule() {
    for resource in graph(&inside(), &cloud()) {
        let kind = crate::kinds::kind(resource.id.kind()).unwrap();
        for field in resource.attributes.keys() {
            assert!(kind.rule(field).is_some(), "{} of {}", field, resource.id);
        }
    }
}

#[test]
fn a_platform_that_brings_everything_gets_little() {
    let resources = graph(&Inside::default(), &Graph::default());
    let names: Vec<String> = resources.iter().map(|resource| resource.id.to_string()).collect();
    let expected = [
        "kubernetes/contents:main",
        "kubernetes/namespace:howso",
        "kubernetes/priority-class:howso-core",
        "kubernetes/priority-class:howso-trainee",
        "kubernetes/check:add-ons",
        "kubernetes/check:storage-class",
    ];
    assert_eq!(names, expected);
}

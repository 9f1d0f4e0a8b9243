use super::*;
use crate::graph::tests::{facts, spec};

fn built(profile: &str, more: &str) -> Inside {
    let spec = spec(profile, more);
    let options = EksOptions::from_spec(&spec).unwrap();
    inside(&spec, &options, &facts(&spec))
}

#[test]
fn every_group_is_a_pool_with_its_bounds() {
    let pools = built("large", "").pools;
    let told: Vec<String> = pools
        .iter()
        .map(|pool| format!("{} {:?} {}..{} {}", pool.name, pool.role, pool.min, pool.max, pool.member_label.1))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    core-a Core 1..1 core-a
    core-b Core 1..1 core-b
    core-c Core 1..1 core-c
    worker Worker 0..20 worker
    ");
}

#[test]
fn the_autoscaler_has_the_version_of_the_cluster_and_finds_its_groups_by_tag() {
    let autoscaler = built("small", "").autoscaler.unwrap();
    assert_eq!(autoscaler.image, "registry.k8s.io/autoscaling/cluster-autoscaler:v1.34.0");
    let discovery =
        "--node-group-auto-discovery=asg:tag=k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/demo";
    assert_eq!(autoscaler.arguments, ["--cloud-provider=aws", discovery]);
    let own = built("small", "[eks]\nautoscaler_image = \"registry.example.com/autoscaler:v1\"\n");
    assert_eq!(own.autoscaler.unwrap().image, "registry.example.com/autoscaler:v1");
}

#[test]
fn what_is_turned_off_is_not_made_and_not_expected() {
    let inside = built("small", "addons = false\n[autoscaler]\nenabled = false\n");
    assert_eq!((inside.storage_class, inside.autoscaler, inside.metrics), (None, None, false));
    assert!(inside.pools.iter().all(|pool| pool.autoscaling_group.is_none()));
}

//! The graph of each profile and of each option, as snapshots: the profiles in full, the options by what they change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use howso_infra_core::provider::Facts;
use howso_infra_core::spec::ClusterSpec;
use howso_infra_core::{Graph, ResourceId};

use super::graph;
use crate::catalogue;
use crate::facts::EksFacts;
use crate::options::tests::specification;

const ADMIN: &str = "arn:aws:iam::123456789012:role/operator";

pub(crate) fn spec(profile: &str, more: &str) -> ClusterSpec {
    specification(profile, more).unwrap_or_else(|errors| panic!("{errors}"))
}

pub(crate) fn facts(spec: &ClusterSpec) -> Facts {
    facts_with(spec, &[])
}

fn facts_with(spec: &ClusterSpec, running_addons: &[&str]) -> Facts {
    let pools = spec.workers.iter().map(|(name, pool)| (name.node_pool_name(), &pool.machine, pool.purchase));
    let core = ("core", &spec.core.machine, howso_infra_core::spec::Purchase::OnDemand);
    let client = spec
        .client
        .iter()
        .map(|client| (crate::client_machine::POOL, &client.machine, howso_infra_core::spec::Purchase::OnDemand));
    let types = std::iter::once(core).chain(pools).chain(client).map(|(pool, machine, purchase)| {
        let wish = catalogue::Wish { pool, machine, purchase, prices: &spec.cost.prices };
        (pool.to_owned(), catalogue::choose(wish, &|_| true, &[]).unwrap().types)
    });
    let zones = ["us-east-1a", "us-east-1b", "us-east-1c"].into_iter().take(spec.zones.get().into());
    let facts = EksFacts {
        account: "123456789012".to_owned(),
        partition: "aws".to_owned(),
        creator_arn: Some(ADMIN.to_owned()),
        zones: zones.map(str::to_owned).collect(),
        kubernetes_version: "1.34".parse().unwrap(),
        instance_types: types.collect(),
        addon_versions: BTreeMap::from([("vpc-cni".to_owned(), "v1.20.4-eksbuild.1".to_owned())]),
        api_networks: Vec::new(),
        running_addons: running_addons.iter().map(|&name| name.to_owned()).collect(),
    };
    Facts { values: facts.to_attributes(), ..Facts::default() }
}

fn built(profile: &str, more: &str) -> Graph {
    let spec = spec(profile, more);
    graph(&spec, &facts(&spec)).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Every resource with its fields and what it waits for, one a line.
fn lines(graph: &Graph) -> Vec<String> {
    let mut lines = Vec::new();
    for resource in graph.iter() {
        lines.push(resource.id.to_string());
        lines.extend(resource.attributes.iter().map(|(field, value)| format!("{}  {field}: {value}", resource.id)));
        lines.extend(resource.depends_on.iter().map(|other| format!("{}  after {other}", resource.id)));
    }
    lines
}

/// The graph for people: the name of a resource stands once, its lines below it.
fn text(graph: &Graph) -> String {
    let mut text = String::new();
    for resource in graph.iter() {
        let _ = writeln!(text, "{}", resource.id);
        for (field, value) in &resource.attributes {
            let _ = writeln!(text, "  {field}: {value}");
        }
        for other in &resource.depends_on {
            let _ = writeln!(text, "  after {other}");
        }
    }
    text
}

/// What an option changes of a profile.
fn changes(profile: &str, more: &str) -> String {
    let (before, after) = (lines(&built(profile, "")), lines(&built(profile, more)));
    let all: BTreeSet<&String> = before.iter().chain(&after).collect();
    let mut text = String::new();
    for line in all {
        match (before.contains(line), after.contains(line)) {
            (true, false) => writeln!(text, "- {line}").unwrap(),
            (false, true) => writeln!(text, "+ {line}").unwrap(),
            (true, true) | (false, false) => {}
        }
    }
    text
}

fn waits_for(graph: &Graph, resource: &str, other: &str) -> bool {
    let (resource, other): (ResourceId, ResourceId) = (resource.parse().unwrap(), other.parse().unwrap());
    let mut open = vec![&resource];
    while let Some(next) = open.pop() {
        if *next == other {
            return true;
        }
        open.extend(&graph.get(next).unwrap_or_else(|| panic!("{next} is not in the graph")).depends_on);
    }
    false
}

#[test]
fn small() {
    let graph = text(&built("small", ""));
    insta::assert_snapshot!(graph);
}

#[test]
fn medium_differs_from_small() {
    let (small, medium) = (lines(&built("small", "")), lines(&built("medium", "")));
    let new: Vec<_> = medium.iter().filter(|line| !small.contains(line)).cloned().collect();
    insta::assert_snapshot!(new.join("\n"));
}

#[test]
fn large() {
    let graph = text(&built("large", ""));
    insta::assert_snapshot!(graph);
}

#[test]
fn an_existing_network_is_named_and_not_made() {
    let network = "[eks.network]\nvpc = \"vpc-0123456789abcdef0\"\nprivate_subnets = [\"subnet-0000000000000000b\", \
                   \"subnet-0000000000000000a\"]\nservice_cidr = \"172.20.0.0/16\"\n";
    assert!(!lines(&built("small", network)).iter().any(|line| line.starts_with("ec2/subnet")));
    let changes = changes("small", network);
    insta::assert_snapshot!(changes);
}

#[test]
fn existing_roles_are_named_and_not_made() {
    let role = |key: &str| format!("{key} = \"arn:aws:iam::123456789012:role/own-{key}\"\n");
    let roles: String =
        ["cluster_role", "node_role", "ebs_csi_role", "autoscaler_role", "client_role"].map(role).concat();
    let changes = changes("small", &format!("[eks.iam]\n{roles}"));
    insta::assert_snapshot!(changes);
}

#[test]
fn roles_follow_path_and_boundary() {
    let iam = "[eks.iam]\npath = \"/howso/\"\npermissions_boundary = \"arn:aws:iam::123456789012:policy/b\"\n\
               [eks.nodes]\nsession_manager = true\n";
    let changes = changes("small", iam);
    insta::assert_snapshot!(changes);
}

#[test]
fn addons_can_be_off_altogether() {
    let changes = changes("small", "addons = false\n");
    insta::assert_snapshot!(changes);
}

#[test]
fn one_addon_can_be_off() {
    let changes = changes("small", "[eks.addons]\nebs_csi_driver = false\n");
    insta::assert_snapshot!(changes);
}

#[test]
fn the_autoscaler_can_be_off() {
    let changes = changes("small", "[autoscaler]\nenabled = false\n");
    insta::assert_snapshot!(changes);
}

#[test]
fn a_spot_pool_names_its_types_in_the_group() {
    let changes = changes("small", "[workers.default]\nspot = true\n");
    insta::assert_snapshot!(changes);
}

#[test]
fn a_second_worker_pool_has_labels_and_taints() {
    let pool = "[workers.big]\nmin = 1\nmax = 4\nmachine = { cpu = 32, memory = \"128Gi\", disk = \"500Gi\" }\n\
                labels = { team = \"ml\" }\ntaints = [\"dedicated=ml:NoExecute\"]\n";
    let changes = changes("small", pool);
    insta::assert_snapshot!(changes);
}

#[test]
fn keys_admins_access_and_tags() {
    let more = "[kubernetes]\napi_access = [\"203.0.113.0/24\", \"198.51.100.7/32\"]\n[tags]\nteam = \"ml\"\n[eks]\n\
                kms_key = \"arn:aws:kms:us-east-1:123456789012:key/1\"\n\
                admins = [\"arn:aws:iam::123456789012:role/operator\", \"arn:aws:iam::123456789012:user/path/ann\"]\n";
    let changes = changes("small", more);
    let beyond_tags: Vec<_> = changes.lines().filter(|line| !line.contains("tags: {")).collect();
    insta::assert_snapshot!(beyond_tags.join("\n"));
    let untagged: Vec<_> = built("small", more)
        .iter()
        .filter(|resource| resource.attributes.get("tags").is_some_and(|tags| !tags.to_string().contains("team=ml")))
        .map(|resource| resource.id.kind().to_owned())
        .collect();
    // The tags of an autoscaling group describe its nodes to the autoscaler; the nodes themselves carry the user's tags.
    assert_eq!(untagged, ["autoscaling/tags"]);
}

#[test]
fn a_machine_for_clients_comes_with_its_role_and_group() {
    let changes = changes("small", "[client]\nparallel = 8\n");
    let without_script: Vec<_> = changes.lines().filter(|line| line.starts_with("+ ")).collect();
    insta::assert_snapshot!(without_script.join("\n"));
}

#[test]
fn a_machine_for_clients_waits_for_its_way_out_and_not_for_the_cluster() {
    let graph = built("large", "[client]\nparallel = 8\n");
    for other in ["ec2/route:private-a-default", "iam/instance-profile-role:client", "iam/role:client"] {
        assert!(waits_for(&graph, "ec2/instance:client", other), "{other}");
    }
    assert!(!waits_for(&graph, "ec2/instance:client", "eks/cluster:main"));
    assert!(!waits_for(&graph, "eks/cluster:main", "ec2/instance:client"));
}

#[test]
fn a_core_pool_with_head_room_spreads_it() {
    let changes = changes("large", "[core]\nnodes = 4\nmax = 7\n");
    insta::assert_snapshot!(changes);
}

#[test]
fn the_control_plane_does_not_wait_for_gateways_but_nodes_do() {
    let graph = built("large", "");
    assert!(!waits_for(&graph, "eks/cluster:main", "ec2/nat-gateway:a"));
    assert!(waits_for(&graph, "eks/nodegroup:worker", "ec2/nat-gateway:c"));
    assert!(waits_for(&graph, "eks/nodegroup:core-b", "ec2/route-table-association:private-b"));
}

#[test]
fn nodes_wait_for_their_network_but_not_for_what_runs_on_them() {
    let graph = built("large", "");
    for addon in ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"] {
        assert!(waits_for(&graph, "eks/nodegroup:core-a", &format!("eks/addon:{addon}")), "{addon}");
    }
    for addon in ["coredns", "aws-ebs-csi-driver", "metrics-server"] {
        assert!(!waits_for(&graph, "eks/nodegroup:core-a", &format!("eks/addon:{addon}")), "{addon}");
    }
    assert!(waits_for(&graph, "eks/addon:metrics-server", "eks/nodegroup:core-c"));
    assert!(!waits_for(&graph, "eks/addon:metrics-server", "eks/nodegroup:worker"));
    assert!(waits_for(&graph, "eks/addon:aws-ebs-csi-driver", "eks/pod-identity-association:ebs-csi"));
}

#[test]
fn addons_that_run_are_brought_up_to_date_before_the_nodes() {
    let spec = spec("large", "");
    let running = ["vpc-cni", "coredns", "metrics-server"];
    let graph = graph(&spec, &facts_with(&spec, &running)).unwrap();
    for addon in running {
        assert!(waits_for(&graph, "eks/nodegroup:worker", &format!("eks/addon:{addon}")), "{addon}");
        assert!(!waits_for(&graph, &format!("eks/addon:{addon}"), "eks/nodegroup:core-a"), "{addon}");
    }
    // One that does not run, because it is new or was interrupted, waits for the nodes as ever.
    assert!(waits_for(&graph, "eks/addon:aws-ebs-csi-driver", "eks/nodegroup:core-a"));
}

#[test]
fn too_many_labels_for_the_autoscaler_are_refused() {
    let labels: Vec<_> = (0..24).map(|number| format!("l{number} = \"v\"")).collect();
    let more = format!("[workers.default]\nlabels = {{ {} }}\n", labels.join(", "));
    let spec = spec("small", &more);
    let errors = graph(&spec, &facts(&spec)).unwrap_err();
    assert_eq!(errors.errors[0].path.to_string(), "workers.default.labels");
}

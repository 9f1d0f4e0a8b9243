//! The survey against answers of AWS: what it chooses, and what it does not ask again.

use std::collections::BTreeSet;

use howso_infra_core::provider::Facts;
use howso_infra_core::{
    Attributes, ErrorKind, Generation, Observation, Observed, Ownership, ProviderError, ResourceId, Status, Value,
};

use super::survey;
use crate::facts::EksFacts;
use crate::options::EksOptions;
use crate::options::tests::specification;
use crate::testing::{Answer, Request, Server, ec2, ec2_error};

/// The zones of a region with their ids; `c` is one without EKS.
const ZONES: [(&str, &str); 5] = [
    ("us-east-1e", "use1-az5"),
    ("us-east-1a", "use1-az1"),
    ("us-east-1b", "use1-az2"),
    ("us-east-1c", "use1-az3"),
    ("us-east-1d", "use1-az4"),
];

const CALLER: &str = "arn:aws:sts::123456789012:assumed-role/Deployer/session";

fn zones(zones: &[(&str, &str)]) -> Answer {
    let item = |(name, id): &(&str, &str)| {
        format!("<item><zoneName>{name}</zoneName><zoneId>{id}</zoneId><zoneState>available</zoneState></item>")
    };
    let items: String = zones.iter().map(item).collect();
    ec2("DescribeAvailabilityZones", &format!("<availabilityZoneInfo>{items}</availabilityZoneInfo>"))
}

/// Offers every type that was asked for in every zone, except those in `missing`.
fn offerings(request: &Request, missing: &[(&str, &str)]) -> Answer {
    let values = request.body.split('&').filter_map(|field| field.strip_prefix("Filter.1.Value.")?.split('=').nth(1));
    let types: BTreeSet<&str> = values.collect();
    let pairs = types.iter().flat_map(|name| ZONES.iter().map(|(zone, _)| (*name, *zone)));
    let item = |(name, zone)| format!("<item><instanceType>{name}</instanceType><location>{zone}</location></item>");
    let items = pairs.filter(|pair| !missing.contains(pair)).map(item).collect::<Vec<_>>().concat();
    ec2("DescribeInstanceTypeOfferings", &format!("<instanceTypeOfferingSet>{items}</instanceTypeOfferingSet>"))
}

/// A region that answers everything.
fn region(request: &Request, missing: &[(&str, &str)]) -> Answer {
    match request.call.as_str() {
        "GetCallerIdentity" => {
            let result = format!("<Arn>{CALLER}</Arn><UserId>A:s</UserId><Account>123456789012</Account>");
            ec2("GetCallerIdentity", &format!("<GetCallerIdentityResult>{result}</GetCallerIdentityResult>"))
        }
        "GetRole" => {
            let arn = "<Arn>arn:aws:iam::123456789012:role/team/Deployer</Arn><RoleName>Deployer</RoleName>";
            let role = format!(
                "<Role>{arn}<Path>/team/</Path><RoleId>R</RoleId><CreateDate>2026-01-01T00:00:00Z</CreateDate></Role>"
            );
            ec2("GetRole", &format!("<GetRoleResult>{role}</GetRoleResult>"))
        }
        "GET /" => Answer::Status(200, "198.51.100.7\n".to_owned()),
        "DescribeAvailabilityZones" => zones(&ZONES),
        "DescribeInstanceTypeOfferings" => offerings(request, missing),
        path if path.starts_with("GET /cluster-versions") => {
            let versions = r#"{"clusterVersions":[{"clusterVersion":"1.36","versionStatus":"STANDARD_SUPPORT"},
                {"clusterVersion":"1.35","versionStatus":"STANDARD_SUPPORT"}]}"#;
            Answer::Status(200, versions.to_owned())
        }
        path if path.starts_with("GET /addons/supported-versions") && path.contains("addonName=coredns") => {
            let versions = r#"{"addons":[{"addonName":"coredns","addonVersions":[
                {"addonVersion":"v2","compatibilities":[{"clusterVersion":"1.36","defaultVersion":false}]},
                {"addonVersion":"v1","compatibilities":[{"clusterVersion":"1.36","defaultVersion":true}]}]}]}"#;
            Answer::Status(200, versions.to_owned())
        }
        path if path.starts_with("GET /addons/supported-versions") => {
            Answer::Status(200, r#"{"addons":[]}"#.to_owned())
        }
        path if path.starts_with("GET /clusters/demo/access-entries") => {
            Answer::Status(200, r#"{"accessEntries":[]}"#.to_owned())
        }
        other => ec2_error(400, "InvalidAction", other),
    }
}

async fn surveyed(server: &Server, more: &str, observation: &Observation) -> Result<Facts, ProviderError> {
    let service = format!("[eks]\naddress_service = \"{}\"", server.url());
    let more = if more.contains("[eks]") { more.replace("[eks]", &service) } else { format!("{more}\n{service}") };
    let spec = specification("large", &more).unwrap();
    let options = EksOptions::from_spec(&spec).unwrap();
    survey(&server.clients(), &spec, &options, observation).await
}

#[tokio::test]
async fn an_empty_account_gets_the_best_of_everything() {
    let server = Server::start(|request| region(request, &[]));
    let facts = surveyed(&server, "", &Observation::default()).await.unwrap();
    let found = EksFacts::from_facts(&facts).unwrap();
    assert_eq!((found.account.as_str(), found.partition.as_str()), ("123456789012", "aws"));
    assert_eq!(found.creator_arn.as_deref(), Some("arn:aws:iam::123456789012:role/team/Deployer"));
    assert_eq!(found.zones, ["us-east-1a", "us-east-1b", "us-east-1d"], "in order, and none without EKS");
    assert_eq!(found.kubernetes_version.to_string(), "1.36");
    assert_eq!(found.addon_versions.get("coredns").map(String::as_str), Some("v1"));
    assert_eq!(found.instance_types.keys().collect::<Vec<_>>(), ["core", "worker"]);
    assert_eq!(found.api_networks, ["198.51.100.7/32".parse().unwrap()]);
    assert!(
        facts.explanations.iter().any(|line| line.contains("reachable from 198.51.100.7")),
        "{:?}",
        facts.explanations
    );
    assert!(facts.cost.is_some());
}

#[tokio::test]
async fn without_an_address_the_endpoint_stays_private() {
    let server = Server::start(|request| match request.call.as_str() {
        "GET /" => Answer::Status(502, "<html>bad gateway</html>".to_owned()),
        _ => region(request, &[]),
    });
    let facts = surveyed(&server, "", &Observation::default()).await.unwrap();
    assert_eq!(EksFacts::from_facts(&facts).unwrap().api_networks, []);
    let warnings = facts.warnings.join("\n");
    assert!(warnings.contains("status 502") && warnings.contains("only from inside the VPC"), "{warnings}");
}

#[tokio::test]
async fn who_names_networks_or_none_asks_nobody_for_an_address() {
    for access in ["\"private\"", "[\"203.0.113.0/24\"]"] {
        let server = Server::start(|request| region(request, &[]));
        let more = format!("[kubernetes]\napi_access = {access}");
        surveyed(&server, &more, &Observation::default()).await.unwrap();
        assert!(!server.calls().contains(&"GET /".to_owned()));
    }
}

#[tokio::test]
async fn what_a_control_plane_has_is_kept_unless_it_is_open_to_all() {
    let has = |is_public: bool, cidrs: &[&str]| {
        let mut observation = running();
        let cluster = observation.resources.get_mut(&"eks/cluster:main".parse::<ResourceId>().unwrap()).unwrap();
        let cidrs = Value::texts(cidrs.iter().map(|cidr| (*cidr).to_owned()));
        let fields = [("endpoint_public", Value::Bool(is_public)), ("public_access_cidrs", cidrs)];
        cluster[0].attributes.extend(fields.map(|(name, value)| (name.to_owned(), value)));
        observation
    };
    for (observation, wanted, asks) in [
        (has(true, &["192.0.2.1/32", "203.0.113.0/24"]), &["192.0.2.1/32", "203.0.113.0/24"][..], false),
        // EKS reports these beside a private endpoint.
        (has(false, &["0.0.0.0/0"]), &[], false),
        (has(true, &["0.0.0.0/0"]), &["198.51.100.7/32"], true),
        (has(true, &["0.0.0.0/1", "128.0.0.0/1"]), &["198.51.100.7/32"], true),
    ] {
        let server = Server::start(|request| region(request, &[]));
        let facts = surveyed(&server, "", &observation).await.unwrap();
        let networks = EksFacts::from_facts(&facts).unwrap().api_networks;
        assert_eq!(networks.iter().map(ToString::to_string).collect::<Vec<_>>(), wanted);
        assert_eq!(server.calls().contains(&"GET /".to_owned()), asks);
        assert_eq!(facts.warnings.iter().any(|line| line.contains("only from inside")), wanted.is_empty());
    }
}

#[tokio::test]
async fn zones_that_lack_the_best_type_are_passed_over() {
    let server = Server::start(|request| region(request, &[]));
    let facts = surveyed(&server, "", &Observation::default()).await.unwrap();
    let best = EksFacts::from_facts(&facts).unwrap().instance_types["worker"][0].clone();
    let known: &'static str = best.leak();
    let server = Server::start(move |request| region(request, &[(known, "us-east-1a")]));
    let facts = surveyed(&server, "", &Observation::default()).await.unwrap();
    let found = EksFacts::from_facts(&facts).unwrap();
    assert_eq!(found.zones, ["us-east-1b", "us-east-1d", "us-east-1e"]);
    assert_eq!(found.instance_types["worker"], [known]);
}

#[tokio::test]
async fn a_server_without_the_optional_apis_gets_defaults_and_says_so() {
    let server = Server::start(|request| match request.call.as_str() {
        "GetCallerIdentity" | "GetRole" => region(request, &[]),
        "DescribeAvailabilityZones" => zones(&ZONES[1..4]),
        _ => Answer::Status(404, "<html>not found</html>".to_owned()),
    });
    let facts = surveyed(&server, "", &Observation::default()).await.unwrap();
    let found = EksFacts::from_facts(&facts).unwrap();
    assert_eq!(found.zones, ["us-east-1a", "us-east-1b", "us-east-1c"], "a zone without EKS is better than too few");
    assert_eq!(found.kubernetes_version, crate::control_plane::DEFAULT_VERSION);
    assert_eq!(found.creator_arn, None);
    let warnings = facts.warnings.join("\n");
    for part in ["us-east-1c is used for want of others", "which zones offer which instance types", "no access entries"]
    {
        assert!(warnings.contains(part), "{part} in {warnings}");
    }
}

#[tokio::test]
async fn a_fault_that_passes_is_not_taken_for_an_answer() {
    let server = Server::start(|request| match request.call.as_str() {
        "DescribeInstanceTypeOfferings" => ec2_error(503, "RequestLimitExceeded", "slow down"),
        _ => region(request, &[]),
    });
    let error = surveyed(&server, "", &Observation::default()).await.unwrap_err();
    assert!(matches!(error.kind, howso_infra_core::ErrorKind::Throttled { .. }), "{error}");
}

#[tokio::test]
async fn too_few_zones_are_an_error() {
    let server = Server::start(|request| match request.call.as_str() {
        "DescribeAvailabilityZones" => zones(&ZONES[..2]),
        _ => region(request, &[]),
    });
    let error = surveyed(&server, "", &Observation::default()).await.unwrap_err();
    assert_eq!(error.message, "us-east-1 has 2 usable zones, and 3 are wanted");
    assert!(error.hint.is_some());
}

#[tokio::test]
async fn named_zones_are_taken_as_they_are() {
    let server = Server::start(|request| region(request, &[]));
    let more = "[eks]\nzones = [\"us-east-1d\", \"us-east-1b\", \"us-east-1a\"]";
    let facts = surveyed(&server, more, &Observation::default()).await.unwrap();
    assert_eq!(EksFacts::from_facts(&facts).unwrap().zones, ["us-east-1d", "us-east-1b", "us-east-1a"]);
    assert!(!server.calls().contains(&"DescribeAvailabilityZones".to_owned()));
}

fn observed(physical_id: &str, attributes: &[(&str, Value)]) -> Observed {
    let deployment = "0123456789abcdef0123456789abcdef".parse().unwrap();
    Observed {
        physical_id: physical_id.to_owned(),
        ownership: Ownership::Ours { deployment, generation: Some(Generation::FIRST) },
        status: Status::Ready,
        attributes: attributes.iter().map(|(field, value)| ((*field).to_owned(), value.clone())).collect(),
        outputs: Attributes::new(),
    }
}

/// A cluster as this program makes it, with older choices than it would take today.
fn running() -> Observation {
    let mut observation = Observation::default();
    let mut add = |id: &str, found: Observed| observation.insert(id.parse::<ResourceId>().unwrap(), found);
    let arn = "arn:aws:eks:us-east-1:123456789012:cluster/demo";
    add("eks/cluster:main", observed(arn, &[("version", Value::text("1.33"))]));
    let creator = "arn:aws:iam::123456789012:role/first";
    add("eks/access-entry:creator", observed(creator, &[("principal_arn", Value::text(creator))]));
    for (place, zone) in [("a", "us-east-1e"), ("b", "us-east-1d"), ("c", "us-east-1a")] {
        add(&format!("ec2/subnet:private-{place}"), observed("subnet-1", &[("zone", Value::text(zone))]));
    }
    for (pool, name) in [("core", "m5.2xlarge"), ("worker", "m6i.4xlarge")] {
        add(&format!("ec2/launch-template:{pool}"), observed("lt-1", &[("instance_type", Value::text(name))]));
    }
    let spec = specification("large", "").unwrap();
    for name in crate::control_plane::addon_names(&spec, &EksOptions::from_spec(&spec).unwrap()) {
        add(&format!("eks/addon:{name}"), observed("arn", &[("version", Value::text("v0"))]));
    }
    observation
}

#[tokio::test]
async fn a_running_cluster_answers_everything_itself() {
    let server = Server::start(|request| region(request, &[]));
    let facts = surveyed(&server, "", &running()).await.unwrap();
    let found = EksFacts::from_facts(&facts).unwrap();
    assert!(server.calls().is_empty(), "{:?}", server.calls());
    assert_eq!(found.zones, ["us-east-1e", "us-east-1d", "us-east-1a"]);
    assert_eq!(found.kubernetes_version.to_string(), "1.33");
    assert_eq!(found.creator_arn.as_deref(), Some("arn:aws:iam::123456789012:role/first"));
    assert_eq!(found.instance_types["worker"], ["m6i.4xlarge"]);
    assert!(found.addon_versions.values().all(|version| version == "v0"));
}

#[tokio::test]
async fn a_new_kubernetes_version_brings_new_addons() {
    let server = Server::start(|request| region(request, &[]));
    let facts = surveyed(&server, "[kubernetes]\nversion = \"1.36\"", &running()).await.unwrap();
    let found = EksFacts::from_facts(&facts).unwrap();
    assert_eq!(found.addon_versions.get("coredns").map(String::as_str), Some("v1"));
    let is_about_versions =
        |call: &String| call.starts_with("GET /addons/supported-versions") || call.starts_with("GET /cluster-versions");
    assert!(server.calls().iter().all(is_about_versions), "{:?}", server.calls());
}

#[tokio::test]
async fn a_kubernetes_version_that_eks_does_not_have_is_refused_before_anything_is_made() {
    let versions = r#"{"clusterVersions": [{"clusterVersion": "1.34"}, {"clusterVersion": "1.33"}]}"#;
    let server = Server::start(move |request| {
        if request.call.starts_with("GET /cluster-versions") {
            return Answer::Status(200, versions.to_owned());
        }
        region(request, &[])
    });
    let error = surveyed(&server, "[kubernetes]\nversion = \"1.99\"", &Observation::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid { field: Some("kubernetes.version".to_owned()) });
    assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("1.33, 1.34")), "{error:?}");
    surveyed(&server, "[kubernetes]\nversion = \"1.33\"", &Observation::default()).await.unwrap();
}

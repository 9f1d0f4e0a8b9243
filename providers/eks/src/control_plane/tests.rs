//! The control plane against answers of EKS as its API reference shows them.

use howso_infra_core::operation::FieldChange;
use howso_infra_core::{
    Attributes, ClusterIdentity, DeploymentId, Generation, Observation, Operation, OperationVerb, Ownership, Progress,
    ResourceId, ScopeKinds, Submitted, Ticket, Value, Work,
};
use serde_json::{Value as Json, json};

use super::{ClusterState, has_access_entries, observe_cluster, observe_parts, poll, submit};
use crate::context::ObserveContext;
use crate::options::EksOptions;
use crate::options::tests::specification;
use crate::testing::{Answer, Request, Server};

const DEPLOYMENT: &str = "0123456789abcdef0123456789abcdef";
const CLUSTER_ARN: &str = "arn:aws:eks:us-east-1:123456789012:cluster/demo";

fn deployment() -> DeploymentId {
    DEPLOYMENT.parse().unwrap()
}

fn tags(deployment: &str, resource: &str) -> Json {
    json!({
        "howso-infra/cluster": "demo",
        "howso-infra/deployment": deployment,
        "howso-infra/resource": resource,
        "howso-infra/generation": "3",
        "Name": "demo-x",
    })
}

fn cluster(status: &str, deployment: &str) -> Json {
    json!({ "cluster": {
        "name": "demo",
        "arn": CLUSTER_ARN,
        "version": "1.34",
        "status": status,
        "endpoint": "https://0.gr7.us-east-1.eks.amazonaws.com",
        "certificateAuthority": { "data": "Y2E=" },
        "deletionProtection": true,
        "logging": { "clusterLogging": [
            { "types": ["scheduler", "api"], "enabled": true }, { "types": ["audit"], "enabled": false } ] },
        "tags": tags(deployment, "eks/cluster:main"),
        "anythingNew": [1],
    } })
}

fn ok(body: &Json) -> Answer {
    Answer::Status(200, body.to_string())
}

fn not_found() -> Answer {
    Answer::Status(404, json!({ "__type": "ResourceNotFoundException", "message": "No cluster found" }).to_string())
}

async fn observed(server: &Server) -> (Observation, ClusterState) {
    let spec = specification("small", "").unwrap();
    let options = EksOptions::from_spec(&spec).unwrap();
    let deployment = deployment();
    let context = ObserveContext { spec: &spec, options: &options, deployment: Some(&deployment) };
    let (mut observation, state) = observe_cluster(&server.clients(), &context, &ScopeKinds::All).await;
    observation.merge(observe_parts(&server.clients(), &context, &state, &ScopeKinds::All).await);
    (observation, state)
}

fn operation(resource: &str, work: Work) -> Operation {
    let identity = ClusterIdentity { cluster: "demo".to_owned(), deployment: deployment(), generation: Generation(3) };
    let resource: ResourceId = resource.parse().unwrap();
    Operation { token: identity.token(&resource, "test"), resource, work, identity }
}

fn update(call: &str, field: &str, to: impl Into<Value>, wanted: Attributes) -> Operation {
    let changes = vec![FieldChange { field: field.to_owned(), from: None, to: to.into() }];
    let (physical_id, call) = (CLUSTER_ARN.to_owned(), call.to_owned());
    operation("eks/cluster:main", Work::Update { physical_id, call, changes, attributes: wanted })
}

/// The body of the only mutating request.
fn body(server: &Server) -> Json {
    let requests = server.requests();
    let mut mutations = requests.iter().filter(|request| !request.call.starts_with("GET "));
    let request = mutations.next().expect("something was changed");
    assert!(mutations.next().is_none(), "one call changes one thing");
    serde_json::from_str(&request.body).unwrap_or_default()
}

#[tokio::test]
async fn without_a_cluster_nothing_that_hangs_on_it_is_asked() {
    let server = Server::start(|_| not_found());
    let (observation, state) = observed(&server).await;
    assert!(matches!(state, ClusterState::NotOurs));
    assert_eq!(observation, Observation::default());
    assert_eq!(server.calls(), ["GET /clusters/demo"]);
}

#[tokio::test]
async fn a_strangers_cluster_is_foreign_and_its_parts_are_not_read() {
    let server = Server::start(|_| ok(&cluster("ACTIVE", "ffffffffffffffffffffffffffffffff")));
    let (observation, _) = observed(&server).await;
    let found = &observation.resources[&"eks/cluster:main".parse().unwrap()][0];
    assert!(matches!(found.ownership, Ownership::Foreign { .. }));
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn a_cluster_that_cannot_be_read_hides_everything_on_it() {
    let denied = json!({ "__type": "AccessDeniedException", "message": "no" }).to_string();
    let server = Server::start(move |_| Answer::Status(403, denied.clone()));
    let (observation, state) = observed(&server).await;
    assert!(matches!(state, ClusterState::Unknown(_)));
    for kind in ["eks/cluster", "eks/addon", "eks/access-entry", "eks/access-policy", "eks/pod-identity-association"] {
        assert!(observation.gap(kind).is_some(), "{kind}");
    }
}

/// A cluster with an add-on, an entry of ours, one that EKS made for nodes, and an association.
fn whole(request: &Request) -> Answer {
    let entry = "/clusters/demo/access-entries/arn%3Aaws%3Aiam%3A%3A123456789012%3A";
    let ours = "arn:aws:iam::123456789012:role/operator";
    let nodes = "arn:aws:iam::123456789012:role/node";
    let path = request.call.strip_prefix("GET ").unwrap_or_default();
    match path.split('?').next().unwrap_or_default() {
        "/clusters/demo" => ok(&cluster("ACTIVE", DEPLOYMENT)),
        "/clusters/demo/addons" => ok(&json!({ "addons": ["vpc-cni"] })),
        "/clusters/demo/addons/vpc-cni" => ok(&json!({ "addon": {
            "addonName": "vpc-cni",
            "addonArn": "arn:aws:eks:us-east-1:123456789012:addon/demo/vpc-cni/1",
            "addonVersion": "v1",
            "status": "ACTIVE",
            "configurationValues": "{\"enableNetworkPolicy\": \"true\"}",
            "tags": tags(DEPLOYMENT, "eks/addon:vpc-cni"),
        } })),
        "/clusters/demo/access-entries" => ok(&json!({ "accessEntries": [ours, nodes] })),
        "/clusters/demo/pod-identity-associations" => ok(&json!({ "associations": [
            { "namespace": "kube-system", "serviceAccount": "cluster-autoscaler", "associationId": "a-1" },
            { "namespace": "team", "serviceAccount": "theirs", "associationId": "a-2" },
        ] })),
        "/clusters/demo/pod-identity-associations/a-1" => ok(&json!({ "association": {
            "namespace": "kube-system",
            "serviceAccount": "cluster-autoscaler",
            "roleArn": "arn:aws:iam::123456789012:role/r",
            "associationId": "a-1",
            "associationArn": "arn:aws:eks:us-east-1:123456789012:podidentityassociation/demo/a-1",
            "tags": tags(DEPLOYMENT, "eks/pod-identity-association:autoscaler"),
        } })),
        path if path == format!("{entry}role%2Foperator") => ok(&json!({ "accessEntry": {
            "principalArn": ours, "type": "STANDARD", "tags": tags(DEPLOYMENT, "eks/access-entry:creator"),
        } })),
        path if path == format!("{entry}role%2Foperator/access-policies") => ok(&json!({ "associatedAccessPolicies": [
            { "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
              "accessScope": { "type": "cluster", "namespaces": [] } },
        ] })),
        path if path == format!("{entry}role%2Fnode") => {
            ok(&json!({ "accessEntry": { "principalArn": nodes, "type": "EC2_LINUX", "tags": {} } }))
        }
        _ => not_found(),
    }
}

#[tokio::test]
async fn what_hangs_on_the_cluster_is_read_once_and_strangers_are_left_alone() {
    let server = Server::start(whole);
    let (observation, _) = observed(&server).await;
    let names: Vec<_> = observation.resources.keys().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "eks/access-entry:creator",
            "eks/access-policy:creator",
            "eks/addon:vpc-cni",
            "eks/cluster:main",
            "eks/pod-identity-association:autoscaler",
        ]
    );
    assert_eq!(observation.gaps, []);
    let mut calls = server.calls();
    let count = calls.len();
    calls.dedup();
    assert_eq!((calls.len(), count), (9, 9), "{calls:?}");
    let cluster = observation.one(&"eks/cluster:main".parse().unwrap()).unwrap();
    assert_eq!(cluster.attributes["logging"], Value::texts(["api", "scheduler"]));
    // What the service did not report is not there to be compared.
    assert!(!cluster.attributes.contains_key("support_type") && !cluster.attributes.contains_key("subnet_ids"));
}

#[tokio::test]
async fn a_list_that_is_denied_is_a_gap_and_one_that_the_server_lacks_is_empty() {
    let server = Server::start(|request| match request.call.as_str() {
        call if call.contains("/addons") => {
            Answer::Status(403, json!({ "__type": "AccessDeniedException", "message": "no" }).to_string())
        }
        call if call.contains("/access-entries") => Answer::Status(404, "<html>Not Found</html>".to_owned()),
        _ => whole(request),
    });
    let (observation, _) = observed(&server).await;
    assert!(observation.gap("eks/addon").is_some());
    assert!(observation.gap("eks/access-entry").is_none());
    assert!(observation.one(&"eks/pod-identity-association:autoscaler".parse().unwrap()).is_some());
    assert!(!has_access_entries(&server.clients(), "demo").await.unwrap());
}

#[tokio::test]
async fn a_cluster_is_made_as_wanted_and_waited_for() {
    let server = Server::start(|_| ok(&cluster("CREATING", DEPLOYMENT)));
    let attributes = Attributes::from([
        ("name".to_owned(), "demo".into()),
        ("version".to_owned(), "1.34".into()),
        ("role_arn".to_owned(), "arn:aws:iam::123456789012:role/c".into()),
        ("subnet_ids".to_owned(), Value::texts(["subnet-1", "subnet-2"])),
        ("endpoint_private".to_owned(), true.into()),
        ("endpoint_public".to_owned(), true.into()),
        ("public_access_cidrs".to_owned(), Value::texts(["203.0.113.0/24"])),
        ("logging".to_owned(), Value::texts(["audit"])),
        ("authentication_mode".to_owned(), "API".into()),
        ("support_type".to_owned(), "STANDARD".into()),
        ("deletion_protection".to_owned(), true.into()),
        ("kms_key_arn".to_owned(), "arn:aws:kms:us-east-1:123456789012:key/1".into()),
        ("tags".to_owned(), Value::text_map([("team", "ml")])),
    ]);
    let operation = operation("eks/cluster:main", Work::Create { attributes });
    let Submitted::Accepted(ticket) = submit(&server.clients(), &operation).await.unwrap() else {
        panic!("a new cluster is not ready at once")
    };
    assert_eq!(ticket.physical_id, CLUSTER_ARN);
    let mut sent = body(&server);
    assert_eq!(sent["clientRequestToken"], operation.token.as_str());
    assert_eq!(sent["tags"]["howso-infra/deployment"], DEPLOYMENT);
    assert_eq!(sent["tags"]["team"], "ml");
    for field in ["clientRequestToken", "tags"] {
        sent.as_object_mut().unwrap().remove(field);
    }
    assert_eq!(
        sent,
        json!({
            "name": "demo",
            "version": "1.34",
            "roleArn": "arn:aws:iam::123456789012:role/c",
            "resourcesVpcConfig": {
                "subnetIds": ["subnet-1", "subnet-2"],
                "endpointPrivateAccess": true,
                "endpointPublicAccess": true,
                "publicAccessCidrs": ["203.0.113.0/24"],
            },
            "logging": { "clusterLogging": [{ "types": ["audit"], "enabled": true }] },
            "accessConfig": { "authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": false },
            "bootstrapSelfManagedAddons": false,
            "upgradePolicy": { "supportType": "STANDARD" },
            "deletionProtection": true,
            "encryptionConfig": [
                { "resources": ["secrets"], "provider": { "keyArn": "arn:aws:kms:us-east-1:123456789012:key/1" } }
            ],
        })
    );
    let progress = poll(&server.clients(), &ticket).await.unwrap();
    assert_eq!(progress, Progress::Pending { state: "CREATING".to_owned() });
}

fn ticket(resource: &str, verb: OperationVerb) -> Ticket {
    let context = Attributes::new();
    Ticket { resource: resource.parse().unwrap(), verb, physical_id: CLUSTER_ARN.to_owned(), context }
}

#[tokio::test]
async fn a_new_cluster_settles_with_its_address_or_fails_with_the_reason() {
    let server = Server::start(|_| ok(&cluster("ACTIVE", DEPLOYMENT)));
    let ticket = ticket("eks/cluster:main", OperationVerb::Create);
    let Progress::Settled { outputs } = poll(&server.clients(), &ticket).await.unwrap() else {
        panic!("an active cluster is settled")
    };
    assert_eq!(outputs["endpoint"], Value::text("https://0.gr7.us-east-1.eks.amazonaws.com"));
    let server = Server::start(|_| {
        let mut failed = cluster("FAILED", DEPLOYMENT);
        failed["cluster"]["health"] = json!({ "issues": [{ "code": "AccessDenied", "message": "no role" }] });
        ok(&failed)
    });
    let Progress::Failed(error) = poll(&server.clients(), &ticket).await.unwrap() else {
        panic!("a failed cluster is a failure")
    };
    assert_eq!(error.code.as_deref(), Some("AccessDenied"));
}

#[tokio::test]
async fn a_deleted_cluster_is_waited_for_until_it_is_gone() {
    let deleted = ticket("eks/cluster:main", OperationVerb::Delete);
    let server = Server::start(|_| ok(&cluster("DELETING", DEPLOYMENT)));
    assert!(matches!(poll(&server.clients(), &deleted).await.unwrap(), Progress::Pending { .. }));
    let server = Server::start(|_| not_found());
    assert!(matches!(poll(&server.clients(), &deleted).await.unwrap(), Progress::Settled { .. }));
}

#[tokio::test]
async fn an_upgrade_goes_to_the_next_version_and_not_to_the_last_one_wanted() {
    let server =
        Server::start(|_| ok(&json!({ "update": { "id": "u-1", "status": "InProgress", "type": "VersionUpdate" } })));
    let wanted = Attributes::from([("version".to_owned(), "1.36".into())]);
    let operation = update("update-version", "version", "1.35", wanted);
    let Submitted::Accepted(ticket) = submit(&server.clients(), &operation).await.unwrap() else {
        panic!("an upgrade takes its time")
    };
    assert_eq!(body(&server)["version"], "1.35");
    assert!(matches!(poll(&server.clients(), &ticket).await.unwrap(), Progress::Pending { .. }));
    assert!(server.calls().contains(&"GET /clusters/demo/updates/u-1".to_owned()));
}

#[tokio::test]
async fn the_protection_comes_off_though_the_attributes_still_want_it() {
    let server = Server::start(|_| ok(&json!({})));
    let wanted = Attributes::from([("deletion_protection".to_owned(), true.into())]);
    let operation = update("update-deletion-protection", "deletion_protection", false, wanted);
    // An answer without an update has nothing to wait for.
    assert!(matches!(submit(&server.clients(), &operation).await.unwrap(), Submitted::Settled { .. }));
    assert_eq!(body(&server)["deletionProtection"], false);
}

#[tokio::test]
async fn logs_that_are_no_longer_wanted_are_turned_off() {
    let server = Server::start(|_| ok(&json!({})));
    let logs = Value::texts(["audit"]);
    let operation = update("update-logging", "logging", logs.clone(), Attributes::from([("logging".to_owned(), logs)]));
    submit(&server.clients(), &operation).await.unwrap();
    assert_eq!(
        body(&server)["logging"]["clusterLogging"],
        json!([
            { "types": ["audit"], "enabled": true },
            { "types": ["api", "authenticator", "controllerManager", "scheduler"], "enabled": false },
        ])
    );
}

#[tokio::test]
async fn the_key_of_a_cluster_is_not_changed_and_nothing_is_sent() {
    let server = Server::start(|_| ok(&json!({})));
    let mut operation = update("associate-encryption", "kms_key_arn", "new", Attributes::new());
    let Work::Update { changes, .. } = &mut operation.work else { unreachable!() };
    changes[0].from = Some("old".into());
    assert!(submit(&server.clients(), &operation).await.is_err());
    assert!(server.calls().is_empty());
}

#[tokio::test]
async fn an_addon_that_is_no_longer_managed_goes_on_running() {
    let server = Server::start(|_| ok(&json!({ "addon": { "status": "DELETING" } })));
    let physical_id = "arn:aws:eks:us-east-1:123456789012:addon/demo/vpc-cni/1".to_owned();
    let operation = operation("eks/addon:vpc-cni", Work::Delete { physical_id, attributes: Attributes::new() });
    submit(&server.clients(), &operation).await.unwrap();
    assert_eq!(server.calls(), ["DELETE /clusters/demo/addons/vpc-cni?preserve=true"]);
}

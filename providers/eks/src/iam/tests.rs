//! Roles against answers of IAM as its API reference shows them.

use howso_infra_core::{Observation, Ownership, ResourceId, ScopeKinds};

use super::observe;
use crate::context::ObserveContext;
use crate::options::EksOptions;
use crate::options::tests::specification;
use crate::testing::{Answer, Request, Server};

const DEPLOYMENT: &str = "0123456789abcdef0123456789abcdef";

async fn observed(server: &Server, more: &str) -> Observation {
    let spec = specification("small", more).unwrap();
    let options = EksOptions::from_spec(&spec).unwrap();
    let deployment = DEPLOYMENT.parse().unwrap();
    let context = ObserveContext { spec: &spec, options: &options, deployment: Some(&deployment) };
    observe(&server.clients(), &context, &ScopeKinds::All).await
}

fn answer(call: &str, fields: &str) -> Answer {
    Answer::Status(200, format!("<{call}Response><{call}Result>{fields}</{call}Result></{call}Response>"))
}

fn missing() -> Answer {
    let error = "<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>no</Message></Error></ErrorResponse>";
    Answer::Status(404, error.to_owned())
}

fn role(request: &Request, deployment: &str) -> Answer {
    let name = request.body.split("RoleName=").nth(1).and_then(|rest| rest.split('&').next()).unwrap_or_default();
    let tag = |key: &str, value: &str| format!("<member><Key>{key}</Key><Value>{value}</Value></member>");
    let tags = tag("howso-infra/cluster", "demo") + &tag("howso-infra/deployment", deployment);
    answer(
        "GetRole",
        &format!(
            "<Role><Path>/</Path><RoleName>{name}</RoleName><RoleId>AROA</RoleId>\
             <Arn>arn:aws:iam::123456789012:role/{name}</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>\
             <Tags>{tags}</Tags></Role>"
        ),
    )
}

#[tokio::test]
async fn roles_are_read_by_name_and_without_listing_the_account() {
    let server = Server::start(|_| missing());
    assert_eq!(observed(&server, "").await, Observation::default());
    assert_eq!(server.calls(), ["GetRole"; 5]);
}

#[tokio::test]
async fn our_roles_are_read_with_their_policies() {
    let server = Server::start(|request| match request.call.as_str() {
        "GetRole" => role(request, DEPLOYMENT),
        "ListAttachedRolePolicies" if request.body.contains("demo-us-east-1-cluster") => answer(
            "ListAttachedRolePolicies",
            "<AttachedPolicies><member><PolicyArn>arn:aws:iam::aws:policy/AmazonEKSClusterPolicy</PolicyArn></member>\
             <member><PolicyArn>arn:aws:iam::aws:policy/ReadOnlyAccess</PolicyArn></member></AttachedPolicies>",
        ),
        "ListAttachedRolePolicies" => answer("ListAttachedRolePolicies", "<AttachedPolicies/>"),
        _ => missing(),
    });
    let observation = observed(&server, "").await;
    assert_eq!(observation.gaps, []);
    let names: Vec<_> = observation.resources.keys().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "iam/role:autoscaler",
            "iam/role:client",
            "iam/role:cluster",
            "iam/role:ebs-csi",
            "iam/role:node",
            "iam/role-policy-attachment:cluster-AmazonEKSClusterPolicy",
        ]
    );
    assert_eq!(server.calls().len(), 11, "{:?}", server.calls());
}

#[tokio::test]
async fn a_strangers_role_on_our_name_is_seen_and_not_looked_into() {
    let server = Server::start(|request| role(request, "ffffffffffffffffffffffffffffffff"));
    let observation = observed(&server, "").await;
    let found = &observation.resources[&ResourceId::new("iam/role", "node")][0];
    assert!(matches!(found.ownership, Ownership::Foreign { .. }));
    assert_eq!(server.calls(), ["GetRole"; 5]);
}

#[tokio::test]
async fn roles_that_the_user_brings_are_never_asked_for() {
    let server = Server::start(|_| missing());
    let roles: String = ["cluster_role", "node_role", "ebs_csi_role", "autoscaler_role", "client_role"]
        .map(|key| format!("{key} = \"arn:aws:iam::123456789012:role/own\"\n"))
        .concat();
    observed(&server, &format!("[eks.iam]\n{roles}")).await;
    assert!(server.calls().is_empty());
}

#[tokio::test]
async fn a_denied_read_is_a_gap_for_all_of_iam() {
    let denied = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
    let server = Server::start(move |_| Answer::Status(403, denied.to_owned()));
    let observation = observed(&server, "").await;
    assert_eq!(observation.gaps.len(), 1);
    for kind in ["iam/role", "iam/role-policy", "iam/role-policy-attachment"] {
        assert!(observation.gap(kind).is_some(), "{kind}");
    }
}

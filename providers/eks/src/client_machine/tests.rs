//! The machine for clients against answers of EC2 and IAM as their API references show them.

use howso_infra_core::{
    Attributes, Observation, OperationVerb, Progress, ResourceId, ScopeKinds, Status, Ticket, Value,
};

use super::{found, observe, poll};
use crate::context::ObserveContext;
use crate::options::EksOptions;
use crate::options::tests::specification;
use crate::testing::{Answer, Server, ec2};

const DEPLOYMENT: &str = "0123456789abcdef0123456789abcdef";

fn instances(state: &str, more: &str) -> Answer {
    let tags = [
        ("howso-infra/cluster", "demo"),
        ("howso-infra/deployment", DEPLOYMENT),
        ("howso-infra/resource", "ec2/instance:client"),
    ];
    let tags = tags.map(|(key, value)| format!("<item><key>{key}</key><value>{value}</value></item>")).concat();
    ec2(
        "DescribeInstances",
        &format!(
            "<reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><instanceType>c6a.4xlarge</instanceType>\
             <instanceState><code>0</code><name>{state}</name></instanceState><subnetId>subnet-1</subnetId>{more}\
             <tagSet>{tags}</tagSet></item></instancesSet></item></reservationSet>"
        ),
    )
}

async fn observed(server: &Server) -> Observation {
    let spec = specification("small", "").unwrap();
    let options = EksOptions::from_spec(&spec).unwrap();
    let deployment = DEPLOYMENT.parse().unwrap();
    let context = ObserveContext { spec: &spec, options: &options, deployment: Some(&deployment) };
    Box::pin(observe(&server.clients(), &context, &ScopeKinds::All)).await
}

fn machine() -> ResourceId {
    ResourceId::new("ec2/instance", "client")
}

#[tokio::test]
async fn whether_it_runs_is_up_to_its_users() {
    for (state, status) in [
        ("pending", Some(Status::Pending { state: "pending".to_owned() })),
        ("something-new", Some(Status::Pending { state: "something-new".to_owned() })),
        ("running", Some(Status::Ready)),
        ("stopping", Some(Status::Ready)),
        ("stopped", Some(Status::Ready)),
        ("shutting-down", Some(Status::Deleting)),
        ("terminated", None),
    ] {
        let server = Server::start(move |request| match request.call.as_str() {
            "DescribeInstances" => instances(state, ""),
            "GetInstanceProfile" => Answer::Status(
                404,
                "<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>no</Message></Error></ErrorResponse>"
                    .to_owned(),
            ),
            call => ec2(call, ""),
        });
        let observation = observed(&server).await;
        assert_eq!(observation.gaps, [], "{state}");
        assert_eq!(observation.one(&machine()).map(|observed| observed.status.clone()), status, "{state}");
        let told = found(&observation, "us-east-1");
        assert_eq!(told.map(|machine| machine.state), status.map(|_| state.to_owned()));
        assert_eq!(server.calls(), ["DescribeInstances", "DescribeSecurityGroups", "GetInstanceProfile"]);
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_a_gap_of_its_kinds_alone() {
    let server = Server::start(|request| match request.call.as_str() {
        "GetInstanceProfile" => Answer::Status(
            403,
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>".to_owned(),
        ),
        "DescribeInstances" => instances("running", ""),
        call => ec2(call, ""),
    });
    let observation = observed(&server).await;
    assert!(observation.one(&machine()).is_some());
    let kinds: Vec<_> = observation.gaps.iter().flat_map(|gap| gap.kinds.clone()).collect();
    assert_eq!(kinds, ["iam/instance-profile", "iam/instance-profile-role"]);
}

async fn progress(verb: OperationVerb, state: &'static str) -> Progress {
    let reason = "<stateReason><code>Server.InternalError</code><message>no such key</message></stateReason>";
    let server = Server::start(move |_| instances(state, reason));
    let ticket = Ticket { resource: machine(), verb, physical_id: "i-1".to_owned(), context: Attributes::new() };
    poll(&server.clients(), &ticket).await.unwrap()
}

#[tokio::test]
async fn one_that_ends_while_it_is_made_has_failed() {
    assert!(matches!(progress(OperationVerb::Create, "pending").await, Progress::Pending { .. }));
    let Progress::Settled { outputs } = progress(OperationVerb::Create, "running").await else { panic!("it runs") };
    assert_eq!(outputs.get("state"), Some(&Value::text("running")));
    for state in ["shutting-down", "terminated"] {
        let Progress::Failed(error) = progress(OperationVerb::Create, state).await else { panic!("it is {state}") };
        assert_eq!(error.message, "Server.InternalError: no such key");
        assert_eq!(error.code.as_deref(), Some("Server.InternalError"));
    }
}

#[tokio::test]
async fn one_that_is_removed_is_waited_for() {
    assert!(matches!(progress(OperationVerb::Delete, "shutting-down").await, Progress::Pending { .. }));
    assert!(matches!(progress(OperationVerb::Delete, "running").await, Progress::Pending { .. }));
    assert!(matches!(progress(OperationVerb::Delete, "terminated").await, Progress::Settled { .. }));
}

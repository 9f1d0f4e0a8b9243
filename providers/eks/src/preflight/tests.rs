//! The preflight against answers of AWS: what it finds, and that it finds everything at once.

use std::collections::{BTreeMap, BTreeSet};

use howso_infra_core::plan::{Kinds, PlanInput, Replacement, plan_up};
use howso_infra_core::provider::Facts;
use howso_infra_core::{ClusterIdentity, ErrorKind, Finding, Generation, Graph, Observation, Plan, Severity};

use super::preflight;
use crate::facts::EksFacts;
use crate::graph::graph;
use crate::kinds::KINDS;
use crate::options::tests::specification;
use crate::testing::{Answer, Request, Server, ec2};

fn plan(graph: &Graph) -> Plan {
    let identity = ClusterIdentity {
        cluster: "demo".to_owned(),
        deployment: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        generation: Generation::FIRST,
    };
    plan_up(PlanInput {
        graph,
        kinds: &Kinds::new([&KINDS[..]]),
        observation: &Observation::default(),
        identity: &identity,
        pending: &BTreeMap::new(),
        replacement: Replacement::Refused,
    })
}

fn facts() -> Facts {
    let types = [("core", "m6i.2xlarge"), ("worker", "m6i.4xlarge")];
    let facts = EksFacts {
        account: "123456789012".to_owned(),
        partition: "aws".to_owned(),
        creator_arn: Some("arn:aws:iam::123456789012:user/ann".to_owned()),
        zones: ["us-east-1a", "us-east-1b", "us-east-1d"].map(str::to_owned).into(),
        kubernetes_version: "1.34".parse().unwrap(),
        instance_types: types.map(|(pool, name)| (pool.to_owned(), vec![name.to_owned()])).into(),
        addon_versions: BTreeMap::new(),
        api_networks: Vec::new(),
        running_addons: BTreeSet::new(),
    };
    Facts { values: facts.to_attributes(), ..Facts::default() }
}

async fn checked(server: &Server, more: &str) -> Vec<Finding> {
    let spec = specification("large", more).unwrap();
    let plan = plan(&graph(&spec, &facts()).unwrap());
    preflight(&server.clients(), &spec, &facts(), &plan, &Observation::default()).await
}

fn about<'a>(findings: &'a [Finding], subject: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.subject == subject).unwrap_or_else(|| panic!("{subject} in {findings:#?}"))
}

/// An account in good order, where every quota is 5 except that of vCPUs, which is 400.
fn account(request: &Request) -> Answer {
    let call = request.call.as_str();
    match call {
        "GetCallerIdentity" => {
            let result = "<Arn>arn:aws:iam::123456789012:user/ann</Arn><Account>123456789012</Account>";
            ec2(call, &format!("<GetCallerIdentityResult>{result}</GetCallerIdentityResult>"))
        }
        "SimulatePrincipalPolicy" => {
            let denied = "<member><EvalActionName>ec2:CreateVpc</EvalActionName><EvalDecision>implicitDeny</EvalDecision></member>";
            let result = format!("<EvaluationResults>{denied}</EvaluationResults><IsTruncated>false</IsTruncated>");
            ec2(call, &format!("<SimulatePrincipalPolicyResult>{result}</SimulatePrincipalPolicyResult>"))
        }
        "DescribeAvailabilityZones" => {
            let zone = |name: &str| format!("<item><zoneName>{name}</zoneName><zoneState>available</zoneState></item>");
            let zones = zone("us-east-1a") + &zone("us-east-1b");
            ec2(call, &format!("<availabilityZoneInfo>{zones}</availabilityZoneInfo>"))
        }
        "DescribeInstanceTypeOfferings" => {
            let offer = |name: &str, zone: &str| {
                format!("<item><instanceType>{name}</instanceType><location>{zone}</location></item>")
            };
            let offers: String =
                ["us-east-1a", "us-east-1b", "us-east-1d"].map(|zone| offer("m6i.2xlarge", zone)).concat();
            let offers = offers + &offer("m6i.4xlarge", "us-east-1a");
            ec2(call, &format!("<instanceTypeOfferingSet>{offers}</instanceTypeOfferingSet>"))
        }
        "DescribeVpcs" => {
            let vpc = |id: usize| format!("<item><vpcId>vpc-{id}</vpcId><cidrBlock>10.{id}.0.0/16</cidrBlock></item>");
            let vpcs: String = [1, 2, 3, 4, 42].map(vpc).concat();
            ec2(call, &format!("<vpcSet>{vpcs}</vpcSet>"))
        }
        "DescribeInstances" => {
            let instance = |tags: &str| {
                format!("<item><instanceId>i</instanceId><instanceType>m6i.8xlarge</instanceType>{tags}</item>")
            };
            let own = "<tagSet><item><key>eks:cluster-name</key><value>demo</value></item></tagSet>";
            let set = instance("") + &instance("") + &instance(own);
            ec2(call, &format!("<reservationSet><item><instancesSet>{set}</instancesSet></item></reservationSet>"))
        }
        "POST /" if request.body.contains("QuotaCode") => {
            let value = if request.body.contains("L-1216C47A") { 400.0 } else { 5.0 };
            Answer::Status(200, format!(r#"{{"Quota":{{"Value":{value}}}}}"#))
        }
        _ if call.starts_with("GET /clusters") => Answer::Status(200, r#"{"clusters":[]}"#.to_owned()),
        other => ec2(other, ""),
    }
}

#[tokio::test]
async fn everything_is_found_at_once() {
    let findings = checked(&Server::start(account), "").await;
    let told = |subject: &str| {
        let finding = about(&findings, subject);
        (finding.severity, finding.message.as_str())
    };
    assert_eq!(told("credentials").0, Severity::Good);
    assert_eq!(told("permissions").0, Severity::Warning);
    assert_eq!(told("zones"), (Severity::Blocking, "us-east-1d cannot be used by this account"));
    assert_eq!(told("instance types: core").0, Severity::Good);
    assert_eq!(
        told("instance types: worker"),
        (Severity::Blocking, "m6i.4xlarge is not offered in us-east-1b, us-east-1d")
    );
    assert_eq!(told("address space").0, Severity::Good);
    assert_eq!(told("address space: other networks").0, Severity::Warning);
    assert_eq!(told("quota: VPCs"), (Severity::Blocking, "1 needed, 5 of 5 used"));
    assert_eq!(told("quota: elastic IPs"), (Severity::Good, "3 needed, 0 of 5 used"));
    assert_eq!(told("quota: NAT gateways in a zone"), (Severity::Good, "1 needed, 0 of 5 used"));
    // 3 × 8 of the core and 20 × 16 of the workers, beside two machines of others with 32 each.
    assert_eq!(
        told("quota: vCPUs of on-demand standard instances"),
        (Severity::Blocking, "344 needed, 64 of 400 used")
    );
    let kind = about(&findings, "quota: VPCs").kind.clone().unwrap();
    assert!(matches!(kind, ErrorKind::Quota { .. }), "{kind:?}");
    let cures = findings.iter().filter(|finding| finding.severity == Severity::Blocking);
    assert!(cures.into_iter().all(|finding| finding.cure.is_some()), "{findings:#?}");
}

#[tokio::test]
async fn apis_that_are_not_there_are_notes() {
    let server = Server::start(|_| Answer::Status(501, "<html>not implemented</html>".to_owned()));
    let findings = checked(&server, "").await;
    assert!(findings.iter().all(|finding| finding.severity <= Severity::Note), "{findings:#?}");
    assert_eq!(about(&findings, "quota: VPCs").severity, Severity::Note);
}

#[tokio::test]
async fn a_plan_without_steps_asks_nothing() {
    let server = Server::start(account);
    let spec = specification("large", "").unwrap();
    let findings =
        preflight(&server.clients(), &spec, &facts(), &plan(&Graph::default()), &Observation::default()).await;
    assert!(findings.is_empty() && server.calls().is_empty(), "{findings:?} {:?}", server.calls());
}

#[tokio::test]
async fn an_existing_network_must_be_there_and_fit() {
    let more = "[eks.network]\nvpc = \"vpc-01234567\"\nprivate_subnets = [\"subnet-01234567\", \"subnet-89abcdef\"]";
    let gone = Server::start(|request| match request.call.as_str() {
        "DescribeVpcs" => ec2(&request.call, ""),
        _ => account(request),
    });
    assert!(checked(&gone, more).await.iter().any(|finding| finding.message.contains("there is no vpc-01234567")));
    let unfit = Server::start(|request| match request.call.as_str() {
        "DescribeVpcs" => ec2(&request.call, "<vpcSet><item><vpcId>vpc-01234567</vpcId></item></vpcSet>"),
        "DescribeVpcAttribute" => ec2(&request.call, "<enableDnsHostnames><value>false</value></enableDnsHostnames>"),
        "DescribeSubnets" => {
            let subnet = |id: &str, vpc: &str, free: u8| {
                let zone = "<availabilityZone>us-east-1a</availabilityZone>";
                let free = format!("<availableIpAddressCount>{free}</availableIpAddressCount>");
                format!("<item><subnetId>{id}</subnetId><vpcId>{vpc}</vpcId>{zone}{free}</item>")
            };
            let subnets =
                subnet("subnet-01234567", "vpc-01234567", 3) + &subnet("subnet-89abcdef", "vpc-00000000", 200);
            ec2(&request.call, &format!("<subnetSet>{subnets}</subnetSet>"))
        }
        _ => account(request),
    });
    let findings = checked(&unfit, more).await;
    let blocking = findings.iter().filter(|finding| finding.subject == "existing network" && finding.kind.is_some());
    let messages: Vec<_> = blocking.map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "vpc-01234567 has DNS support or DNS host names turned off, and nodes need both",
            "subnet-01234567 has 3 free addresses; EKS needs 6 and recommends 16",
            "subnet-89abcdef is in vpc-00000000, not in vpc-01234567",
            "the private subnets are in fewer than two zones",
        ]
    );
}

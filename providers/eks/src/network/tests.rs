//! The network against answers of EC2 as its documentation shows them.

use std::collections::{BTreeMap, BTreeSet};

use howso_infra_core::operation::FieldChange;
use howso_infra_core::{
    Attributes, ClusterIdentity, DeploymentId, ErrorKind, Generation, Observation, Operation, OperationVerb, Progress,
    ResourceId, ScopeKinds, Status, Submitted, Ticket, Value, Work,
};

use super::{graph, observe, observe_one, poll, submit};
use crate::context::{ObserveContext, Wanted};
use crate::facts::EksFacts;
use crate::options::EksOptions;
use crate::options::tests::specification;
use crate::testing::{Answer, Request, Server, ec2, ec2_error};

const DEPLOYMENT: &str = "0123456789abcdef0123456789abcdef";

fn deployment() -> DeploymentId {
    DEPLOYMENT.parse().unwrap()
}

/// Our tags, in EC2's XML.
fn tags(resource: &str) -> String {
    tags_of(DEPLOYMENT, resource)
}

fn tags_of(deployment: &str, resource: &str) -> String {
    let tags = [
        ("howso-infra/cluster", "demo"),
        ("howso-infra/deployment", deployment),
        ("howso-infra/resource", resource),
        ("howso-infra/generation", "3"),
        ("Name", "demo-x"),
    ];
    let items = tags.map(|(key, value)| format!("<item><key>{key}</key><value>{value}</value></item>"));
    format!("<tagSet>{}</tagSet>", items.concat())
}

async fn observed(server: &Server) -> Observation {
    let spec = specification("small", "").unwrap();
    let options = EksOptions::from_spec(&spec).unwrap();
    let deployment = deployment();
    let context = ObserveContext { spec: &spec, options: &options, deployment: Some(&deployment) };
    observe(&server.clients(), &context, &ScopeKinds::All).await
}

/// Answers one list, and the others with nothing.
fn only(call: &'static str, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Server {
    Server::start(move |request| if request.call == call { answer(request) } else { ec2(&request.call, "") })
}

fn statuses(observation: &Observation) -> BTreeMap<String, Status> {
    let one = |(id, found): (&ResourceId, &Vec<howso_infra_core::Observed>)| (id.to_string(), found[0].status.clone());
    observation.resources.iter().map(one).collect()
}

fn subnet(id: &str, name: &str) -> String {
    format!("<item><subnetId>{id}</subnetId><state>available</state>{}</item>", tags(&format!("ec2/subnet:{name}")))
}

#[tokio::test]
async fn an_empty_account_takes_six_lists() {
    let server = Server::start(|request| ec2(&request.call, ""));
    assert_eq!(observed(&server).await, Observation::default());
    let lists = ["Addresses", "InternetGateways", "NatGateways", "RouteTables", "Subnets", "Vpcs"];
    assert_eq!(server.calls(), lists.map(|list| format!("Describe{list}")));
    for request in server.requests() {
        assert!(request.body.contains("tag:howso-infra/cluster"), "{}", request.body);
    }
}

#[tokio::test]
async fn a_second_page_is_read() {
    let server = only("DescribeSubnets", |request| {
        if request.body.contains("NextToken=more") {
            ec2(&request.call, &format!("<subnetSet>{}</subnetSet>", subnet("subnet-2", "private-b")))
        } else {
            let first =
                format!("<subnetSet>{}</subnetSet><nextToken>more</nextToken>", subnet("subnet-1", "private-a"));
            ec2(&request.call, &first)
        }
    });
    let observation = observed(&server).await;
    assert_eq!(
        statuses(&observation).into_keys().collect::<Vec<_>>(),
        ["ec2/subnet:private-a", "ec2/subnet:private-b"]
    );
    assert!(observation.gaps.is_empty());
}

#[tokio::test]
async fn a_list_without_its_last_page_is_a_gap() {
    let server = only("DescribeSubnets", |request| {
        if request.body.contains("NextToken=more") {
            ec2_error(500, "InternalError", "try again")
        } else {
            let first =
                format!("<subnetSet>{}</subnetSet><nextToken>more</nextToken>", subnet("subnet-1", "private-a"));
            ec2(&request.call, &first)
        }
    });
    let observation = observed(&server).await;
    assert!(observation.resources.is_empty());
    assert!(observation.gap("ec2/subnet").is_some() && observation.gap("ec2/route-table-association").is_some());
    assert!(observation.gap("ec2/vpc").is_none());
}

#[tokio::test]
async fn every_state_of_a_nat_gateway_has_its_meaning() {
    let gateway = |place: &str, state: &str| {
        let failure = "<failureCode>Gateway.NotAttached</failureCode><failureMessage>no gateway</failureMessage>";
        let failure = if state == "failed" { failure } else { "" };
        let tags = tags(&format!("ec2/nat-gateway:{place}"));
        format!("<item><natGatewayId>nat-{place}</natGatewayId><state>{state}</state>{failure}{tags}</item>")
    };
    let states =
        [("a", "available"), ("b", "pending"), ("c", "failed"), ("d", "deleting"), ("e", "deleted"), ("f", "warming")];
    let items: String = states.iter().map(|(place, state)| gateway(place, state)).collect();
    let server = only("DescribeNatGateways", move |request| {
        ec2(&request.call, &format!("<natGatewaySet>{items}</natGatewaySet>"))
    });
    let pending = |state: &str| Status::Pending { state: state.to_owned() };
    let expected = [
        ("a", Status::Ready),
        ("b", pending("pending")),
        ("c", Status::Failed { reason: "Gateway.NotAttached: no gateway".to_owned() }),
        ("d", Status::Deleting),
        ("f", pending("warming")),
    ];
    let expected = expected.map(|(place, status)| (format!("ec2/nat-gateway:{place}"), status));
    assert_eq!(statuses(&observed(&server).await), expected.into());
}

#[tokio::test]
async fn look_alikes_are_not_reported() {
    let server = only("DescribeVpcs", |request| {
        let other = tags_of("ffffffffffffffffffffffffffffffff", "ec2/vpc:main");
        let untold = "<tagSet><item><key>howso-infra/cluster</key><value>demo</value></item></tagSet>";
        let vpcs = [("vpc-1", other.as_str()), ("vpc-2", untold)];
        let items = vpcs.map(|(id, tags)| format!("<item><vpcId>{id}</vpcId><state>available</state>{tags}</item>"));
        ec2(&request.call, &format!("<vpcSet>{}</vpcSet>", items.concat()))
    });
    let observation = observed(&server).await;
    assert_eq!(observation, Observation::default());
    assert!(!server.calls().contains(&"DescribeVpcAttribute".to_owned()), "strangers are not looked into");
}

fn vpc_answer(request: &Request) -> Answer {
    let attribute = |name: &str, value: bool| format!("<vpcId>vpc-1</vpcId><{name}><value>{value}</value></{name}>");
    match request.call.as_str() {
        "DescribeVpcs" => {
            let tags = tags("ec2/vpc:main");
            let vpc = format!(
                "<item><vpcId>vpc-1</vpcId><state>available</state><cidrBlock>10.42.0.0/16</cidrBlock>{tags}</item>"
            );
            ec2("DescribeVpcs", &format!("<vpcSet>{vpc}</vpcSet>"))
        }
        "DescribeVpcAttribute" if request.body.contains("enableDnsSupport") => {
            ec2("DescribeVpcAttribute", &attribute("enableDnsSupport", true))
        }
        "DescribeVpcAttribute" => ec2("DescribeVpcAttribute", &attribute("enableDnsHostnames", false)),
        other => ec2(other, ""),
    }
}

#[tokio::test]
async fn attributes_are_spelled_as_in_the_graph() {
    let observation = observed(&Server::start(vpc_answer)).await;
    let vpc = observation.one(&ResourceId::new("ec2/vpc", "main")).unwrap();
    assert_eq!(vpc.physical_id, "vpc-1");
    let expected = Attributes::from([
        ("cidr".to_owned(), Value::text("10.42.0.0/16")),
        ("dns_support".to_owned(), Value::Bool(true)),
        ("dns_hostnames".to_owned(), Value::Bool(false)),
        ("tags".to_owned(), Value::text_map([("Name", "demo-x")])),
    ]);
    assert_eq!(vpc.attributes, expected);
    assert_eq!(vpc.outputs, Attributes::from([("vpc_id".to_owned(), Value::text("vpc-1"))]));
}

#[tokio::test]
async fn one_resource_takes_only_its_own_list() {
    let server = Server::start(vpc_answer);
    let spec = specification("small", "").unwrap();
    let options = EksOptions::from_spec(&spec).unwrap();
    let deployment = deployment();
    let context = ObserveContext { spec: &spec, options: &options, deployment: Some(&deployment) };
    let id = ResourceId::new("ec2/internet-gateway", "main");
    let wanted = Wanted { id: &id, attributes: &Attributes::new() };
    let observation = observe_one(&server.clients(), &context, wanted).await.unwrap();
    assert_eq!(observation, Observation::default());
    assert_eq!(server.calls(), ["DescribeInternetGateways"]);
}

#[tokio::test]
async fn routes_and_associations_are_parts_of_their_table() {
    let server = Server::start(|request| match request.call.as_str() {
        "DescribeSubnets" => {
            ec2("DescribeSubnets", &format!("<subnetSet>{}</subnetSet>", subnet("subnet-1", "private-a")))
        }
        "DescribeRouteTables" => {
            let routes = "<routeSet><item><destinationCidrBlock>10.42.0.0/16</destinationCidrBlock>\
                 <gatewayId>local</gatewayId></item><item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock>\
                 <natGatewayId>nat-1</natGatewayId></item></routeSet>";
            let associations = "<associationSet><item><routeTableAssociationId>rtbassoc-1</routeTableAssociationId>\
                 <subnetId>subnet-1</subnetId><associationState><state>associated</state></associationState></item>\
                 <item><routeTableAssociationId>rtbassoc-2</routeTableAssociationId><main>true</main></item></associationSet>";
            let tags = tags("ec2/route-table:private-a");
            let table = format!(
                "<item><routeTableId>rtb-1</routeTableId><vpcId>vpc-1</vpcId>{routes}{associations}{tags}</item>"
            );
            ec2("DescribeRouteTables", &format!("<routeTableSet>{table}</routeTableSet>"))
        }
        other => ec2(other, ""),
    });
    let observation = observed(&server).await;
    let route = observation.one(&ResourceId::new("ec2/route", "private-a-default")).unwrap();
    assert_eq!(route.physical_id, "rtb-1/0.0.0.0/0");
    assert_eq!(route.attributes["nat_gateway_id"], Value::text("nat-1"));
    assert_eq!(route.attributes["gateway_id"], Value::text(""));
    let association = observation.one(&ResourceId::new("ec2/route-table-association", "private-a")).unwrap();
    assert_eq!(association.physical_id, "rtbassoc-1");
    assert_eq!(observation.resources.len(), 4, "table, subnet, route, association: {observation:?}");
}

fn operation(resource: &str, work: Work) -> Operation {
    let resource: ResourceId = resource.parse().unwrap();
    let identity =
        ClusterIdentity { cluster: "demo".to_owned(), deployment: deployment(), generation: Generation::FIRST };
    Operation { token: identity.token(&resource, "create"), resource, work, identity }
}

fn create(resource: &str, attributes: &[(&str, Value)]) -> Operation {
    let attributes = attributes.iter().map(|(field, value)| ((*field).to_owned(), value.clone())).collect();
    operation(resource, Work::Create { attributes })
}

#[tokio::test]
async fn a_create_call_carries_the_tags_and_makes_one_request() {
    let server = Server::start(|request| ec2(&request.call, "<vpc><vpcId>vpc-1</vpcId><state>pending</state></vpc>"));
    let tags = Value::text_map([("team", "ml"), ("Name", "demo-main")]);
    let operation = create("ec2/vpc:main", &[("cidr", Value::text("10.42.0.0/16")), ("tags", tags)]);
    let Submitted::Accepted(ticket) = submit(&server.clients(), &operation).await.unwrap() else {
        panic!("a pending VPC is not settled")
    };
    assert_eq!((ticket.verb, ticket.physical_id.as_str()), (OperationVerb::Create, "vpc-1"));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let wanted = [
        "ResourceType=vpc",
        "Key=team",
        "Value=demo-main",
        "Key=howso-infra/deployment",
        DEPLOYMENT,
        "Value=ec2/vpc:main",
    ];
    for part in wanted {
        assert!(requests[0].body.contains(part), "{part} in {}", requests[0].body);
    }
}

#[tokio::test]
async fn an_answer_without_the_identifier_leaves_the_outcome_open() {
    let server = Server::start(|request| ec2(&request.call, "<vpc><state>pending</state></vpc>"));
    let operation = create("ec2/vpc:main", &[("cidr", Value::text("10.42.0.0/16"))]);
    assert_eq!(submit(&server.clients(), &operation).await.unwrap_err().kind, ErrorKind::Ambiguous);
}

#[tokio::test]
async fn a_nat_gateway_is_made_with_its_token_and_waited_for() {
    let server = Server::start(|request| {
        let gateway = "<natGatewayId>nat-1</natGatewayId><state>pending</state>";
        match request.call.as_str() {
            "CreateNatGateway" => ec2("CreateNatGateway", &format!("<natGateway>{gateway}</natGateway>")),
            _ => ec2(&request.call, &format!("<natGatewaySet><item>{gateway}</item></natGatewaySet>")),
        }
    });
    let operation = create(
        "ec2/nat-gateway:a",
        &[("subnet_id", Value::text("subnet-1")), ("allocation_id", Value::text("eipalloc-1"))],
    );
    let clients = server.clients();
    let Submitted::Accepted(ticket) = submit(&clients, &operation).await.unwrap() else { panic!("it is pending") };
    assert!(server.requests()[0].body.contains(&format!("ClientToken={}", operation.token.as_str())));
    assert_eq!(poll(&clients, &ticket).await.unwrap(), Progress::Pending { state: "pending".to_owned() });
}

fn ticket(verb: OperationVerb) -> Ticket {
    Ticket {
        resource: "ec2/nat-gateway:a".parse().unwrap(),
        verb,
        physical_id: "nat-1".to_owned(),
        context: Attributes::new(),
    }
}

#[tokio::test]
async fn a_poll_tells_the_end_from_the_way() {
    let gateway = |state: &str| {
        let failure = "<failureCode>InsufficientFreeAddressesInSubnet</failureCode>";
        format!(
            "<natGatewaySet><item><natGatewayId>nat-1</natGatewayId><state>{state}</state>{failure}</item></natGatewaySet>"
        )
    };
    for (verb, state, expected) in [
        (OperationVerb::Create, "available", "settled"),
        (OperationVerb::Create, "failed", "failed"),
        (OperationVerb::Create, "", "pending"),
        (OperationVerb::Delete, "available", "pending"),
        (OperationVerb::Delete, "deleting", "pending"),
        (OperationVerb::Delete, "deleted", "settled"),
        (OperationVerb::Delete, "", "settled"),
    ] {
        let set = if state.is_empty() { String::new() } else { gateway(state) };
        let server = Server::start(move |request| ec2(&request.call, &set));
        let progress = poll(&server.clients(), &ticket(verb)).await.unwrap();
        let told = match &progress {
            Progress::Pending { .. } => "pending",
            Progress::Settled { .. } => "settled",
            Progress::Failed(error) => {
                assert!(matches!(error.kind, ErrorKind::Capacity { .. }), "{error:?}");
                "failed"
            }
        };
        assert_eq!(told, expected, "{verb:?} {state}");
    }
}

#[tokio::test]
async fn parts_are_addressed_by_both_their_identifiers() {
    let server = Server::start(|request| ec2(&request.call, "<return>true</return>"));
    let clients = server.clients();
    let delete = |resource: &str, id: &str| {
        operation(resource, Work::Delete { physical_id: id.to_owned(), attributes: Attributes::new() })
    };
    submit(&clients, &delete("ec2/internet-gateway-attachment:main", "igw-1/vpc-1")).await.unwrap();
    submit(&clients, &delete("ec2/route:private-a-default", "rtb-1/0.0.0.0/0")).await.unwrap();
    let replace = Work::Update {
        physical_id: "rtb-1/0.0.0.0/0".to_owned(),
        call: "replace-route".to_owned(),
        changes: vec![FieldChange { field: "nat_gateway_id".to_owned(), from: None, to: Value::text("nat-2") }],
        attributes: Attributes::from([("nat_gateway_id".to_owned(), Value::text("nat-2"))]),
    };
    submit(&clients, &operation("ec2/route:private-a-default", replace)).await.unwrap();
    let bodies: Vec<_> = server.requests().into_iter().map(|request| request.body).collect();
    assert!(bodies[0].contains("InternetGatewayId=igw-1") && bodies[0].contains("VpcId=vpc-1"), "{}", bodies[0]);
    assert!(
        bodies[1].contains("RouteTableId=rtb-1") && bodies[1].contains("DestinationCidrBlock=0.0.0.0/0"),
        "{}",
        bodies[1]
    );
    assert!(bodies[2].starts_with("Action=ReplaceRoute") && bodies[2].contains("NatGatewayId=nat-2"), "{}", bodies[2]);
}

/// The gateways and routes of the graph, one a line.
/// A removal that EC2 refuses because something is in the way.
async fn refused(server: &Server, resource: &str, id: &str) -> howso_infra_core::ProviderError {
    let work = Work::Delete { physical_id: id.to_owned(), attributes: Attributes::new() };
    submit(&server.clients(), &operation(resource, work)).await.unwrap_err()
}

#[tokio::test]
async fn what_the_network_add_on_left_in_a_subnet_is_removed_and_the_subnet_tried_again() {
    let server = Server::start(|request| match request.call.as_str() {
        "DeleteSubnet" => ec2_error(400, "DependencyViolation", "The subnet 'subnet-1' has dependencies."),
        "DescribeNetworkInterfaces" => {
            let item = |id: &str| format!("<item><networkInterfaceId>{id}</networkInterfaceId></item>");
            ec2(
                &request.call,
                &format!("<networkInterfaceSet>{}{}</networkInterfaceSet>", item("eni-1"), item("eni-2")),
            )
        }
        "DeleteNetworkInterface" if request.body.contains("eni-1") => {
            ec2_error(400, "InvalidNetworkInterfaceID.NotFound", "somebody was faster")
        }
        _ => ec2(&request.call, ""),
    });
    let error = refused(&server, "ec2/subnet:private-a", "subnet-1").await;
    assert!(matches!(error.kind, ErrorKind::Dependency { .. }), "the engine sends it again: {error}");
    assert_eq!(
        server.calls(),
        ["DeleteNetworkInterface", "DeleteNetworkInterface", "DeleteSubnet", "DescribeNetworkInterfaces"]
    );
    let asked = &server.requests()[1].body;
    for part in ["subnet-1", "status", "available", "tag:cluster.k8s.amazonaws.com/name", "demo"] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
}

#[tokio::test]
async fn the_group_that_eks_left_in_a_vpc_is_removed_and_what_may_not_be_removed_is_told() {
    let server = Server::start(|request| match request.call.as_str() {
        "DeleteVpc" => ec2_error(400, "DependencyViolation", "The vpc 'vpc-1' has dependencies."),
        "DescribeSecurityGroups" => {
            ec2(&request.call, "<securityGroupInfo><item><groupId>sg-1</groupId></item></securityGroupInfo>")
        }
        "DeleteSecurityGroup" => ec2_error(403, "UnauthorizedOperation", "You are not authorized."),
        _ => ec2(&request.call, ""),
    });
    let error = refused(&server, "ec2/vpc:main", "vpc-1").await;
    assert_eq!(error.kind, ErrorKind::Permission { action: "ec2:DeleteSecurityGroup".to_owned() });
    let asked = &server.requests()[1].body;
    for part in ["vpc-1", "tag:aws:eks:cluster-name", "demo"] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
}

#[tokio::test]
async fn nothing_is_looked_for_when_a_removal_is_refused_for_another_reason() {
    let server = Server::start(|_| ec2_error(503, "RequestLimitExceeded", "slow down"));
    refused(&server, "ec2/subnet:private-a", "subnet-1").await;
    refused(&server, "ec2/vpc:main", "vpc-1").await;
    assert_eq!(server.calls(), ["DeleteSubnet", "DeleteVpc"]);
}

fn ways_out(more: &str) -> Vec<String> {
    let spec = specification("large", more).unwrap();
    let facts = EksFacts {
        account: "123456789012".to_owned(),
        partition: "aws".to_owned(),
        creator_arn: None,
        zones: ["us-east-1a", "us-east-1b", "us-east-1d"].map(str::to_owned).into(),
        kubernetes_version: "1.34".parse().unwrap(),
        instance_types: BTreeMap::new(),
        addon_versions: BTreeMap::new(),
        api_networks: Vec::new(),
        running_addons: BTreeSet::new(),
    };
    let network = graph(&spec, &EksOptions::from_spec(&spec).unwrap(), &facts).unwrap();
    let line = |resource: &howso_infra_core::Resource| match resource.id.kind() {
        "ec2/nat-gateway" => Some(resource.id.to_string()),
        "ec2/route" => {
            let way = resource.attributes.get("nat_gateway_id").or(resource.attributes.get("gateway_id"));
            Some(format!("{} -> {}", resource.id.name(), way.unwrap()))
        }
        _ => None,
    };
    let mut lines: Vec<_> = network.resources.iter().filter_map(line).collect();
    lines.sort();
    lines
}

#[test]
fn nat_gateways_follow_the_specification() {
    let public = "public-default -> (internet_gateway_id of ec2/internet-gateway:main)";
    assert_eq!(ways_out("[network]\nnat = \"none\""), [public]);
    let through =
        |place: &str, nat: &str| format!("private-{place}-default -> (nat_gateway_id of ec2/nat-gateway:{nat})");
    let single = ["ec2/nat-gateway:a", &through("a", "a"), &through("b", "a"), &through("c", "a"), public];
    assert_eq!(ways_out("[network]\nnat = \"single\""), single);
    let each = ["ec2/nat-gateway:a", "ec2/nat-gateway:b", "ec2/nat-gateway:c"].map(str::to_owned).into_iter();
    let each = each.chain(["a", "b", "c"].map(|place| through(place, place))).chain([public.to_owned()]);
    assert_eq!(ways_out("[network]\nnat = \"per-zone\""), each.collect::<Vec<_>>());
}

#[test]
fn an_existing_network_is_only_named() {
    let more =
        "[eks.network]\nvpc = \"vpc-0123456789abcdef0\"\nprivate_subnets = [\"subnet-01234567\", \"subnet-89abcdef\"]";
    assert!(ways_out(more).is_empty());
}

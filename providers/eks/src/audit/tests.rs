//! Leftovers among look-alikes.

use howso_infra_core::{ClusterIdentity, Generation, Leftover};

use super::audit;
use crate::testing::{Answer, Request, Server, ec2, ec2_error};

const DEPLOYMENT: &str = "0123456789abcdef0123456789abcdef";

fn tags(tags: &[(&str, &str)]) -> String {
    let item = |(key, value): &(&str, &str)| format!("<item><key>{key}</key><value>{value}</value></item>");
    format!("<tagSet>{}</tagSet>", tags.iter().map(item).collect::<String>())
}

fn volume(id: &str, state: &str, tagged: &[(&str, &str)]) -> String {
    format!("<item><volumeId>{id}</volumeId><status>{state}</status>{}</item>", tags(tagged))
}

async fn audited(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Vec<Leftover> {
    let server = Server::start(answer);
    let deployment = DEPLOYMENT.parse().unwrap();
    let identity = ClusterIdentity { cluster: "demo".to_owned(), deployment, generation: Generation::FIRST };
    audit(&server.clients(), &identity).await.unwrap()
}

fn ids(leftovers: &[Leftover]) -> Vec<&str> {
    leftovers.iter().map(|leftover| leftover.physical_id.as_str()).collect()
}

#[tokio::test]
async fn what_carries_the_tags_of_the_cluster_is_reported_and_nothing_else() {
    let leftovers = audited(|request| match request.call.as_str() {
        "DescribeVolumes" => {
            let claim = [("kubernetes.io/cluster/demo", "owned"), ("kubernetes.io/created-for/pvc/name", "nats-0")];
            let volumes = [
                volume("vol-1", "available", &claim),
                volume("vol-2", "available", &[("howso-infra/cluster", "demo")]),
                volume("vol-3", "available", &[("howso-infra/cluster", "other")]),
                volume("vol-4", "available", &[("kubernetes.io/cluster/demo", "shared")]),
                volume("vol-5", "deleting", &[("howso-infra/cluster", "demo")]),
                volume("vol-6", "available", &[("howso-infra/cluster", "demo"), ("howso-infra/deployment", "ffff")]),
                volume(
                    "vol-7",
                    "available",
                    &[("howso-infra/cluster", "demo"), ("howso-infra/deployment", DEPLOYMENT)],
                ),
            ];
            ec2("DescribeVolumes", &format!("<volumeSet>{}</volumeSet>", volumes.concat()))
        }
        other => ec2(other, ""),
    })
    .await;
    assert_eq!(ids(&leftovers), ["vol-1", "vol-2", "vol-7"]);
    assert!(leftovers[0].advice.contains("nats-0"));
}

#[tokio::test]
async fn what_keeps_the_vpc_from_going_is_reported() {
    let leftovers = audited(|request| match request.call.as_str() {
        "DescribeVpcs" => {
            let tagged = tags(&[("howso-infra/cluster", "demo"), ("howso-infra/deployment", DEPLOYMENT)]);
            ec2("DescribeVpcs", &format!("<vpcSet><item><vpcId>vpc-1</vpcId>{tagged}</item></vpcSet>"))
        }
        "DescribeNetworkInterfaces" if request.body.contains("vpc-1") => {
            let description = "<description>ELB app/k8s-x/1</description>";
            let item = format!("<item><networkInterfaceId>eni-1</networkInterfaceId>{description}</item>");
            ec2(&request.call, &format!("<networkInterfaceSet>{item}</networkInterfaceSet>"))
        }
        "DescribeSecurityGroups" if request.body.contains("vpc-1") => {
            let group =
                |id: &str, name: &str| format!("<item><groupId>{id}</groupId><groupName>{name}</groupName></item>");
            let groups = group("sg-1", "default") + &group("sg-2", "k8s-elb-x");
            ec2(&request.call, &format!("<securityGroupInfo>{groups}</securityGroupInfo>"))
        }
        other => ec2(other, ""),
    })
    .await;
    assert_eq!(ids(&leftovers), ["eni-1", "sg-2"]);
    assert!(leftovers[0].advice.contains("load balancer"));
}

#[tokio::test]
async fn an_audit_that_cannot_read_fails() {
    let server = Server::start(|request| match request.call.as_str() {
        "DescribeVolumes" => ec2_error(403, "UnauthorizedOperation", "no"),
        other => ec2(other, ""),
    });
    let deployment = DEPLOYMENT.parse().unwrap();
    let identity = ClusterIdentity { cluster: "demo".to_owned(), deployment, generation: Generation::FIRST };
    assert!(audit(&server.clients(), &identity).await.is_err());
}

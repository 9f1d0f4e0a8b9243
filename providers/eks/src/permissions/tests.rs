//! What the documents depend on; whether they suffice is known from rehearsals (`tests/emulator`).

use std::collections::BTreeSet;

use howso_infra_core::Permissions;
use serde_json::Value;

use super::permissions;
use crate::options::EksOptions;
use crate::options::tests::specification;

fn documents(more: &str, calls: &[&str]) -> Permissions {
    let spec = specification("small", more).unwrap();
    let options = EksOptions::from_spec(&spec).unwrap();
    permissions(&spec, &options, &calls.iter().map(|call| (*call).to_owned()).collect())
}

fn statement<'a>(document: &'a Value, sid: &str) -> Option<&'a Value> {
    document["Statement"].as_array().unwrap().iter().find(|statement| statement["Sid"] == *sid)
}

fn actions(document: &Value) -> BTreeSet<String> {
    let statements = document["Statement"].as_array().unwrap().iter();
    let lists = statements.filter_map(|statement| statement["Action"].as_array());
    lists.flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[test]
fn what_no_rehearsal_has_called_is_not_allowed() {
    let Permissions { read, apply, destroy, .. } = documents("", &["ec2:CreateVpc", "ec2:DescribeVpcs"]);
    assert_eq!(actions(&read), ["ec2:DescribeVpcs"].map(str::to_owned).into());
    let made = ["ec2:CreateTags", "ec2:CreateVpc", "ec2:ModifyVpcAttribute"];
    let always = ["eks:CreateCluster", "iam:CreateServiceLinkedRole"];
    assert_eq!(actions(&apply), made.into_iter().chain(always).map(str::to_owned).collect());
    let removes = ["ec2:DeleteNetworkInterface", "ec2:DeleteSecurityGroup", "ec2:DeleteVpc"];
    assert_eq!(actions(&destroy), removes.map(str::to_owned).into());
    assert_eq!(actions(&documents("", &["ec2:DescribeVpcs"]).destroy), BTreeSet::new());
}

#[test]
fn roles_that_the_user_brings_are_handed_over_and_not_changed() {
    let role = "arn:aws:iam::123456789012:role/team/nodes";
    let more = format!("[eks.iam]\nnode_role = \"{role}\"\n");
    let Permissions { apply, destroy, .. } = documents(&more, &["iam:CreateRole", "iam:PutRolePolicy"]);
    let own = "arn:aws:iam::*:role/demo-us-east-1-*";
    assert_eq!(statement(&apply, "HandOverRoles").unwrap()["Resource"], serde_json::json!([own, role]));
    assert_eq!(statement(&apply, "Change").unwrap()["Resource"], serde_json::json!([own]));
    assert!(!destroy.to_string().contains(role));
}

#[test]
fn a_boundary_binds_every_role_that_is_made() {
    let boundary = "arn:aws:iam::123456789012:policy/boundary";
    let more = format!("[eks.iam]\npermissions_boundary = \"{boundary}\"\n");
    let Permissions { apply, .. } = documents(&more, &["iam:CreateRole"]);
    for sid in ["MakeRoles", "BoundRoles"] {
        let condition = &statement(&apply, sid).unwrap()["Condition"];
        assert_eq!(condition["ArnEquals"]["iam:PermissionsBoundary"], boundary, "{sid}");
    }
    assert_eq!(statement(&documents("", &["iam:CreateRole"]).apply, "BoundRoles"), None);
}

#[test]
fn only_whoever_changes_something_writes_the_journal() {
    let Permissions { read, apply, destroy, .. } =
        documents("journal = \"s3://bucket/some/prefix\"\n", &["s3:GetObject"]);
    let objects = serde_json::json!(["arn:aws:s3:::bucket/some/prefix/*"]);
    assert_eq!(statement(&read, "ReadJournal").unwrap()["Resource"], objects);
    assert_eq!(statement(&read, "FindJournal").unwrap()["Resource"], serde_json::json!(["arn:aws:s3:::bucket"]));
    assert_eq!(statement(&read, "ReadEverywhere"), None);
    assert!(!actions(&read).contains("s3:PutObject"));
    for document in [apply, destroy] {
        assert_eq!(statement(&document, "WriteJournal").unwrap()["Resource"], objects);
    }
}

#[test]
fn arns_are_in_the_partition_of_the_region() {
    let Permissions { read, .. } = documents("", &["eks:DescribeCluster"]);
    assert!(read.to_string().contains("arn:aws:eks:us-east-1:*:cluster/demo"), "{read}");
    let mut spec = specification("small", "").unwrap();
    for (region, partition) in [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")] {
        spec.location = region.parse().unwrap();
        let options = EksOptions::from_spec(&spec).unwrap();
        let permissions = permissions(&spec, &options, &["eks:DescribeCluster".to_owned()].into());
        assert!(permissions.read.to_string().contains(&format!("arn:{partition}:eks:{region}:*:cluster/demo")));
    }
}

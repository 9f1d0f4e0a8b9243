//! From the descriptions of EC2 and IAM to states and attributes, spelled as in the graph.

use aws_sdk_ec2::types::{
    HttpTokensState, Instance, InstanceStateName, InstanceType, IpPermission, IpRange, Ipv6Range, PrefixListId,
    SecurityGroup, UserIdGroupPair,
};
use howso_infra_core::{Status, Value};

use crate::found::{Fields, Found};
use crate::tags;

/// The instance; [`None`] for one that is terminated, which EC2 lists for another hour.
///
/// Whether it runs is up to whoever works on it.
pub(super) fn instance(instance: &Instance) -> Option<Found> {
    let state = instance.state.as_ref().and_then(|state| state.name.clone());
    let status = match &state {
        Some(InstanceStateName::Terminated) => return None,
        Some(InstanceStateName::ShuttingDown) => Status::Deleting,
        Some(InstanceStateName::Running | InstanceStateName::Stopping | InstanceStateName::Stopped) => Status::Ready,
        Some(other) => Status::Pending { state: other.as_str().to_owned() },
        None => Status::Pending { state: "unknown".to_owned() },
    };
    let id = instance.instance_id.clone()?;
    let tags = tags::from_ec2(instance.tags());
    let groups = instance.security_groups().iter().filter_map(|group| group.group_id.clone());
    let metadata = instance.metadata_options.as_ref();
    let profile = instance.iam_instance_profile.as_ref().and_then(|profile| profile.arn.as_deref());
    let hop_limit = metadata.and_then(|options| options.http_put_response_hop_limit);
    let fields = Fields::default()
        .text("instance_type", instance.instance_type.as_ref().map(InstanceType::as_str))
        .text("subnet_id", instance.subnet_id.as_deref())
        .text("instance_profile_arn", profile)
        .text("metadata_tokens", metadata.and_then(|options| options.http_tokens()).map(HttpTokensState::as_str))
        .value("metadata_hop_limit", hop_limit.map(|limit| Value::Integer(limit.into())))
        .value("security_group_ids", Some(Value::texts(groups)))
        .tags(&tags);
    let outputs =
        Fields::default().text("instance_id", Some(&id)).text("state", state.as_ref().map(InstanceStateName::as_str));
    let (attributes, outputs) = (fields.0, outputs.0);
    Some(Found { physical_id: id, tags, status, attributes, outputs })
}

/// Why an instance ended, as `code: message`.
pub(super) fn reason(instance: &Instance) -> String {
    let reason = instance.state_reason.as_ref();
    let parts = [reason.and_then(|reason| reason.code.as_deref()), reason.and_then(|reason| reason.message.as_deref())];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
    if text.is_empty() { "the instance was terminated".to_owned() } else { text }
}

pub(super) fn security_group(group: &SecurityGroup) -> Option<Found> {
    let id = group.group_id.clone()?;
    let tags = tags::from_ec2(group.tags());
    let mut rules: Vec<String> = group.ip_permissions().iter().flat_map(rules).collect();
    rules.sort();
    let fields = Fields::default()
        .text("name", group.group_name.as_deref())
        .text("description", group.description.as_deref())
        .text("vpc_id", group.vpc_id.as_deref())
        .value("ingress", Some(Value::texts(rules)))
        .tags(&tags);
    let (attributes, outputs) = (fields.0, Fields::default().text("group_id", Some(&id)).0);
    Some(Found { physical_id: id, tags, status: Status::Ready, attributes, outputs })
}

/// What a rule lets in, one text for each source: `tcp 22-22 from 0.0.0.0/0`.
fn rules(permission: &IpPermission) -> Vec<String> {
    let protocol = permission.ip_protocol.as_deref().unwrap_or(EVERY_PROTOCOL);
    let ports = match (permission.from_port, permission.to_port) {
        (Some(from), Some(to)) => format!("{from}-{to}"),
        _ => EVERY_PORT.to_owned(),
    };
    let networks = permission.ip_ranges().iter().filter_map(|range| range.cidr_ip.clone());
    let networks_6 = permission.ipv6_ranges().iter().filter_map(|range| range.cidr_ipv6.clone());
    let lists = permission.prefix_list_ids().iter().filter_map(|list| list.prefix_list_id.clone());
    let groups = permission.user_id_group_pairs().iter().filter_map(|pair| pair.group_id.clone());
    let sources = networks.chain(networks_6).chain(lists).chain(groups);
    sources.map(|source| format!("{protocol} {ports} from {source}")).collect()
}

/// How EC2 writes any protocol.
const EVERY_PROTOCOL: &str = "-1";
/// Any port, in the text of a rule.
const EVERY_PORT: &str = "any";

/// The reverse of [`rules`], for one text; [`None`] for what is none.
pub(super) fn permission(rule: &str) -> Option<IpPermission> {
    let (left, source) = rule.split_once(" from ")?;
    let (protocol, ports) = left.split_once(' ')?;
    let mut permission = IpPermission::builder().ip_protocol(protocol);
    if ports != EVERY_PORT {
        // The first hyphen may be the sign of "any type" of ICMP, `-1`.
        let at = ports[1..].find('-')? + 1;
        permission = permission.from_port(ports[..at].parse().ok()?).to_port(ports[at + 1..].parse().ok()?);
    }
    let permission = match source {
        _ if source.starts_with("sg-") => {
            permission.user_id_group_pairs(UserIdGroupPair::builder().group_id(source).build())
        }
        _ if source.starts_with("pl-") => {
            permission.prefix_list_ids(PrefixListId::builder().prefix_list_id(source).build())
        }
        _ if source.contains(':') => permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(source).build()),
        _ => permission.ip_ranges(IpRange::builder().cidr_ip(source).build()),
    };
    Some(permission.build())
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_rule_is_told_and_understood_again() {
        for rule in [
            "tcp 22-22 from 0.0.0.0/0",
            "-1 any from ::/0",
            "udp 1-65535 from sg-0123456789abcdef0",
            "icmp -1--1 from pl-0123456789abcdef0",
        ] {
            let permission = permission(rule).unwrap();
            assert_eq!(rules(&permission), [rule]);
        }
        assert!(permission("everything").is_none());
    }
}

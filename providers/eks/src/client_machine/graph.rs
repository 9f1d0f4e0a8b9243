//! The wanted machine for clients.

use std::collections::BTreeSet;

use howso_infra_core::sizing::platform;
use howso_infra_core::spec::{Architecture, ClusterSpec};
use howso_infra_core::{Resource, ResourceId, Value};

use super::NAME;
use super::kinds::{INSTANCE, INSTANCE_PROFILE, INSTANCE_PROFILE_ROLE, SECURITY_GROUP};
use crate::facts::EksFacts;
use crate::graph::tagged;
use crate::iam::{Role, iam_name_prefix};
use crate::options::EksOptions;

/// Its name among the pools whose instance types are chosen; no worker pool can be called so.
pub(crate) const POOL: &str = "client-machine";

/// What the first start of the machine does.
const USER_DATA: &str = include_str!("user_data.sh");

/// Where the machine is put.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    /// The network.
    pub(crate) vpc_id: &'a Value,
    /// The private subnets in the order of the places.
    pub(crate) private_subnets: &'a [Value],
    /// What must be settled before the machine reaches the internet, from which it installs the client.
    pub(crate) egress: &'a BTreeSet<ResourceId>,
}

/// Builds the machine; nothing when none is wanted.
pub(crate) fn graph(
    spec: &ClusterSpec,
    options: &EksOptions,
    facts: &EksFacts,
    role: Option<&Role>,
    surroundings: Surroundings<'_>,
) -> Vec<Resource> {
    let (Some(client), Some(role), Some(subnet)) = (&spec.client, role, surroundings.private_subnets.first()) else {
        return Vec::new();
    };
    let [profile, profile_role, group] =
        [INSTANCE_PROFILE, INSTANCE_PROFILE_ROLE, SECURITY_GROUP].map(|kind| ResourceId::new(kind, NAME));
    let name = format!("{}-{NAME}", spec.name);
    let mut instance = tagged(spec, &ResourceId::new(INSTANCE, NAME))
        .with("image", image(client.machine.architecture))
        .with("instance_type", instance_type(facts))
        .with("subnet_id", subnet.clone())
        .with("security_group_ids", Value::List(vec![Value::reference(&group, "group_id")]))
        .with("instance_profile_arn", Value::reference(&profile, "arn"))
        .with("disk_gib", client.machine.disk.get())
        .with("disk_type", "gp3")
        .with("disk_encrypted", true)
        // Programs that people run must not get at the machine's role by a mistake of theirs: no answers without a session token.
        .with("metadata_tokens", "required")
        .with("metadata_hop_limit", 1_u32)
        .with("user_data", user_data());
    instance.depends_on.extend(surroundings.egress.iter().cloned());
    instance.depends_on.extend(role.ready.iter().cloned());
    instance.depends_on.insert(profile_role.clone());
    vec![
        tagged(spec, &profile)
            .with("name", iam_name_prefix(spec) + NAME)
            .with("path", options.iam.path.as_deref().unwrap_or("/")),
        Resource::new(profile_role)
            .with("profile_name", Value::reference(&profile, "name"))
            .with("role_name", role.name.clone()),
        tagged(spec, &group)
            .with("name", name.as_str())
            .with("description", format!("Clients of the Howso Platform on {}: nothing comes in", spec.name))
            .with("vpc_id", surroundings.vpc_id.clone())
            .with("ingress", Value::List(Vec::new())),
        instance,
    ]
}

/// One type; of several that a user names, the first.
fn instance_type(facts: &EksFacts) -> &str {
    facts.instance_types.get(POOL).and_then(|types| types.first()).map(String::as_str).unwrap_or_default()
}

/// The newest Amazon Linux 2023, which has the agent of Systems Manager:
/// <https://docs.aws.amazon.com/linux/al2023/ug/ec2.html#launch-via-aws-cli>.
fn image(architecture: Architecture) -> String {
    let name = match architecture {
        Architecture::X86_64 => "x86_64",
        Architecture::Arm64 => "arm64",
    };
    format!("resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{name}")
}

fn user_data() -> String {
    USER_DATA.replace("@WAIT_SECS@", &platform::EKS.node_wait.client_wait_secs(None).to_string())
}

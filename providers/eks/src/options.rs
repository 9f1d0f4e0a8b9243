//! The `[eks]` table of a specification.

mod checks;
mod shape;

use howso_infra_core::spec::{ClusterSpec, SpecErrors};
use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::catalogue;

/// The network of a cluster that does not say otherwise: large enough for 3 zones of nodes and pods.
const DEFAULT_CIDR: Ipv4Net = Ipv4Net::new_assert(std::net::Ipv4Addr::new(10, 42, 0, 0), 16);

/// AWS's page that tells visitors their address. It is in wide use, but no page of AWS's documentation that promises its form could
/// be read, so an answer that is not one public address counts as none.
const ADDRESS_SERVICE: &str = "https://checkip.amazonaws.com";

/// What only EKS has to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EksOptions {
    /// The zones to use, for example `["us-east-1a", "us-east-1b"]`. Left out: chosen among those that offer EKS and the
    /// instance types.
    pub(crate) zones: Vec<String>,
    /// The network: a new one, or one that exists.
    pub(crate) network: NetworkOptions,
    /// Roles and what applies to those that are made.
    pub(crate) iam: IamOptions,
    /// ARNs of IAM roles and users that administrate the cluster, beside whoever made it.
    pub(crate) admins: Vec<String>,
    /// ARN of the KMS key with which Kubernetes secrets are encrypted. Left out: a key of AWS. It cannot be changed later.
    pub(crate) kms_key: Option<String>,
    /// Which add-ons are managed here.
    pub(crate) addons: AddonOptions,
    /// What applies to every node.
    pub(crate) nodes: NodeOptions,
    /// The image of the cluster autoscaler, for clusters that reach only a registry of their own. Default
    /// `registry.k8s.io/autoscaling/cluster-autoscaler:v1.N.0`, N as in the cluster's version.
    pub(crate) autoscaler_image: Option<String>,
    /// A page that answers with the address from which it is asked, for `kubernetes.api_access = "auto"`. Default
    /// <https://checkip.amazonaws.com>, which is AWS's own.
    address_service: Option<String>,
}

/// The network: a new one, or one that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NetworkOptions {
    /// Addresses of the new network: private IPv4 (RFC 1918), /16 to /22. Default 10.42.0.0/16.
    #[schemars(with = "Option<String>")]
    #[serde(deserialize_with = "block")]
    cidr: Option<Ipv4Net>,
    /// The network that exists, for example `vpc-0123456789abcdef0`. It is never changed and never deleted.
    pub(crate) vpc: Option<String>,
    /// The subnets of the existing network in which nodes run, at least two in different zones. The core node groups use
    /// them in this order, one each.
    pub(crate) private_subnets: Vec<String>,
    /// The subnets of the existing network for load balancers that face the internet.
    pub(crate) public_subnets: Vec<String>,
    /// Addresses of Kubernetes services: private IPv4, /12 to /24, apart from those of the network. Left out: EKS takes
    /// 10.100.0.0/16 or 172.20.0.0/16, whichever is apart from the network.
    #[schemars(with = "Option<String>")]
    #[serde(deserialize_with = "block")]
    pub(crate) service_cidr: Option<Ipv4Net>,
}

/// A block of addresses; the error says what one looks like, which that of the type does not.
fn block<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Ipv4Net>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let wrong = |_| format!("`{text}` is not a block of IPv4 addresses such as \"10.42.0.0/16\"");
    text.parse().map(Some).map_err(wrong).map_err(serde::de::Error::custom)
}

impl NetworkOptions {
    /// Addresses of the new network.
    pub(crate) fn cidr(&self) -> Ipv4Net {
        self.cidr.unwrap_or(DEFAULT_CIDR)
    }
}

/// Roles and what applies to those that are made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct IamOptions {
    /// The path of the roles that are made, for example `/howso/`. Default `/`.
    pub(crate) path: Option<String>,
    /// ARN of the policy that bounds the permissions of the roles that are made.
    pub(crate) permissions_boundary: Option<String>,
    /// ARN of an existing role for the control plane.
    pub(crate) cluster_role: Option<String>,
    /// ARN of an existing role for the nodes.
    pub(crate) node_role: Option<String>,
    /// ARN of an existing role for the EBS CSI driver.
    pub(crate) ebs_csi_role: Option<String>,
    /// ARN of an existing role for the cluster autoscaler.
    pub(crate) autoscaler_role: Option<String>,
    /// ARN of an existing role for the machine of `[client]`.
    pub(crate) client_role: Option<String>,
}

/// Which add-ons are managed here. `addons = false` beside `[eks]` turns all of them off.
///
/// An add-on that is turned off later goes on running in the cluster; only its management by EKS ends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key that a user turns on or off")]
pub(crate) struct AddonOptions {
    /// The network of pods. Without it nodes are ready only when another one is installed.
    pub(crate) vpc_cni: bool,
    /// The network of services.
    pub(crate) kube_proxy: bool,
    /// Names inside the cluster.
    pub(crate) coredns: bool,
    /// The agent that gives pods their roles.
    pub(crate) pod_identity_agent: bool,
    /// Volumes.
    pub(crate) ebs_csi_driver: bool,
    /// Measured use of nodes and pods, which horizontal autoscaling needs.
    pub(crate) metrics_server: bool,
}

impl Default for AddonOptions {
    fn default() -> Self {
        Self {
            vpc_cni: true,
            kube_proxy: true,
            coredns: true,
            pod_identity_agent: true,
            ebs_csi_driver: true,
            metrics_server: true,
        }
    }
}

/// What applies to every node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NodeOptions {
    /// Whether the node role that is made may be used by AWS Systems Manager, for shells on nodes without SSH.
    pub(crate) session_manager: bool,
}

impl EksOptions {
    /// A page that answers with the address from which it is asked.
    pub(crate) fn address_service(&self) -> &str {
        self.address_service.as_deref().unwrap_or(ADDRESS_SERVICE)
    }

    /// Decodes the options and checks them, and the instance types that the specification names.
    pub(crate) fn from_spec(spec: &ClusterSpec) -> Result<Self, SpecErrors> {
        let options: Self = spec.provider_options.decode()?;
        let mut errors = checks::check(&options, spec);
        errors.extend(catalogue::check_machines(spec));
        if errors.is_empty() { Ok(options) } else { Err(errors.into()) }
    }
}

#[cfg(test)]
pub(crate) mod tests;

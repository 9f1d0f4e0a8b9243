//! What the types of the options cannot say.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use howso_infra_core::spec::{ApiAccess, ClusterSpec, KeyPath, SpecError, SpecErrorKind};
use ipnet::{IpNet, Ipv4Net};
use url::{Host, Url};

use crate::options::shape::{Arn, is_ec2_id};
use crate::options::{EksOptions, NetworkOptions};

/// The blocks of RFC 1918.
const PRIVATE: [Ipv4Net; 3] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
];

/// The sizes of a network: a VPC is at most a /16, and less than a /22 has no room for the pods of a few nodes in 3 zones.
const NETWORK_PREFIXES: std::ops::RangeInclusive<u8> = 16..=22;

/// The sizes of the block of services that EKS accepts (`kubernetesNetworkConfig.serviceIpv4Cidr`).
const SERVICE_PREFIXES: std::ops::RangeInclusive<u8> = 12..=24;

/// The blocks that EKS itself takes for services.
const SERVICE_DEFAULTS: [Ipv4Net; 2] =
    [Ipv4Net::new_assert(Ipv4Addr::new(10, 100, 0, 0), 16), Ipv4Net::new_assert(Ipv4Addr::new(172, 20, 0, 0), 16)];

/// The longest path of a role (IAM API reference, `CreateRole`).
const PATH_LIMIT: usize = 512;

/// Collects mistakes, each with its place.
struct Checker<'a> {
    spec: &'a ClusterSpec,
    errors: Vec<SpecError>,
}

/// Returns everything that is wrong with the options.
pub(super) fn check(options: &EksOptions, spec: &ClusterSpec) -> Vec<SpecError> {
    let mut checker = Checker { spec, errors: Vec::new() };
    checker.specification(&options.network);
    checker.zones(&options.zones, &options.network);
    checker.existing_network(&options.network);
    checker.addresses(&options.network);
    checker.iam(options);
    checker.admins(&options.admins);
    if let Some(key) = &options.kms_key {
        checker.kms_key(key);
    }
    checker.address_service(options.address_service());
    checker.errors
}

impl Checker<'_> {
    fn refuse(&mut self, path: &str, message: impl Into<String>, hint: &str) {
        self.errors.push(self.spec.provider_options.error(path, message, Some(hint.to_owned())));
    }

    /// What EKS cannot do of what every platform's specification can say.
    fn specification(&mut self, network: &NetworkOptions) {
        let mut refuse = |path: &str, message: String, hint: &str| {
            self.errors.push(SpecError {
                kind: SpecErrorKind::Conflict,
                path: KeyPath::dotted(path),
                message,
                hint: Some(hint.to_owned()),
                origin: None,
            });
        };
        if self.spec.zones.get() < 2 && network.vpc.is_none() {
            refuse("zones", "EKS spreads every control plane over two zones".to_owned(), "ask for 2 or 3");
        }
        if let ApiAccess::Cidrs(cidrs) = &self.spec.api_access {
            for cidr in cidrs.iter().filter(|cidr| matches!(cidr, IpNet::V6(_))) {
                refuse(
                    "kubernetes.api_access",
                    format!("{cidr} is IPv6, which EKS takes only for IPv6 clusters"),
                    "name IPv4 networks, for example \"203.0.113.0/24\"",
                );
            }
        }
    }

    /// Whoever could change its answer on the way would choose who reaches the API.
    fn address_service(&mut self, service: &str) {
        let is_safe = Url::parse(service).is_ok_and(|url| {
            let is_safe = match (url.scheme(), url.host()) {
                ("https", Some(_)) => true,
                ("http", Some(Host::Ipv4(address))) => address.is_loopback(),
                ("http", Some(Host::Ipv6(address))) => address.is_loopback(),
                ("http", Some(Host::Domain(name))) => name == "localhost",
                _ => false,
            };
            // A password would be shown with the plan.
            is_safe && url.username().is_empty() && url.password().is_none()
        });
        if !is_safe {
            let message = "this is no page that can be trusted";
            self.refuse(
                "address_service",
                message,
                "name a page by https, or by http on localhost, without user and password",
            );
        }
    }

    fn zones(&mut self, zones: &[String], network: &NetworkOptions) {
        if network.vpc.is_some() && !zones.is_empty() {
            let message = "an existing network has its zones already";
            self.refuse("zones", message, "leave out `zones` or `network.vpc`");
        }
        let region = self.spec.location.as_str();
        for zone in zones {
            let is_in_region = zone
                .strip_prefix(region)
                .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_lowercase()));
            if !is_in_region {
                self.refuse(
                    "zones",
                    format!("{zone} is not a zone of {region}"),
                    &format!("for example \"{region}a\""),
                );
            }
        }
        self.unique("zones", zones);
        let wanted = usize::from(self.spec.zones.get()).max(2);
        if !zones.is_empty() && zones.len() != wanted {
            let named = if zones.len() == 1 { "1 zone is".to_owned() } else { format!("{} zones are", zones.len()) };
            let message = format!("{named} named, but the cluster has {wanted}");
            self.refuse(
                "zones",
                message,
                &format!("name {wanted}, or set `zones` outside of [eks] to how many you want"),
            );
        }
    }

    fn existing_network(&mut self, network: &NetworkOptions) {
        let has_subnets = !network.private_subnets.is_empty() || !network.public_subnets.is_empty();
        match &network.vpc {
            None if has_subnets => {
                let path = if network.private_subnets.is_empty() { "public_subnets" } else { "private_subnets" };
                let message = "subnets are named, but not the network they are in";
                self.refuse(
                    &format!("network.{path}"),
                    message,
                    "set `vpc` too, or leave the subnets out to have them made",
                );
            }
            None => {}
            Some(vpc) => {
                if !is_ec2_id(vpc, "vpc") {
                    self.refuse(
                        "network.vpc",
                        format!("{vpc} is not the id of a VPC"),
                        "for example \"vpc-0123456789abcdef0\"",
                    );
                }
                if network.private_subnets.len() < 2 {
                    let message = "an existing network needs at least two private subnets in different zones";
                    self.refuse("network.private_subnets", message, "EKS spreads every control plane over two zones");
                }
                if network.cidr.is_some() {
                    let message = "an existing network has its addresses already";
                    self.refuse("network.cidr", message, "leave out `cidr` or `vpc`");
                }
            }
        }
        for (path, subnets) in
            [("private_subnets", &network.private_subnets), ("public_subnets", &network.public_subnets)]
        {
            for subnet in subnets.iter().filter(|subnet| !is_ec2_id(subnet, "subnet")) {
                let message = format!("{subnet} is not the id of a subnet");
                self.refuse(&format!("network.{path}"), message, "for example \"subnet-0123456789abcdef0\"");
            }
            self.unique(&format!("network.{path}"), subnets);
        }
        if let Some(both) = network.public_subnets.iter().find(|subnet| network.private_subnets.contains(subnet)) {
            self.refuse("network.public_subnets", format!("{both} is private too"), "name it once");
        }
    }

    fn addresses(&mut self, network: &NetworkOptions) {
        if let Some(cidr) = network.cidr {
            self.block("network.cidr", cidr, &NETWORK_PREFIXES);
        }
        let Some(services) = network.service_cidr else { return };
        self.block("network.service_cidr", services, &SERVICE_PREFIXES);
        let cidr = network.cidr();
        if network.vpc.is_none() && (cidr.contains(&services) || services.contains(&cidr)) {
            let message = format!("{services} overlaps with the addresses of the network, {cidr}");
            let others = SERVICE_DEFAULTS.iter().find(|other| !other.contains(&cidr) && !cidr.contains(*other));
            let example = others.map_or_else(String::new, |other| format!(", for example \"{other}\""));
            self.refuse("network.service_cidr", message, &format!("take another block{example}, or leave it out"));
        }
    }

    fn block(&mut self, path: &str, block: Ipv4Net, prefixes: &std::ops::RangeInclusive<u8>) {
        if block.trunc() != block {
            let message = format!("{block} is an address inside of a block");
            self.refuse(path, message, &format!("write \"{}\"", block.trunc()));
        }
        if !PRIVATE.iter().any(|private| private.contains(&block)) {
            let message = format!("{block} is not a block of private addresses");
            self.refuse(path, message, "inside of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16");
        }
        if !prefixes.contains(&block.prefix_len()) {
            let size = if block.prefix_len() < *prefixes.start() { "large" } else { "small" };
            let hint = format!("from /{} to /{}", prefixes.start(), prefixes.end());
            self.refuse(path, format!("{block} is too {size}"), &hint);
        }
    }

    fn iam(&mut self, options: &EksOptions) {
        let iam = &options.iam;
        if let Some(path) = &iam.path {
            let is_path = path.starts_with('/') && path.ends_with('/') && path.chars().all(|c| c.is_ascii_graphic());
            if !is_path || path.len() > PATH_LIMIT {
                self.refuse(
                    "iam.path",
                    format!("{path} is not the path of a role"),
                    "for example \"/howso/\", at most 512 characters",
                );
            }
        }
        if let Some(boundary) = &iam.permissions_boundary
            && !Arn::parse(boundary).is_some_and(|arn| arn.is("iam", "policy/"))
        {
            let message = format!("{boundary} is not the ARN of a policy");
            self.refuse(
                "iam.permissions_boundary",
                message,
                "for example \"arn:aws:iam::123456789012:policy/boundary\"",
            );
        }
        let roles = [
            ("cluster_role", &iam.cluster_role),
            ("node_role", &iam.node_role),
            ("ebs_csi_role", &iam.ebs_csi_role),
            ("autoscaler_role", &iam.autoscaler_role),
        ];
        for (path, role) in roles {
            if let Some(role) = role
                && !Arn::parse(role).is_some_and(|arn| arn.is("iam", "role/"))
            {
                let message = format!("{role} is not the ARN of a role");
                self.refuse(&format!("iam.{path}"), message, "for example \"arn:aws:iam::123456789012:role/name\"");
            }
        }
    }

    fn admins(&mut self, admins: &[String]) {
        for admin in admins {
            let arn = Arn::parse(admin);
            if arn.is_some_and(|arn| arn.is("iam", "role/") || arn.is("iam", "user/")) {
                continue;
            }
            let hint = if arn.is_some_and(|arn| arn.is("sts", "assumed-role/")) {
                "name the role of the session, arn:aws:iam::123456789012:role/name"
            } else {
                "the ARN of an IAM role or user, for example \"arn:aws:iam::123456789012:role/name\""
            };
            self.refuse("admins", format!("{admin} cannot administrate a cluster"), hint);
        }
        self.unique("admins", admins);
    }

    fn kms_key(&mut self, key: &str) {
        let hint = "for example \"arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef\"";
        match Arn::parse(key) {
            Some(arn) if arn.is("kms", "key/") => {
                let region = self.spec.location.as_str();
                if arn.region != region {
                    let message = format!("the key is in {}, but the cluster in {region}", arn.region);
                    self.refuse("kms_key", message, "take a key of the cluster's region");
                }
            }
            Some(_) | None => self.refuse("kms_key", format!("{key} is not the ARN of a KMS key"), hint),
        }
    }

    fn unique(&mut self, path: &str, names: &[String]) {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name) {
                self.refuse(path, format!("{name} is named twice"), "name it once");
            }
        }
    }
}

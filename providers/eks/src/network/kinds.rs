//! The kinds of the network.
//!
//! Durations: latency facts C3 and C4. EC2 answers most creations at once; "available" follows within seconds.

use std::time::Duration;

use howso_infra_core::{CreateSafety, FieldRule, Kind, Latency, Removal};

pub(super) const VPC: &str = "ec2/vpc";
pub(super) const SUBNET: &str = "ec2/subnet";
pub(super) const INTERNET_GATEWAY: &str = "ec2/internet-gateway";
pub(super) const INTERNET_GATEWAY_ATTACHMENT: &str = "ec2/internet-gateway-attachment";
pub(super) const ELASTIC_IP: &str = "ec2/elastic-ip";
pub(super) const NAT_GATEWAY: &str = "ec2/nat-gateway";
pub(super) const ROUTE_TABLE: &str = "ec2/route-table";
pub(super) const ROUTE: &str = "ec2/route";
pub(super) const ROUTE_TABLE_ASSOCIATION: &str = "ec2/route-table-association";

/// Update calls.
pub(super) mod call {
    /// `CreateTags`.
    pub(in super::super) const TAG: &str = "tag";
    /// `ModifyVpcAttribute` of `EnableDnsSupport`.
    pub(in super::super) const SET_DNS_SUPPORT: &str = "set-dns-support";
    /// `ModifyVpcAttribute` of `EnableDnsHostnames`.
    pub(in super::super) const SET_DNS_HOSTNAMES: &str = "set-dns-hostnames";
    /// `ModifySubnetAttribute` of `MapPublicIpOnLaunch`.
    pub(in super::super) const SET_MAP_PUBLIC_IP: &str = "set-map-public-ip";
    /// `ReplaceRoute`.
    pub(in super::super) const REPLACE_ROUTE: &str = "replace-route";
    /// `ReplaceRouteTableAssociation`.
    pub(in super::super) const REPLACE_ASSOCIATION: &str = "replace-association";
}

/// VPCs, subnets, gateways, tables: mostly a second or two, at times more than ten.
const CREATE: Latency = Latency::new(1.5, 0.4);
const DEADLINE: Duration = Duration::from_mins(5);

const fn kind(name: &'static str, title: &'static str, fields: &'static [(&'static str, FieldRule)]) -> Kind {
    Kind {
        name,
        title,
        create_safety: CreateSafety::TagOnly,
        lane: None,
        fields,
        removal: Removal::Call,
        deleted_after: &[],
        create: CREATE,
        update: Latency::IMMEDIATE,
        delete: Latency::IMMEDIATE,
        deadline: DEADLINE,
    }
}

/// The kinds of the network.
pub(crate) const KINDS: &[Kind] = &[
    Kind {
        // The control plane and its nodes leave network interfaces and a security group behind for a while.
        deleted_after: &[SUBNET, INTERNET_GATEWAY_ATTACHMENT, ROUTE_TABLE, "ec2/security-group", "eks/cluster"],
        ..kind(
            VPC,
            "VPC",
            &[
                ("cidr", FieldRule::Immutable),
                // On in every new VPC, so the create call carries it.
                ("dns_support", FieldRule::in_place(call::SET_DNS_SUPPORT)),
                ("dns_hostnames", FieldRule::after_create(call::SET_DNS_HOSTNAMES)),
                ("tags", FieldRule::tags(call::TAG)),
            ],
        )
    },
    Kind {
        deleted_after: &[INTERNET_GATEWAY_ATTACHMENT],
        ..kind(INTERNET_GATEWAY, "internet gateway", &[("tags", FieldRule::tags(call::TAG))])
    },
    Kind {
        create_safety: CreateSafety::Named,
        // EC2 refuses to detach while public addresses are mapped in the VPC.
        deleted_after: &[NAT_GATEWAY, "eks/nodegroup"],
        ..kind(
            INTERNET_GATEWAY_ATTACHMENT,
            "internet gateway attachment",
            &[("vpc_id", FieldRule::Replace), ("internet_gateway_id", FieldRule::Replace)],
        )
    },
    Kind {
        deleted_after: &[NAT_GATEWAY, ROUTE_TABLE_ASSOCIATION, "ec2/instance", "eks/nodegroup", "eks/cluster"],
        ..kind(
            SUBNET,
            "subnet",
            &[
                ("vpc_id", FieldRule::Replace),
                ("zone", FieldRule::Immutable),
                ("cidr", FieldRule::Immutable),
                ("map_public_ip", FieldRule::after_create(call::SET_MAP_PUBLIC_IP)),
                ("tags", FieldRule::tags(call::TAG)),
            ],
        )
    },
    Kind { deleted_after: &[NAT_GATEWAY], ..kind(ELASTIC_IP, "elastic IP", &[("tags", FieldRule::tags(call::TAG))]) },
    Kind {
        create_safety: CreateSafety::Token,
        // Nodes that drain still need their way out: the storage driver detaches volumes through it.
        deleted_after: &["eks/nodegroup"],
        create: Latency::new(105.0, 0.15),
        delete: Latency::new(60.0, 0.3),
        deadline: Duration::from_mins(10),
        ..kind(
            NAT_GATEWAY,
            "NAT gateway",
            &[
                ("subnet_id", FieldRule::Replace),
                ("allocation_id", FieldRule::Replace),
                ("tags", FieldRule::tags(call::TAG)),
            ],
        )
    },
    Kind {
        create_safety: CreateSafety::Token,
        deleted_after: &[ROUTE_TABLE_ASSOCIATION],
        ..kind(ROUTE_TABLE, "route table", &[("vpc_id", FieldRule::Replace), ("tags", FieldRule::tags(call::TAG))])
    },
    Kind {
        create_safety: CreateSafety::Named,
        removal: Removal::With(ROUTE_TABLE),
        ..kind(
            ROUTE,
            "route",
            &[
                ("route_table_id", FieldRule::Replace),
                ("destination_cidr", FieldRule::Replace),
                ("gateway_id", FieldRule::in_place(call::REPLACE_ROUTE)),
                ("nat_gateway_id", FieldRule::in_place(call::REPLACE_ROUTE)),
            ],
        )
    },
    Kind {
        create_safety: CreateSafety::Named,
        ..kind(
            ROUTE_TABLE_ASSOCIATION,
            "route table association",
            &[("subnet_id", FieldRule::Replace), ("route_table_id", FieldRule::in_place(call::REPLACE_ASSOCIATION))],
        )
    },
];

//! Who reaches the Kubernetes API.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde::Serialize;

use crate::spec::Invalid;

/// Who reaches the Kubernetes API. From inside the cluster's network it is always reachable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApiAccess {
    /// Also the caller's own address, when it can be found out. Decided when the control plane is made, then kept.
    Auto,
    /// Nobody from outside.
    Private,
    /// Also these networks: not empty, sorted, without overlaps.
    Cidrs(Vec<IpNet>),
    /// The whole internet.
    Open,
}

/// Reads one network, strictly: with a prefix length and without host bits.
pub(crate) fn parse_network(text: &str) -> Result<IpNet, Invalid> {
    let accepted = "a network such as \"203.0.113.0/24\"";
    match text.parse::<IpNet>() {
        Ok(network) if network.addr() == network.network() => Ok(network),
        Ok(network) => Err(Invalid::new(
            format!("`{text}` is an address inside a network"),
            format!("the network is \"{}\", the address alone is \"{}\"", network.trunc(), IpNet::from(network.addr())),
        )),
        Err(_) => match text.parse::<std::net::IpAddr>() {
            Ok(address) => Err(Invalid::new(
                format!("`{text}` has no prefix length"),
                format!("write \"{}\"", IpNet::from(address)),
            )),
            Err(_) => Err(Invalid::new(format!("`{text}` is not a network"), accepted)),
        },
    }
}

/// The pairs among `networks` that share addresses, by position.
pub(crate) fn overlaps(networks: &[IpNet]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (later, second) in networks.iter().enumerate() {
        for (earlier, first) in networks[..later].iter().enumerate() {
            if first.contains(second) || second.contains(first) {
                pairs.push((earlier, later));
            }
        }
    }
    pairs
}

impl ApiAccess {
    /// Access for `networks`, which do not overlap and are not empty: open when together they cover all addresses of a family,
    /// however they are cut.
    pub fn from_networks(networks: Vec<IpNet>) -> Self {
        if IpNet::aggregate(&networks).iter().any(|network| network.prefix_len() == 0) {
            return Self::Open;
        }
        Self::Cidrs(networks.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| parse_network(text).unwrap()).collect()
    }

    #[test]
    fn networks_need_a_prefix_and_no_host_bits() {
        let hint = |text: &str| parse_network(text).unwrap_err().hint.unwrap();
        assert!(hint("203.0.113.7/24").contains("203.0.113.0/24"));
        assert!(hint("203.0.113.7/24").contains("203.0.113.7/32"));
        assert!(hint("203.0.113.7").contains("203.0.113.7/32"));
        assert!(hint("2001:db8::1").contains("2001:db8::1/128"));
        assert!(parse_network("10.0.0.0/33").is_err());
        assert!(parse_network("everyone").is_err());
    }

    #[test]
    fn duplicates_and_nested_networks_overlap() {
        assert_eq!(
            overlaps(&networks(&["10.0.0.0/8", "192.0.2.0/24", "10.1.0.0/16", "192.0.2.0/24"])),
            [(0, 2), (1, 3)]
        );
        assert_eq!(overlaps(&networks(&["10.1.0.0/16", "10.0.0.0/8"])), [(0, 1)]);
        assert!(overlaps(&networks(&["10.0.0.0/9", "10.128.0.0/9", "2001:db8::/32"])).is_empty());
    }

    #[test]
    fn covering_everything_is_open_however_it_is_cut() {
        assert_eq!(ApiAccess::from_networks(networks(&["0.0.0.0/0"])), ApiAccess::Open);
        assert_eq!(ApiAccess::from_networks(networks(&["::/0"])), ApiAccess::Open);
        assert_eq!(ApiAccess::from_networks(networks(&["0.0.0.0/1", "128.0.0.0/1"])), ApiAccess::Open);
        assert!(matches!(ApiAccess::from_networks(networks(&["0.0.0.0/1"])), ApiAccess::Cidrs(_)));
    }

    #[test]
    fn the_order_of_networks_does_not_matter() {
        let one = ApiAccess::from_networks(networks(&["203.0.113.0/24", "192.0.2.0/24"]));
        let other = ApiAccess::from_networks(networks(&["192.0.2.0/24", "203.0.113.0/24"]));
        assert_eq!(one, other);
    }
}

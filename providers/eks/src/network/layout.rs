//! Which part of the VPC's address space each subnet gets.
//!
//! The space is cut into eighths. The first, second and third are the private subnets of the places `a`, `b` and `c`: nodes
//! and pods take their addresses there. The public subnets, in which only gateways and load balancers live, lie at the
//! beginning of the last eighth, each a 256th of the space but at least a /28. Of `10.42.0.0/16` that makes
//! `10.42.0.0/19`, `10.42.32.0/19`, `10.42.64.0/19` and `10.42.224.0/24`, `10.42.225.0/24`, `10.42.226.0/24`. The rest is
//! free for the user. A place keeps its subnets when the number of zones changes.

use howso_infra_core::spec::Invalid;
use ipnet::Ipv4Net;

/// The largest VPC that EC2 makes.
const SHORTEST_PREFIX: u8 = 16;
/// With a /22 a public subnet is a /28, the smallest that EC2 makes; EKS wants 6 free addresses in it and recommends 16
/// (EKS user guide, network requirements).
const LONGEST_PREFIX: u8 = 22;
const SMALLEST_SUBNET: u8 = 28;

/// The address ranges of one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlaceRanges {
    /// Of nodes and pods.
    pub(crate) private: Ipv4Net,
    /// Of gateways and load balancers.
    pub(crate) public: Ipv4Net,
}

/// Cuts `cidr` for `places` places, at most three.
pub(crate) fn layout(cidr: Ipv4Net, places: usize) -> Result<Vec<PlaceRanges>, Invalid> {
    let prefix = cidr.prefix_len();
    if !(SHORTEST_PREFIX..=LONGEST_PREFIX).contains(&prefix) {
        return Err(Invalid {
            message: format!("the address range {cidr} has the wrong size"),
            hint: Some(format!("from /{SHORTEST_PREFIX} to /{LONGEST_PREFIX}, for example 10.42.0.0/16")),
        });
    }
    if cidr.addr() != cidr.network() {
        return Err(Invalid {
            message: format!("{cidr} is an address inside a range"),
            hint: Some(format!("write the range as {}", cidr.trunc())),
        });
    }
    let eighths: Vec<Ipv4Net> = cidr.subnets(prefix + 3).expect("prefix + 3 is at most /25").collect();
    let last = eighths[7];
    let public = last.subnets((prefix + 8).min(SMALLEST_SUBNET)).expect("longer than an eighth's prefix");
    Ok(eighths
        .iter()
        .take(7)
        .zip(public)
        .take(places)
        .map(|(private, public)| PlaceRanges { private: *private, public })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(cidr: &str) -> Vec<String> {
        let ranges = layout(cidr.parse().unwrap(), 3).unwrap();
        ranges.iter().map(|place| format!("{} {}", place.private, place.public)).collect()
    }

    #[test]
    fn the_default_range_is_cut_as_documented() {
        assert_eq!(
            lines("10.42.0.0/16"),
            ["10.42.0.0/19 10.42.224.0/24", "10.42.32.0/19 10.42.225.0/24", "10.42.64.0/19 10.42.226.0/24"]
        );
    }

    #[test]
    fn the_smallest_range_still_has_room_for_three_places() {
        assert_eq!(
            lines("192.168.4.0/22"),
            ["192.168.4.0/25 192.168.7.128/28", "192.168.4.128/25 192.168.7.144/28", "192.168.5.0/25 192.168.7.160/28"]
        );
    }

    #[test]
    fn subnets_never_overlap_and_stay_inside() {
        for prefix in SHORTEST_PREFIX..=LONGEST_PREFIX {
            let cidr = Ipv4Net::new([10, 0, 0, 0].into(), prefix).unwrap();
            let ranges = layout(cidr, 3).unwrap();
            let all: Vec<_> = ranges.iter().flat_map(|place| [place.private, place.public]).collect();
            for (index, one) in all.iter().enumerate() {
                assert!(cidr.contains(one));
                assert!(all.iter().skip(index + 1).all(|other| !one.contains(other) && !other.contains(one)));
            }
        }
    }

    #[test]
    fn a_place_keeps_its_subnets_when_zones_are_added() {
        let cidr = "10.42.0.0/16".parse().unwrap();
        assert_eq!(layout(cidr, 2).unwrap()[..], layout(cidr, 3).unwrap()[..2]);
    }

    #[test]
    fn ranges_of_the_wrong_size_or_with_host_bits_are_refused() {
        for cidr in ["10.0.0.0/8", "10.0.0.0/15", "10.0.0.0/23", "10.0.0.0/28", "10.42.1.0/16"] {
            assert!(layout(cidr.parse().unwrap(), 2).is_err(), "{cidr}");
        }
    }
}

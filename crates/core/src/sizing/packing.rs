//! Which pods go on which nodes.
//!
//! First-fit decreasing: pods by the largest part of a node that they take, each on the first node with room. With two kinds of
//! resources it needs at most 2⅓ times as many nodes as the best packing (Garey, Graham, Johnson and Yao, "Resource constrained
//! scheduling as generalized bin packing", 1976); how far it can be from the best in a given case is told by
//! [`Packing::nodes_at_least`].

use crate::sizing::Amounts;

/// Pods that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// What each requests.
    pub requests: Amounts,
    /// How many there are.
    pub count: u64,
}

/// A node, and what runs there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedNode {
    /// What is still free.
    pub free: Amounts,
    /// How many pods of each group are on it, in the order of the groups.
    pub pods: Vec<u64>,
}

/// Pods on nodes that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    /// The nodes, the fullest first.
    pub nodes: Vec<PackedNode>,
    /// No packing needs fewer nodes: all that is asked for, divided by what a node offers.
    pub nodes_at_least: u64,
}

/// Packs `groups` on as many nodes as it takes, each of which offers `node`; [`None`] when a pod has no room on an empty one.
pub fn pack(groups: &[Group], node: Amounts) -> Option<Packing> {
    let empty = || PackedNode { free: node, pods: vec![0; groups.len()] };
    let mut nodes: Vec<PackedNode> = Vec::new();
    for index in largest_first(groups, node) {
        let Group { requests, count } = groups[index];
        let rest = fill(&mut nodes, index, requests, count);
        if rest == 0 {
            continue;
        }
        let on_one = node.holds_times(requests);
        if on_one == 0 {
            return None;
        }
        let first_new = nodes.len();
        nodes.extend((0..rest.div_ceil(on_one)).map(|_| empty()));
        fill(&mut nodes[first_new..], index, requests, rest);
    }
    let asked: Amounts = groups.iter().map(|group| group.requests.times(group.count)).sum();
    Some(Packing { nodes, nodes_at_least: asked.share_permille(node).div_ceil(1000) })
}

/// Packs `groups` on nodes that are there already; [`None`] when they have no room for all.
pub fn pack_on(mut nodes: Vec<PackedNode>, groups: &[Group], node: Amounts) -> Option<Vec<PackedNode>> {
    for index in largest_first(groups, node) {
        let Group { requests, count } = groups[index];
        if fill(&mut nodes, index, requests, count) > 0 {
            return None;
        }
    }
    Some(nodes)
}

/// Puts as many as have room on the nodes, the first ones first, and says how many are left.
pub(super) fn fill(nodes: &mut [PackedNode], group: usize, requests: Amounts, count: u64) -> u64 {
    let mut rest = count;
    for node in nodes {
        let here = node.free.holds_times(requests).min(rest);
        node.free = node.free.without(requests.times(here));
        node.pods[group] += here;
        rest -= here;
    }
    rest
}

/// The groups by the largest part of a node that one of their pods takes; of equals the first stays first.
pub(super) fn largest_first(groups: &[Group], node: Amounts) -> Vec<usize> {
    let mut order: Vec<usize> = (0..groups.len()).filter(|index| groups[*index].count > 0).collect();
    order.sort_by_key(|index| std::cmp::Reverse(groups[*index].requests.share_permille(node)));
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NODE: Amounts = Amounts { cpu_millicores: 15890, memory_mebibytes: 60_000, pods: 110 };

    fn group(cpu: u64, memory: u64, count: u64) -> Group {
        Group { requests: Amounts::pod(cpu, memory), count }
    }

    #[test]
    fn as_many_go_on_a_node_as_have_room() {
        let nodes = |groups: &[Group]| pack(groups, NODE).map(|packing| packing.nodes.len());
        assert_eq!(nodes(&[group(6000, 8192, 5)]), Some(3));
        assert_eq!(nodes(&[group(6000, 8192, 5), group(250, 128, 40)]), Some(3), "the small ones fill the gaps");
        assert_eq!(nodes(&[group(16_000, 8192, 1)]), None);
        assert_eq!(nodes(&[group(0, 0, 200)]), Some(2), "a node takes so many pods and no more");
        assert_eq!(nodes(&[group(16_000, 8192, 0)]), Some(0));
    }

    fn groups() -> impl Strategy<Value = Vec<Group>> {
        let one = (1_u64..15_890, 1_u64..60_000, 0_u64..40).prop_map(|(cpu, memory, count)| group(cpu, memory, count));
        proptest::collection::vec(one, 0..8)
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_node_holds_more_than_it_offers(groups in groups()) {
            let packing = pack(&groups, NODE).expect("every pod has room on an empty node");
            for (index, group) in groups.iter().enumerate() {
                let placed: u64 = packing.nodes.iter().map(|node| node.pods[index]).sum();
                prop_assert_eq!(placed, group.count);
            }
            for node in &packing.nodes {
                let here = node.pods.iter().zip(&groups).map(|(count, group)| group.requests.times(*count));
                prop_assert_eq!(here.sum::<Amounts>() + node.free, NODE);
                prop_assert!(node.free != NODE, "no node is empty");
            }
            prop_assert!(packing.nodes_at_least <= packing.nodes.len() as u64);
        }

        #[test]
        fn what_has_room_on_some_nodes_has_room_on_one_more(groups in groups(), count in 0_usize..30) {
            let nodes = |count| vec![PackedNode { free: NODE, pods: vec![0; groups.len()] }; count];
            if pack_on(nodes(count), &groups, NODE).is_some() {
                prop_assert!(pack_on(nodes(count + 1), &groups, NODE).is_some());
            }
        }
    }
}

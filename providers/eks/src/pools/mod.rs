//! Pools: launch templates, node groups, and what the cluster autoscaler must know of groups without nodes.

mod autoscaling_tags;
mod graph;
mod kinds;
mod launch_template;
mod nodegroup;
mod nodegroup_update;
mod observe;
mod poll;
mod running_versions;
mod submit;
mod subnets;

pub(crate) use graph::{Foundation, graph};
pub(crate) use kinds::{AUTOSCALING_TAGS, KINDS, NODEGROUP};
pub(crate) use observe::{observe, observe_one, observed_instance_types};
pub(crate) use poll::poll;
pub(crate) use submit::submit;
pub(crate) use subnets::order_subnets;

#[cfg(test)]
mod tests;

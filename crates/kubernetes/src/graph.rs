//! What is wanted inside a cluster.

use howso_infra_core::inside::{CONTENTS_KIND, Inside, Pool, PoolRole};
use howso_infra_core::{Attributes, Graph, Resource, ResourceId, Value};

use crate::kinds::{CHECK, CONTENTS_NAME};
use crate::{checks, objects};

/// The resource that stands for what lives in the cluster.
pub(crate) fn contents_id() -> ResourceId {
    ResourceId::new(CONTENTS_KIND, CONTENTS_NAME)
}

/// Builds what is wanted inside the cluster that `cloud` describes. Everything waits for all of that: nodes for the autoscaler and
/// the add-ons, roles for its account. Checks come last.
pub fn graph(inside: &Inside, cloud: &Graph) -> Vec<Resource> {
    let mut contents = Resource::new(contents_id());
    contents.depends_on.extend(cloud.iter().map(|resource| resource.id.clone()));
    let mut resources = vec![contents];
    let objects: Vec<Resource> =
        objects::build(inside).into_iter().map(|object| object.after(&contents_id())).collect();
    let ids: Vec<ResourceId> = objects.iter().map(|object| object.id.clone()).collect();
    resources.extend(objects);
    resources.extend(checks(inside).into_iter().map(|mut check| {
        check.depends_on.extend(ids.iter().cloned());
        check.after(&contents_id())
    }));
    resources
}

/// What must be true, as far as the platform lets it be.
fn checks(inside: &Inside) -> Vec<Resource> {
    let check = |name: &str| Resource::new(ResourceId::new(CHECK, name));
    let of_role = |role: PoolRole| inside.pools.iter().filter(move |pool| pool.role == role);
    let mut wanted = vec![check(checks::ADD_ONS), check(checks::STORAGE_CLASS)];
    if let Some(class) = &inside.storage_class {
        wanted[1] = check(checks::STORAGE_CLASS).with("class", class.name.as_str());
    }
    if inside.metrics {
        wanted.push(check(checks::METRICS));
    }
    for (name, role) in [(checks::CORE_NODES, PoolRole::Core), (checks::WORKER_NODES, PoolRole::Worker)] {
        let pools: Vec<Value> = of_role(role).map(pool).collect();
        if !pools.is_empty() {
            wanted.push(check(name).with("pools", Value::List(pools)));
        }
    }
    if inside.autoscaler.is_some() {
        let groups = inside.pools.iter().filter_map(group);
        wanted.push(check(checks::AUTOSCALER).with("groups", Value::List(groups.collect())));
    }
    wanted
}

fn pool(pool: &Pool) -> Value {
    let (key, value) = &pool.member_label;
    Value::Map(Attributes::from([
        ("name".to_owned(), Value::text(&pool.name)),
        ("label".to_owned(), Value::text(key)),
        ("value".to_owned(), Value::text(value)),
        ("min".to_owned(), pool.min.into()),
    ]))
}

fn group(pool: &Pool) -> Option<Value> {
    Some(Value::Map(Attributes::from([
        ("pool".to_owned(), Value::text(&pool.name)),
        ("name".to_owned(), pool.autoscaling_group.clone()?),
        ("min".to_owned(), pool.min.into()),
        ("max".to_owned(), pool.max.into()),
    ])))
}

#[cfg(test)]
mod tests;

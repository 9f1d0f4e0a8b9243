//! The wanted resources and their order.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::resource::{Resource, ResourceId};

/// A set of resources whose dependencies exist and have no cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Graph {
    resources: BTreeMap<ResourceId, Resource>,
}

/// Why resources are not a graph. Each is a mistake of a provider, not of a user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two resources have the same name.
    #[error("resource {0} is declared twice")]
    Duplicate(ResourceId),
    /// A dependency does not exist.
    #[error("resource {from} depends on {to}, which does not exist")]
    Dangling {
        /// The dependent.
        from: ResourceId,
        /// What it names.
        to: ResourceId,
    },
    /// Dependencies form a circle.
    #[error("resource {0} depends on itself")]
    Cycle(ResourceId),
}

impl Graph {
    /// Checks the resources and adds the dependencies that their references imply.
    pub fn new(resources: impl IntoIterator<Item = Resource>) -> Result<Self, GraphError> {
        let mut graph = Self::default();
        for mut resource in resources {
            let mut referenced = BTreeSet::new();
            for value in resource.attributes.values() {
                value.for_each_reference(&mut |reference| {
                    referenced.insert(reference.resource.clone());
                });
            }
            resource.depends_on.extend(referenced);
            if let Some(previous) = graph.resources.insert(resource.id.clone(), resource) {
                return Err(GraphError::Duplicate(previous.id));
            }
        }
        graph.check_dependencies()?;
        Ok(graph)
    }

    /// Returns a resource by name.
    pub fn get(&self, id: &ResourceId) -> Option<&Resource> {
        self.resources.get(id)
    }

    /// Returns all resources by name.
    pub fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.resources.values()
    }

    /// The number of resources.
    pub fn len(&self) -> usize {
        self.resources.len()
    }

    /// Whether there are no resources.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// Returns the resources so that each comes after everything it depends on.
    pub fn in_order(&self) -> Vec<&Resource> {
        let mut taken: BTreeSet<&ResourceId> = BTreeSet::new();
        let mut order = Vec::with_capacity(self.resources.len());
        loop {
            let before = order.len();
            for resource in self.resources.values() {
                if !taken.contains(&resource.id) && resource.depends_on.iter().all(|id| taken.contains(id)) {
                    taken.insert(&resource.id);
                    order.push(resource);
                }
            }
            if order.len() == before {
                return order;
            }
        }
    }

    fn check_dependencies(&self) -> Result<(), GraphError> {
        for resource in self.resources.values() {
            if let Some(missing) = resource.depends_on.iter().find(|id| !self.resources.contains_key(*id)) {
                return Err(GraphError::Dangling { from: resource.id.clone(), to: missing.clone() });
            }
        }
        let orderly: BTreeSet<_> = self.in_order().into_iter().map(|resource| &resource.id).collect();
        match self.resources.keys().find(|id| !orderly.contains(id)) {
            Some(id) => Err(GraphError::Cycle(id.clone())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn id(name: &str) -> ResourceId {
        ResourceId::new("test/thing", name)
    }

    #[test]
    fn references_order_resources() {
        let graph = Graph::new([
            Resource::new(id("a")).with("of", Value::reference(&id("b"), "id")),
            Resource::new(id("b")).after(&id("c")),
            Resource::new(id("c")),
        ])
        .unwrap();
        let order: Vec<_> = graph.in_order().iter().map(|resource| resource.id.name().to_owned()).collect();
        assert_eq!(order, ["c", "b", "a"]);
    }

    #[test]
    fn mistakes_of_a_provider_are_named() {
        assert_eq!(Graph::new([Resource::new(id("a")), Resource::new(id("a"))]), Err(GraphError::Duplicate(id("a"))));
        assert_eq!(
            Graph::new([Resource::new(id("a")).after(&id("b"))]),
            Err(GraphError::Dangling { from: id("a"), to: id("b") })
        );
        assert_eq!(
            Graph::new([Resource::new(id("a")).after(&id("b")), Resource::new(id("b")).after(&id("a"))]),
            Err(GraphError::Cycle(id("a")))
        );
    }
}

//! The providers that a program knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use howso_infra_core::ProviderFactory;
use howso_infra_core::spec::{ProviderSchema, ProviderSchemas};

/// The providers that a program knows, by name.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<&'static str, Arc<dyn ProviderFactory>>);

impl Registry {
    /// A registry without providers.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The providers that were compiled in.
    pub fn builtin() -> Self {
        Self::empty().with_builtin()
    }

    /// Adds a provider.
    #[must_use]
    pub fn with(mut self, factory: Arc<dyn ProviderFactory>) -> Self {
        self.0.insert(factory.name(), factory);
        self
    }

    /// Returns a provider by name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn ProviderFactory>> {
        self.0.get(name)
    }

    /// The names of all providers.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.keys().copied().collect()
    }

    /// The schemas of the providers' own tables in a specification.
    pub fn schemas(&self) -> ProviderSchemas {
        let of = |factory: &Arc<dyn ProviderFactory>| {
            let schema = ProviderSchema { options: factory.options_schema(), only_location: factory.only_location() };
            (factory.name().to_owned(), schema)
        };
        self.0.values().map(of).collect()
    }

    /// One line a provider.
    fn with_builtin(self) -> Self {
        let registry = self;
        #[cfg(feature = "eks")]
        let registry = registry.with(Arc::new(howso_infra_eks::EksFactory::default()));
        #[cfg(feature = "k3d")]
        let registry = registry.with(Arc::new(howso_infra_k3d::K3dFactory));
        registry
    }
}

//! One cluster, opened.

use std::collections::BTreeSet;
use std::sync::Arc;

use camino::Utf8PathBuf;
use howso_infra_core::provider::OpenError;
use howso_infra_core::spec::ClusterSpec;
use howso_infra_core::{Backend, Permissions, Provider, ProviderFactory, plan::Kinds};
use howso_infra_engine::{Clock, TokioClock};
use howso_infra_kubernetes::KubernetesBackend;

use crate::Error;
use crate::event::{Event, Observer, Phase};
use crate::randomness::Randomness;
use crate::registry::Registry;

/// What a library must not look up by itself.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The directory of local journals.
    pub state_dir: Utf8PathBuf,
    /// The name of this machine, shown to whoever finds the lease taken.
    pub host: String,
    /// The number of this process, likewise.
    pub process_id: u32,
}

/// How far a command goes. A stage includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The cloud's own resources.
    Cloud,
    /// What runs inside the cluster, and the verification of all of it. Where the provider leaves nothing to do there, this is the
    /// same as the stage before.
    Cluster,
}

/// One cluster, opened: reads, plans and runs.
pub struct Session {
    pub(crate) spec: ClusterSpec,
    factory: Arc<dyn ProviderFactory>,
    pub(crate) provider: Arc<dyn Provider>,
    /// What lives inside the cluster; absent where the provider does not say how to reach it, and before the stage that does it.
    pub(crate) kubernetes: Option<Arc<KubernetesBackend>>,
    pub(crate) backends: Vec<Arc<dyn Backend>>,
    pub(crate) kinds: Kinds,
    pub(crate) surroundings: Surroundings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<Randomness>,
    /// In which store the bucket of a journal is; absent, in the one that the environment names.
    #[cfg(feature = "bucket")]
    pub(crate) bucket: Option<Arc<dyn object_store::ObjectStore>>,
    observer: Observer,
}

impl Session {
    /// Opens a cluster. Sends no request.
    pub async fn open(spec: ClusterSpec, registry: &Registry, surroundings: Surroundings) -> Result<Self, Error> {
        let name = spec.provider.as_str();
        let factory = registry
            .get(name)
            .ok_or_else(|| Error::UnknownProvider { name: name.to_owned(), known: registry.names() })?;
        Self::open_with(spec, Arc::clone(factory), surroundings).await
    }

    /// Opens the same cluster with another specification.
    pub(crate) async fn reopen(&self, spec: ClusterSpec) -> Result<Self, Error> {
        let session = Self::open_with(spec, Arc::clone(&self.factory), self.surroundings.clone()).await?;
        let session = session.on_event(self.observer()).with_clock(Arc::clone(&self.clock));
        Ok(Self {
            randomness: Arc::clone(&self.randomness),
            #[cfg(feature = "bucket")]
            bucket: self.bucket.clone(),
            ..session
        })
    }

    async fn open_with(
        spec: ClusterSpec,
        factory: Arc<dyn ProviderFactory>,
        surroundings: Surroundings,
    ) -> Result<Self, Error> {
        let provider = factory.open(&spec, &surroundings.state_dir).await.map_err(|error| match error {
            OpenError::Spec(errors) => Error::Spec(errors),
            OpenError::Provider(error) => Error::Provider(error),
        })?;
        let connector = provider.connector();
        let kubernetes = connector.map(|connector| Arc::new(KubernetesBackend::new(connector, &spec)));
        let clock = Arc::new(TokioClock::new());
        let (backends, kinds, observer) = (Vec::new(), Kinds::default(), Arc::new(|_: &Event| {}));
        let randomness = Arc::new(Randomness::System);
        let session = Self {
            spec,
            factory,
            provider,
            kubernetes,
            backends,
            kinds,
            surroundings,
            clock,
            randomness,
            #[cfg(feature = "bucket")]
            bucket: None,
            observer,
        };
        Ok(session.with_backends())
    }

    /// Goes as far as a stage and no further: what a later one made is neither looked at nor changed.
    #[must_use]
    pub fn until(mut self, stage: Stage) -> Self {
        match stage {
            Stage::Cloud => self.kubernetes = None,
            Stage::Cluster => {}
        }
        self.with_backends()
    }

    /// The last stage that there is something to do for.
    pub fn last_stage(&self) -> Stage {
        if self.kubernetes.is_some() { Stage::Cluster } else { Stage::Cloud }
    }

    fn with_backends(mut self) -> Self {
        self.backends = self.provider.backends();
        self.backends.extend(self.kubernetes.iter().map(|backend| Arc::clone(backend) as Arc<dyn Backend>));
        self.kinds = Kinds::new(self.backends.iter().map(|backend| backend.kinds()));
        self
    }

    /// Tells `observer` what happens.
    #[must_use]
    pub fn on_event(mut self, observer: Observer) -> Self {
        self.observer = observer;
        self
    }

    /// Uses another clock, for runs in virtual time.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Keeps a journal that lies in a bucket in this store instead of the one that the environment names. It is that bucket, and must
    /// support conditional puts.
    #[cfg(feature = "bucket")]
    #[must_use]
    pub fn with_bucket(mut self, store: Arc<dyn object_store::ObjectStore>) -> Self {
        self.bucket = Some(store);
        self
    }

    /// Draws from a seed what is otherwise drawn from the system (the identity of a new deployment, how far retries are apart), for
    /// runs that are to be repeated exactly.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.randomness = Arc::new(Randomness::seeded(seed));
        self
    }

    /// The specification the session was opened with.
    pub fn spec(&self) -> &ClusterSpec {
        &self.spec
    }

    /// What a caller must be allowed in order to make, change and remove the cluster, when `calls` are those that were seen in a
    /// rehearsal of it. Sends no request. `None` on a platform that asks nobody for permissions.
    pub fn permissions(&self, calls: &BTreeSet<String>) -> Option<Permissions> {
        self.provider.permissions(&self.spec, calls)
    }

    pub(crate) fn tell(&self, event: &Event) {
        (self.observer)(event);
    }

    pub(crate) fn begin_phase(&self, phase: Phase) {
        self.tell(&Event::Phase(phase));
    }

    pub(crate) fn observer(&self) -> Observer {
        self.observer.clone()
    }
}

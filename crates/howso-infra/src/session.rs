//! One cluster, opened.

use std::sync::Arc;

use camino::Utf8PathBuf;
use howso_infra_core::provider::OpenError;
use howso_infra_core::spec::ClusterSpec;
use howso_infra_core::{Backend, Provider, plan::Kinds};
use howso_infra_engine::{Clock, TokioClock};

use crate::Error;
use crate::event::{Event, Observer, Phase};
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

/// One cluster, opened: reads, plans and runs.
pub struct Session {
    pub(crate) spec: ClusterSpec,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) backends: Vec<Arc<dyn Backend>>,
    pub(crate) kinds: Kinds,
    pub(crate) surroundings: Surroundings,
    pub(crate) clock: Arc<dyn Clock>,
    observer: Observer,
}

impl Session {
    /// Opens a cluster. Sends no request.
    pub async fn open(spec: ClusterSpec, registry: &Registry, surroundings: Surroundings) -> Result<Self, Error> {
        let name = spec.provider.as_str();
        let factory = registry
            .get(name)
            .ok_or_else(|| Error::UnknownProvider { name: name.to_owned(), known: registry.names() })?;
        let provider = factory.open(&spec).await.map_err(|error| match error {
            OpenError::Spec(errors) => Error::Spec(errors),
            OpenError::Provider(error) => Error::Provider(error),
        })?;
        let backends = provider.backends();
        let kinds = Kinds::new(backends.iter().map(|backend| backend.kinds()));
        let clock = Arc::new(TokioClock::new());
        Ok(Self { spec, provider, backends, kinds, surroundings, clock, observer: Arc::new(|_| {}) })
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

    /// The specification the session was opened with.
    pub fn spec(&self) -> &ClusterSpec {
        &self.spec
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

//! One test's world: the server to itself, a proxy, a cloud, a state folder.

use std::sync::{Arc, Mutex};

use camino::Utf8PathBuf;
use howso_infra::core::plan::Replacement;
use howso_infra::core::spec::{Layers, embedded_profile, resolve};
use howso_infra::engine::JournalError;
use howso_infra::interrupt::Interrupts;
use howso_infra::{Error, Event, Finished, Goal, Registry, Session, Surroundings};
use serde_json::Value as Json;
use tokio::sync::MutexGuard;
use tokio::task::JoinHandle;

use super::client::Admin;
use super::cloud::Cloud;
use super::nodes;
use super::proxy::Proxy;

pub(crate) const UP: Goal = Goal::Up { replacement: Replacement::Refused };

/// The server is one, and so are the names in it.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

pub(crate) struct Lab {
    pub(crate) admin: Admin,
    pub(crate) proxy: Proxy,
    pub(crate) cloud: Cloud,
    /// Everything that an observer was told.
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
    state: tempfile::TempDir,
    available: JoinHandle<()>,
    _turn: MutexGuard<'static, ()>,
}

/// How a command ended.
pub(crate) enum Ended {
    Finished(Box<Finished>),
    /// It died in the middle.
    Died,
}

impl Lab {
    /// An empty API server and an empty cloud.
    pub(crate) async fn empty() -> Self {
        let turn = TURN.lock().await;
        let admin = Admin::connect().await;
        nodes::reset(&admin).await;
        let proxy = Proxy::start().await;
        let cloud = Cloud::new(&proxy.url);
        let available = nodes::keep_available(&admin);
        let state = tempfile::tempdir().unwrap();
        Self { admin, proxy, cloud, events: Arc::default(), state, available, _turn: turn }
    }

    /// The same with nodes, metrics and a healthy autoscaler.
    pub(crate) async fn healthy() -> Self {
        let lab = Self::empty().await;
        nodes::healthy(&lab.admin).await;
        lab
    }

    pub(crate) async fn session(&self) -> Session {
        self.session_with(&[]).await
    }

    pub(crate) async fn session_with(&self, settings: &[&str]) -> Session {
        let registry = Registry::empty().with(Arc::new(self.cloud.clone()));
        let mut layers = Layers::new().profile("small", None, embedded_profile("small").unwrap()).unwrap();
        let quick = [
            "engine.poll_interval_min=5ms",
            "engine.poll_interval_max=20ms",
            "engine.visibility_window=10ms",
            "engine.retry_delay_base=5ms",
            "engine.retry_delay_max=20ms",
            "engine.request_timeout=10s",
        ];
        for setting in
            ["name=demo", "provider=memory", "region=here"].into_iter().chain(quick).chain(settings.iter().copied())
        {
            layers = layers.set("--set", setting).unwrap();
        }
        let spec = resolve(&layers, &registry.schemas()).unwrap().spec;
        let state_dir = Utf8PathBuf::from(self.state.path().to_str().unwrap());
        let surroundings = Surroundings { state_dir, host: "test".to_owned(), process_id: 1 };
        let events = Arc::clone(&self.events);
        let observer = Arc::new(move |event: &Event| events.lock().unwrap().push(event.clone()));
        Session::open(spec, &registry, surroundings).await.unwrap().on_event(observer)
    }

    /// Deletes what this machine knows.
    pub(crate) fn forget(&self) {
        for entry in std::fs::read_dir(self.state.path()).unwrap() {
            let path = entry.unwrap().path();
            let _ = std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path));
        }
    }

    /// Carries a command out, until its end or its death.
    pub(crate) async fn run(&self, goal: Goal) -> Ended {
        let session = self.session().await;
        let work = async {
            let run = loop {
                match session.begin(goal).await {
                    Ok(run) => break run,
                    // A run that died in this process may still be writing its last line on a thread.
                    Err(Error::Journal(JournalError::Held { .. })) => {
                        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                    }
                    Err(error) => panic!("{error:?}"),
                }
            };
            run.execute(Interrupts::never()).await.unwrap()
        };
        tokio::select! {
            biased;
            () = self.proxy.death.notified() => Ended::Died,
            finished = work => Ended::Finished(Box::new(finished)),
        }
    }

    /// Carries a command out that must go well.
    pub(crate) async fn succeed(&self, goal: Goal) -> Finished {
        let Ended::Finished(finished) = self.run(goal).await else { panic!("it died") };
        assert!(finished.outcome.is_complete(), "{:#?}", finished.outcome);
        let left = finished.remaining.iter().flat_map(|plan| &plan.report);
        let left: Vec<_> = left.filter(|found| found.change != howso_infra::core::Change::None).collect();
        assert!(finished.remaining.as_ref().is_none_or(howso_infra::core::Plan::is_empty), "{left:#?}");
        *finished
    }

    /// Everything of ours in the server, without what differs from run to run.
    pub(crate) async fn snapshot(&self) -> Vec<Json> {
        let mut found = Vec::new();
        for collection in COLLECTIONS {
            for mut object in self.admin.list(collection).await {
                if object["metadata"]["labels"].get("howso-infra/cluster").is_none() {
                    continue;
                }
                let metadata = object["metadata"].as_object_mut().unwrap();
                for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"] {
                    metadata.remove(field);
                }
                for label in ["howso-infra/deployment", "howso-infra/generation"] {
                    metadata["labels"].as_object_mut().unwrap().remove(label);
                }
                object.as_object_mut().unwrap().remove("status");
                found.push(object);
            }
        }
        found
    }
}

/// Where objects of ours are.
pub(crate) const COLLECTIONS: [&str; 10] = [
    "/api/v1/namespaces",
    "/api/v1/serviceaccounts",
    "/apis/apps/v1/deployments",
    "/apis/policy/v1/poddisruptionbudgets",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/rolebindings",
    "/apis/rbac.authorization.k8s.io/v1/roles",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
    "/apis/storage.k8s.io/v1/storageclasses",
];

impl Drop for Lab {
    fn drop(&mut self) {
        self.available.abort();
    }
}

//! The cluster behind a control plane: a Kubernetes API with the controllers that make its objects come true, in the time of the
//! emulated cloud.
//!
//! What is done for an object is done when somebody looks: all that was to happen by then happens first, in its order. Kubelets are
//! not there: a pod that has a node runs after a while. Not emulated: admission beyond the fields of an object, volumes,
//! networks, jobs.

mod addons;
mod api;
mod autoscaler;
pub(crate) mod cloud;
mod controllers;
mod fields;
mod nodes;
mod resources;
mod scheduler;
mod selection;
mod status;
mod store;
mod watch;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub(crate) use api::{Request, Response, User, check_call};
use cloud::{Cloud, Machine};
use store::{Key, Operation, Store, Writer};
pub(crate) use watch::{Watch, stream};

/// The namespaces that every cluster has.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// How long a namespace takes to end that holds nothing any more.
const NAMESPACE_ENDS: SignedDuration = SignedDuration::from_secs(5);

/// How long a container takes to run on a node, with its image.
const START_SECS: (f64, f64) = (4.0, 0.4);

/// The cluster behind a control plane.
#[derive(Clone, Debug)]
pub(crate) struct Kubernetes {
    store: Store,
    /// What will happen, by when and in the order in which it was planned.
    agenda: BTreeMap<(Timestamp, u64), Happening>,
    planned: u64,
    /// The machines whose nodes are there or will be.
    machines: BTreeMap<String, Machine>,
    /// Since when nothing but daemons runs on a machine.
    idle_since: BTreeMap<String, Timestamp>,
    /// The version of the store of which the controllers made nothing else.
    settled: Option<u64>,
    /// When the autoscaler looks next.
    next_look: Option<Timestamp>,
    controllers: Controllers,
}

/// Whether objects come true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Controllers {
    /// By the controllers of a cluster.
    Run,
    /// Only as whoever asks the API writes it: there is nothing but the API.
    Absent,
}

/// What happens by itself.
#[derive(Clone, Debug)]
enum Happening {
    /// The node of a machine registers.
    Joins(String),
    /// The node of a machine is ready.
    IsReady(String),
    /// The containers of the pod with this identifier run.
    Runs(Key, Value),
    /// A namespace has ended.
    Ends(Key),
    /// The autoscaler looks around.
    Looks,
}

impl Kubernetes {
    /// A new cluster; `seed` tells its objects from those of others.
    pub(crate) fn new(seed: String, now: Timestamp) -> Self {
        let store = Store::new(seed);
        let (agenda, machines, idle_since) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (settled, next_look, controllers) = (None, None, Controllers::Run);
        let mut cluster = Self { store, agenda, planned: 0, machines, idle_since, settled, next_look, controllers };
        for name in NAMESPACES {
            cluster.make(
                &json!({
                    "apiVersion": "v1", "kind": "Namespace", "status": { "phase": "Active" },
                    "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name } },
                }),
                now,
            );
        }
        for (name, value) in [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)] {
            cluster.make(&json!({
                "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": name }, "value": value,
            }), now);
        }
        // Made by EKS, and not the default since 1.30.
        cluster.make(
            &json!({
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": { "name": "gp2" },
                "provisioner": "kubernetes.io/aws-ebs", "parameters": { "type": "gp2", "fsType": "ext4" },
                "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
            }),
            now,
        );
        cluster
    }

    /// A cluster of which there is nothing but the API.
    pub(crate) fn without_controllers(seed: String, now: Timestamp) -> Self {
        Self { controllers: Controllers::Absent, ..Self::new(seed, now) }
    }

    /// Installs an add-on.
    pub(crate) fn install(&mut self, addon: &str, now: Timestamp, cloud: &mut dyn Cloud) {
        for object in &addons::objects(addon) {
            self.make(object, now);
        }
        self.control(now, cloud);
    }

    /// Removes an add-on.
    pub(crate) fn uninstall(&mut self, addon: &str, now: Timestamp, cloud: &mut dyn Cloud) {
        for object in addons::objects(addon) {
            if let Some(resource) = resources::of(&object) {
                self.delete(&Key::of(resource, &object));
            }
        }
        self.control(now, cloud);
    }

    /// Lets everything happen that happens by `now`.
    pub(crate) fn pass_time(&mut self, now: Timestamp, cloud: &mut dyn Cloud) {
        self.meet_machines(now, cloud);
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((when, _), happening) = entry.remove_entry();
            self.happen(happening, when, cloud);
            self.control(when, cloud);
            self.meet_machines(when, cloud);
        }
    }

    /// Answers a request.
    pub(crate) fn answer(&mut self, request: &Request, now: Timestamp, cloud: &mut dyn Cloud) -> Response {
        api::answer(self, request, now, cloud)
    }

    /// What there is to tell by now to whoever watches; nothing when the watch has ended.
    pub(crate) fn follow(&mut self, watch: &mut Watch, now: Timestamp, cloud: &mut dyn Cloud) -> Option<Vec<Value>> {
        self.pass_time(now, cloud);
        watch.events(self, now, cloud)
    }

    fn plan(&mut self, when: Timestamp, happening: Happening) {
        self.planned += 1;
        self.agenda.insert((when, self.planned), happening);
    }

    /// Gets to know machines that are new, and lets go of those that are gone.
    fn meet_machines(&mut self, now: Timestamp, cloud: &mut dyn Cloud) {
        let there = cloud.machines();
        let gone: Vec<String> =
            self.machines.keys().filter(|id| !there.iter().any(|machine| machine.id == **id)).cloned().collect();
        let is_changed = !gone.is_empty();
        for id in gone {
            let Some(machine) = self.machines.remove(&id) else { continue };
            self.idle_since.remove(&id);
            self.store.remove(&Key::new("nodes", "", &machine.node));
            let on_it = |(_, pod): &(&Key, &Value)| pod["spec"]["nodeName"] == machine.node;
            let pods: Vec<Key> = self.store.all("pods").filter(on_it).map(|(key, _)| key.clone()).collect();
            for key in &pods {
                self.delete(key);
            }
        }
        for machine in there {
            if !self.machines.contains_key(&machine.id) {
                self.plan(machine.joins, Happening::Joins(machine.id.clone()));
                self.plan(machine.ready, Happening::IsReady(machine.id.clone()));
                self.machines.insert(machine.id.clone(), machine);
            }
        }
        if is_changed {
            self.control(now, cloud);
        }
    }

    fn happen(&mut self, happening: Happening, now: Timestamp, cloud: &mut dyn Cloud) {
        match happening {
            Happening::Joins(id) => {
                if let Some(machine) = self.machines.get(&id) {
                    let node = nodes::node(machine, now);
                    self.make(&node, now);
                }
            }
            Happening::IsReady(id) => {
                if let Some(machine) = self.machines.get(&id) {
                    let key = Key::new("nodes", "", &machine.node);
                    self.store.control(&key, |node| nodes::become_ready(node, now));
                }
            }
            Happening::Runs(key, uid) => {
                let is_same = self.store.get(&key).is_some_and(|pod| pod["metadata"]["uid"] == uid);
                if is_same {
                    self.store.control(&key, |pod| controllers::run(pod, now));
                }
            }
            Happening::Ends(key) => drop(self.store.remove(&key)),
            Happening::Looks => {
                self.next_look = None;
                autoscaler::look(self, now, cloud);
            }
        }
    }

    /// Lets the controllers of Kubernetes do what is to be done at once.
    fn control(&mut self, now: Timestamp, cloud: &mut dyn Cloud) {
        if self.controllers == Controllers::Absent {
            return;
        }
        let revision = self.store.revision();
        if self.settled != Some(revision) {
            controllers::work(self, now, cloud);
            self.settled = Some(revision).filter(|revision| *revision == self.store.revision());
        }
        autoscaler::plan_look(self, now, cloud);
    }

    /// Makes an object that is not there yet.
    fn make(&mut self, object: &Value, now: Timestamp) {
        let Some(resource) = resources::of(object) else { return };
        let key = Key::of(resource, object);
        if self.store.get(&key).is_none() {
            let writer = Writer { manager: "kube-controller-manager".to_owned(), operation: Operation::Update };
            self.store.create(&key, object.clone(), writer, now);
        }
    }

    /// Removes an object with everything that it owns.
    fn delete(&mut self, key: &Key) {
        let Some(gone) = self.store.remove(key) else { return };
        let uid = &gone["metadata"]["uid"];
        let is_owned = |object: &Value| {
            let owners = object["metadata"]["ownerReferences"].as_array();
            owners.into_iter().flatten().any(|owner| owner["uid"] == *uid)
        };
        let owned: Vec<Key> = self
            .store
            .inside(&key.namespace)
            .into_iter()
            .filter(|key| self.store.get(key).is_some_and(is_owned))
            .collect();
        for key in &owned {
            self.delete(key);
        }
    }

    /// Ends a namespace: what is in it goes, and then it goes itself.
    fn end_namespace(&mut self, key: &Key, now: Timestamp) {
        if self.controllers == Controllers::Run {
            for inner in self.store.inside(&key.name) {
                self.delete(&inner);
            }
            self.plan(now + NAMESPACE_ENDS, Happening::Ends(key.clone()));
        }
        self.store.control(key, |namespace| {
            namespace["metadata"]["deletionTimestamp"] = json!(store::seconds(now));
            namespace["status"]["phase"] = json!("Terminating");
        });
    }

    /// Removes an object that is to go, as soon as nobody holds it.
    fn let_go(&mut self, key: &Key) {
        let is_to_go = |object: &Value| {
            let finalizers = object["metadata"]["finalizers"].as_array();
            object["metadata"].get("deletionTimestamp").is_some() && finalizers.is_none_or(Vec::is_empty)
        };
        // Namespaces are held by what is in them.
        if key.kind != "namespaces" && self.store.get(key).is_some_and(is_to_go) {
            self.delete(key);
        }
    }
}

//! Building the pools.

use std::collections::{BTreeMap, BTreeSet};

use crate::spec::build::Builder;
use crate::spec::{
    Architecture, CORE_LABEL, CoreDocument, CorePool, CoreServices, Cpu, Gibibytes, KeyPath, LabelKey, LabelValue,
    LocalNodes, Machine, MachineDocument, Memory, PoolName, Purchase, SpecErrorKind, SpecWarningKind, Taint,
    WORKER_TAINT, WorkerDocument, WorkerPool,
};

/// Pools have bounds so that a slip of the hand cannot order a thousand machines.
const CORE_NODES_MAX: u32 = 100;
const WORKER_NODES_MAX: u32 = 1000;
const LOCAL_NODES_MAX: u32 = 100;

/// The tuned NATS values spread three replicas over nodes.
const CORE_NODES_WANTED: u32 = 3;

impl Builder<'_> {
    /// The core pool.
    pub(crate) fn core_pool(&mut self, document: &CoreDocument) -> Option<CorePool> {
        let path = KeyPath::dotted("core");
        let (nodes_path, max_path) = (path.key("nodes"), path.key("max"));
        let nodes = self.count(&nodes_path, document.nodes, 1, CORE_NODES_MAX);
        let max = match document.max {
            Some(max) => self.count(&max_path, Some(max), 1, CORE_NODES_MAX).map(Some),
            None => Some(None),
        };
        self.check_order(&nodes_path, nodes, &max_path, max.flatten());
        let services = self.required(&path.key("services"), document.services);
        let is_tuned = services == Some(CoreServices::Tuned);
        if is_tuned && nodes.is_some_and(|nodes| nodes < CORE_NODES_WANTED) {
            let message = format!("the tuned NATS values need {CORE_NODES_WANTED} core nodes, each for one replica");
            let hint = "3 or more; fewer only with untuned NATS";
            self.warn(SpecWarningKind::FewCoreNodes, &nodes_path, message, hint);
        }
        let machine = self.machine(&path.key("machine"), &document.machine);
        let labels = self.labels(&path.key("labels"), &document.labels);
        Some(CorePool { nodes: nodes?, max: max?, services: services?, machine: machine?, labels })
    }

    /// The worker pools.
    pub(crate) fn worker_pools(
        &mut self,
        documents: &BTreeMap<String, WorkerDocument>,
    ) -> Option<BTreeMap<PoolName, WorkerPool>> {
        let path = KeyPath::dotted("workers");
        // Asking for a pool reports that there is none, unless a pool was already reported.
        self.required(&path, documents.first_key_value())?;
        let mut pools = BTreeMap::new();
        for (key, document) in documents {
            let path = path.key(key);
            let name = self.accept_key(&path, key.parse::<PoolName>());
            let pool = self.worker_pool(&path, document);
            if let (Some(name), Some(pool)) = (name, pool) {
                pools.insert(name, pool);
            }
        }
        if documents.contains_key("default") && documents.contains_key("worker") {
            let message = "the pool `default` is already called `worker` on the platform";
            self.error(SpecErrorKind::Conflict, &path.key("worker"), message, "another name for one of them");
        }
        (pools.len() == documents.len()).then_some(pools)
    }

    fn worker_pool(&mut self, path: &KeyPath, document: &WorkerDocument) -> Option<WorkerPool> {
        let (min_path, max_path) = (path.key("min"), path.key("max"));
        let min = self.count(&min_path, document.min, 0, WORKER_NODES_MAX);
        let max = self.count(&max_path, document.max, 1, WORKER_NODES_MAX);
        self.check_order(&min_path, min, &max_path, max);
        let local = match document.local {
            Some(local) => {
                let count = self.count(&path.key("local"), Some(local), 0, LOCAL_NODES_MAX);
                count.map(|count| Some(LocalNodes::count(count)))
            }
            None => Some(None),
        };
        let machine = self.machine(&path.key("machine"), &document.machine);
        let purchase = match self.required(&path.key("spot"), document.spot) {
            Some(true) => Some(Purchase::Spot),
            Some(false) => Some(Purchase::OnDemand),
            None => None,
        };
        if purchase == Some(Purchase::Spot) && machine.as_ref().is_some_and(|machine| machine.types.len() == 1) {
            let message = "a spot pool of one instance type stands still whenever that type is short";
            let types = path.key("machine").key("types");
            self.warn(SpecWarningKind::SpotWithOneType, &types, message, "name several types, or none");
        }
        let labels = self.labels(&path.key("labels"), &document.labels);
        let taints = self.taints(&path.key("taints"), &document.taints);
        Some(WorkerPool { min: min?, max: max?, local: local?, machine: machine?, purchase: purchase?, labels, taints })
    }

    /// A machine of which everything is said.
    pub(crate) fn machine(&mut self, path: &KeyPath, document: &MachineDocument) -> Option<Machine> {
        let cpu = self.required(&path.key("cpu"), document.cpu);
        let cpu = cpu.and_then(|count| self.accept(&path.key("cpu"), Cpu::new(count)));
        let memory = self.required(&path.key("memory"), document.memory.as_deref());
        let memory = memory.and_then(|text| self.accept(&path.key("memory"), text.parse::<Memory>()));
        let architecture = self.required(&path.key("architecture"), document.architecture.as_deref());
        let architecture =
            architecture.and_then(|text| self.accept(&path.key("architecture"), text.parse::<Architecture>()));
        let disk = self.required(&path.key("disk"), document.disk.as_deref());
        let disk = disk.and_then(|text| self.accept(&path.key("disk"), text.parse::<Gibibytes>()));
        let types = self.instance_types(path, &document.types);
        Some(Machine { cpu: cpu?, memory: memory?, architecture: architecture?, disk: disk?, types: types? })
    }

    fn instance_types(&mut self, machine: &KeyPath, names: &[String]) -> Option<Vec<String>> {
        let path = machine.key("types");
        let mut seen = BTreeSet::new();
        let mut is_fine = true;
        for (index, name) in names.iter().enumerate() {
            let place = path.index(index);
            let is_word =
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
            if !is_word {
                let message = format!("`{}` is not the name of an instance type", name.escape_debug());
                self.error(
                    SpecErrorKind::InvalidValue,
                    &place,
                    message,
                    "the platform's own spelling, for example \"m6i.4xlarge\"",
                );
                is_fine = false;
            } else if !seen.insert(name) {
                self.error(SpecErrorKind::Conflict, &place, format!("`{name}` is named twice"), "name each type once");
                is_fine = false;
            }
        }
        if !names.is_empty() {
            self.warn_of_shape_without_effect(machine);
        }
        is_fine.then(|| names.to_vec())
    }

    /// `types` decide alone; a size that somebody chose beside them, or over them, does nothing.
    fn warn_of_shape_without_effect(&mut self, machine: &KeyPath) {
        let Some(types) = self.origin(&machine.key("types")) else { return };
        for key in ["cpu", "memory"] {
            let path = machine.key(key);
            let chosen =
                self.origin(&path).is_some_and(|o| o.layer.is_chosen() && o.layer.rank() >= types.layer.rank());
            if chosen {
                let message = format!("this has no effect, because `types` are set by {types}");
                self.warn(SpecWarningKind::ShapeWithoutEffect, &path, message, "leave out one of the two");
            }
        }
    }

    fn labels(&mut self, path: &KeyPath, texts: &BTreeMap<String, String>) -> BTreeMap<LabelKey, LabelValue> {
        let mut labels = BTreeMap::new();
        for (key, value) in texts {
            let path = path.key(key);
            let parsed_key = self.accept_key(&path, key.parse::<LabelKey>());
            let parsed_value = self.accept(&path, value.parse::<LabelValue>());
            let (Some(key), Some(value)) = (parsed_key, parsed_value) else { continue };
            if key.as_str() == CORE_LABEL.0 {
                let message = format!("the label `{}` is set by the program", CORE_LABEL.0);
                self.error(SpecErrorKind::Conflict, &path, message, "leave it out");
            } else if key.is_reserved_for_kubernetes() {
                let message = format!("the namespace of `{key}` belongs to Kubernetes");
                self.error(
                    SpecErrorKind::InvalidValue,
                    &path,
                    message,
                    "a domain of your own, for example \"example.com/team\"",
                );
            } else {
                labels.insert(key, value);
            }
        }
        labels
    }

    fn taints(&mut self, path: &KeyPath, texts: &[String]) -> Vec<Taint> {
        let mut taints = Vec::new();
        let mut seen = BTreeSet::new();
        for (index, text) in texts.iter().enumerate() {
            let path = path.index(index);
            let Some(taint) = self.accept(&path, text.parse::<Taint>()) else { continue };
            if taint.key.as_str() == WORKER_TAINT.0 {
                let message = format!("the taint `{}` is on every worker pool already", WORKER_TAINT.0);
                self.error(SpecErrorKind::Conflict, &path, message, "leave it out");
            } else if !seen.insert((taint.key.clone(), taint.effect)) {
                let message = format!("`{}` with the effect {} is named twice", taint.key, taint.effect.as_str());
                self.error(SpecErrorKind::Conflict, &path, message, "a key may have each effect once");
            } else {
                taints.push(taint);
            }
        }
        taints
    }
}

//! Objects with their versions and with who wrote which part of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::kubernetes::fields::{self, Fields};
use crate::kubernetes::resources::{self, Resource};
use crate::kubernetes::status::Refusal;

/// Members of the metadata that nobody applies: they say which object is meant, or are the server's own.
const NOT_APPLIED: [&str; 9] = [
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Which object: its kind, its namespace (empty without one) and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: &'static str,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// Who writes, and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Writer {
    pub(crate) manager: String,
    pub(crate) operation: Operation,
}

/// How a field manager writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Apply,
    Update,
}

#[derive(Clone, Debug)]
struct Stored {
    /// Shared, because controllers look at an object far more often than anybody changes it.
    object: Arc<Value>,
    owned: BTreeMap<Writer, (Timestamp, Fields)>,
}

/// What became of an object.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The version of the whole since then.
    pub(crate) revision: u64,
    pub(crate) key: Key,
    /// As it was; nothing when it is new.
    pub(crate) before: Option<Arc<Value>>,
    /// As it is; nothing when it is gone.
    pub(crate) after: Option<Arc<Value>>,
}

/// How many changes are remembered, for whoever watches.
const CHANGES_MAX: usize = 1_000;

/// All objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    objects: BTreeMap<Key, Stored>,
    /// The last ones, in their order.
    changes: VecDeque<Change>,
    revision: u64,
    uids: u64,
    /// What tells the identifiers of one cluster from those of another.
    seed: String,
}

impl Key {
    pub(crate) fn new(kind: &'static str, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The key of an object.
    pub(crate) fn of(resource: &'static Resource, object: &Value) -> Self {
        let text = |member: &str| object["metadata"][member].as_str().unwrap_or_default();
        Self::new(&resource.id, text("namespace"), text("name"))
    }
}

impl Store {
    /// An empty store; `seed` tells its objects from those of others.
    pub(crate) fn new(seed: String) -> Self {
        Self { seed, ..Self::default() }
    }

    /// The version of the whole, which grows with every change.
    pub(crate) fn revision(&self) -> u64 {
        // etcd counts from 1, which is the empty store.
        self.revision + 1
    }

    /// What has happened since the store had this version; [`None`] when that is too long ago to be known.
    pub(crate) fn changes_since(&self, revision: u64) -> Option<impl Iterator<Item = &Change>> {
        let oldest = self.changes.front().map_or(revision, |oldest| oldest.revision - 1);
        let begin = self.changes.partition_point(|change| change.revision <= revision);
        (revision >= oldest).then(|| self.changes.range(begin..))
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key).map(|stored| &*stored.object)
    }

    /// The objects of a kind, by namespace and name.
    pub(crate) fn all(&self, kind: &'static str) -> impl Iterator<Item = (&Key, &Value)> {
        self.shared(kind).map(|(key, object)| (key, &**object))
    }

    /// The same, for whoever keeps them while others change.
    pub(crate) fn shared(&self, kind: &'static str) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        let first = Key::new(kind, "", "");
        let of_kind = move |(key, _): &(&Key, &Stored)| key.kind == kind;
        self.objects.range(first..).take_while(of_kind).map(|(key, stored)| (key, &stored.object))
    }

    /// Every object of a namespace.
    pub(crate) fn inside(&self, namespace: &str) -> Vec<Key> {
        self.objects.keys().filter(|key| key.namespace == namespace).cloned().collect()
    }

    /// Makes an object. What the server itself says of it is added.
    pub(crate) fn create(&mut self, key: &Key, mut object: Value, writer: Writer, now: Timestamp) -> Value {
        self.uids += 1;
        let applied = fields::of(&applicable(&object));
        fields::drop_empty_maps(&mut object);
        let applied = match writer.operation {
            Operation::Apply => applied,
            Operation::Update => fields::changed(&Value::Null, &applicable(&object)),
        };
        let uid = format!("{}-{:012x}", self.seed, self.uids);
        object["metadata"]["uid"] = json!(uid);
        object["metadata"]["creationTimestamp"] = json!(seconds(now));
        if has_generations(key.kind) {
            object["metadata"]["generation"] = json!(1);
        }
        let stored = Stored { object: Arc::new(object), owned: BTreeMap::from([(writer, (now, applied))]) };
        self.objects.insert(key.clone(), stored);
        self.revise(key, None)
    }

    /// Replaces an object by one that was made of it.
    pub(crate) fn replace(&mut self, key: &Key, mut object: Value, writer: Writer, now: Timestamp) -> Value {
        let Some(stored) = self.objects.get_mut(key) else { return Value::Null };
        for member in
            ["uid", "creationTimestamp", "generation", "resourceVersion", "managedFields", "deletionTimestamp"]
        {
            let kept = stored.object["metadata"].get(member).cloned();
            let metadata = object["metadata"].as_object_mut();
            match (metadata, kept) {
                (Some(metadata), Some(kept)) => drop(metadata.insert(member.to_owned(), kept)),
                (Some(metadata), None) => drop(metadata.remove(member)),
                (None, _) => {}
            }
        }
        fields::drop_empty_maps(&mut object);
        if object == *stored.object {
            return object;
        }
        let (before, after) = (applicable(&stored.object), applicable(&object));
        let written = fields::changed(&before, &after);
        for (_, owned) in stored.owned.values_mut() {
            owned.retain(|path| !written.contains(path) && fields::get(&after, path).is_some());
        }
        let own = stored.owned.entry(writer).or_insert_with(|| (now, Fields::new()));
        own.0 = now;
        own.1.extend(written);
        self.change(key, object)
    }

    /// Server-side apply: the object becomes what is wanted where it is wanted, what this manager no longer wants goes, and whatever
    /// others wrote stays.
    pub(crate) fn apply(
        &mut self,
        key: &Key,
        wanted: &Value,
        manager: &str,
        is_forced: bool,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let writer = Writer { manager: manager.to_owned(), operation: Operation::Apply };
        let Some(stored) = self.objects.get_mut(key) else {
            return Ok(self.create(key, wanted.clone(), writer, now));
        };
        let wanted = applicable(wanted);
        let applied = fields::of(&wanted);
        let present = applicable(&stored.object);
        let differs = |path: &fields::Path| fields::get(&present, path) != fields::get(&wanted, path);
        let mut conflicts = Vec::new();
        for (other, (_, owned)) in stored.owned.iter_mut().filter(|(other, _)| **other != writer) {
            let taken: Vec<fields::Path> = owned
                .iter()
                .filter(|path| applied.contains(*path) && !fields::is_container(path))
                .filter(|path| differs(path))
                .cloned()
                .collect();
            if is_forced {
                owned.retain(|path| !taken.contains(path));
            } else {
                conflicts.extend(taken.into_iter().map(|path| (other.manager.clone(), path)));
            }
        }
        if let Some((other, path)) = conflicts.first() {
            return Err(Refusal::apply_conflict(conflicts.len(), other, &path.join(".").replace("f:", "")));
        }
        let mut object = Value::clone(&stored.object);
        fields::merge("", &mut object, &wanted);
        let before = stored.owned.get(&writer).map(|(_, fields)| fields.clone()).unwrap_or_default();
        for path in before.difference(&applied) {
            let is_shared = stored.owned.iter().any(|(other, (_, owned))| *other != writer && owned.contains(path));
            if !is_shared {
                fields::remove(&mut object, path);
            }
        }
        fields::drop_empty_maps(&mut object);
        let is_same = object == *stored.object && before == applied;
        if is_same {
            return Ok(Value::clone(&stored.object));
        }
        stored.owned.insert(writer, (now, applied));
        Ok(self.change(key, object))
    }

    /// What a controller of Kubernetes itself writes.
    pub(crate) fn control(&mut self, key: &Key, change: impl FnOnce(&mut Value)) {
        let Some(stored) = self.objects.get_mut(key) else { return };
        let mut object = Value::clone(&stored.object);
        change(&mut object);
        if object != *stored.object {
            self.revision += 1;
            // Controllers own no fields here, so who owns what stays as it is.
            object["metadata"]["resourceVersion"] = json!((self.revision + 1).to_string());
            let before = stored.set(key, object);
            self.note(key, Some(before));
        }
    }

    pub(crate) fn remove(&mut self, key: &Key) -> Option<Value> {
        let stored = self.objects.remove(key)?;
        self.revision += 1;
        self.note(key, Some(Arc::clone(&stored.object)));
        Some(Arc::unwrap_or_clone(stored.object))
    }

    /// Remembers what the last version of the whole is about.
    fn note(&mut self, key: &Key, before: Option<Arc<Value>>) {
        if self.changes.len() == CHANGES_MAX {
            self.changes.pop_front();
        }
        let after = self.objects.get(key).map(|stored| Arc::clone(&stored.object));
        self.changes.push_back(Change { revision: self.revision(), key: key.clone(), before, after });
    }

    fn change(&mut self, key: &Key, object: Value) -> Value {
        let Some(stored) = self.objects.get_mut(key) else { return Value::Null };
        let before = stored.set(key, object);
        self.revise(key, Some(before))
    }

    /// Gives an object its next version, and writes down who owns what.
    fn revise(&mut self, key: &Key, before: Option<Arc<Value>>) -> Value {
        self.revision += 1;
        let version = self.revision().to_string();
        let Some(stored) = self.objects.get_mut(key) else { return Value::Null };
        stored.owned.retain(|_, (_, fields)| !fields.is_empty());
        let api_version = resources::resource(key.kind).map(Resource::api_version).unwrap_or_default();
        let mut owned: Vec<_> = stored.owned.iter().collect();
        owned.sort_by_key(|(writer, (time, _))| (writer.operation, time.as_second(), &writer.manager));
        let entries = owned.into_iter().map(|(writer, (time, fields))| {
            let operation = match writer.operation {
                Operation::Apply => "Apply",
                Operation::Update => "Update",
            };
            json!({
                "manager": writer.manager, "operation": operation, "apiVersion": api_version, "time": seconds(*time),
                "fieldsType": "FieldsV1", "fieldsV1": fields::written(fields),
            })
        });
        let entries = entries.collect();
        let object = Arc::make_mut(&mut stored.object);
        object["metadata"]["managedFields"] = entries;
        object["metadata"]["resourceVersion"] = json!(version);
        let revised = object.clone();
        self.note(key, before);
        revised
    }
}

impl Stored {
    /// Takes a new form of the object, of the next generation when it is wanted otherwise, and returns the one before.
    fn set(&mut self, key: &Key, mut object: Value) -> Arc<Value> {
        if has_generations(key.kind) && object.get("spec") != self.object.get("spec") {
            let generation = self.object["metadata"]["generation"].as_u64().unwrap_or_default() + 1;
            object["metadata"]["generation"] = json!(generation);
        }
        std::mem::replace(&mut self.object, Arc::new(object))
    }
}

/// Whether the objects of a kind count the changes of what is wanted of them.
fn has_generations(kind: &str) -> bool {
    let group = kind.split_once('.').map(|(_, group)| group);
    kind == "pods" || matches!(group, Some("apps" | "autoscaling" | "batch" | "networking.k8s.io" | "policy"))
}

/// The part of an object that somebody wants.
fn applicable(object: &Value) -> Value {
    let mut wanted = object.as_object().cloned().unwrap_or_default();
    for member in ["apiVersion", "kind", "status"] {
        wanted.remove(member);
    }
    if let Some(metadata) = wanted.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|member, _| !NOT_APPLIED.contains(&member.as_str()));
    }
    let is_bare = |value: &Value| value.as_object().is_some_and(Map::is_empty);
    wanted.retain(|member, value| member != "metadata" || !is_bare(value));
    Value::Object(wanted)
}

/// A moment as the API writes it: to the second.
pub(crate) fn seconds(moment: Timestamp) -> String {
    format!("{moment:.0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new("configmaps", "default", "a")
    }

    fn object(data: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a", "namespace": "default" }, "data": data,
        })
    }

    fn apply(store: &mut Store, manager: &str, data: &Value, is_forced: bool) -> Result<Value, Refusal> {
        store.apply(&key(), &object(data), manager, is_forced, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_is_applied_no_longer_goes_and_what_others_wrote_stays() {
        let mut store = Store::default();
        apply(&mut store, "one", &json!({ "a": "1", "b": "1" }), false).expect("nothing is there");
        apply(&mut store, "two", &json!({ "c": "2" }), false).expect("nobody owns it");
        let merged = apply(&mut store, "one", &json!({ "a": "1" }), false).expect("its own");
        assert_eq!(merged["data"], json!({ "a": "1", "c": "2" }));
    }

    #[test]
    fn what_another_owns_is_taken_over_only_by_force() {
        let mut store = Store::default();
        apply(&mut store, "one", &json!({ "a": "1" }), false).expect("nothing is there");
        let refused = apply(&mut store, "two", &json!({ "a": "2" }), false).expect_err("it is another's");
        assert_eq!(refused.code, 409);
        let taken = apply(&mut store, "two", &json!({ "a": "2" }), true).expect("by force");
        assert_eq!(taken["data"]["a"], json!("2"));
        assert_eq!(taken["metadata"]["managedFields"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn what_happened_is_remembered_for_as_long_as_there_is_room() {
        let mut store = Store::default();
        apply(&mut store, "one", &json!({ "a": "0" }), false).expect("nothing is there");
        let begin = store.revision();
        assert_eq!(store.changes_since(begin).expect("it is now").count(), 0);
        store.remove(&key());
        let seen = |store: &Store, revision| {
            let changes = store.changes_since(revision)?;
            Some(changes.map(|change| (change.before.is_some(), change.after.is_some())).collect::<Vec<_>>())
        };
        assert_eq!(seen(&store, begin), Some(vec![(true, false)]));
        assert_eq!(seen(&store, 1), Some(vec![(false, true), (true, false)]));
        for count in 0..CHANGES_MAX {
            apply(&mut store, "one", &json!({ "a": count.to_string() }), false).expect("its own");
        }
        assert_eq!(seen(&store, begin), None);
        assert_eq!(seen(&store, begin + 1).map(|seen| seen.len()), Some(CHANGES_MAX));
    }

    #[test]
    fn the_same_again_changes_nothing() {
        let mut store = Store::default();
        let first = apply(&mut store, "one", &json!({ "a": "1" }), false).expect("nothing is there");
        let again = apply(&mut store, "one", &json!({ "a": "1" }), false).expect("the same");
        assert_eq!(first["metadata"]["resourceVersion"], again["metadata"]["resourceVersion"]);
    }
}

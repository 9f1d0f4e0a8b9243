//! What happens to the objects of a kind, told as it happens.
//!
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes>

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::stream;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::kubernetes::cloud::Cloud;
use crate::kubernetes::resources::Resource;
use crate::kubernetes::selection::Selection;
use crate::kubernetes::status::Refusal;
use crate::kubernetes::store::{Change, Key};
use crate::kubernetes::{Kubernetes, autoscaler};

/// How long a watch lasts when nobody says it: the least of the API server (`--min-request-timeout`).
const USUAL_TIMEOUT_SECS: i64 = 1_800;

/// Says that everything that was there has been told.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// How often it is looked at what there is to tell. Real time: what happens in the emulated world happens when somebody looks, and
/// nobody knows how long that takes.
const LOOK: Duration = Duration::from_millis(50);

/// Sends what `look` finds to tell, a line for each event, until it finds that the watch has ended.
pub(crate) fn stream(watch: Watch, look: impl Fn(&mut Watch) -> Option<Vec<Value>> + Send + 'static) -> Body {
    Body::from_stream(stream::unfold((look, watch), async |(look, mut watch)| {
        loop {
            let events = look(&mut watch)?;
            if !events.is_empty() {
                let lines = events.iter().fold(String::new(), |lines, event| lines + &event.to_string() + "\n");
                return Some((Ok::<_, Infallible>(Bytes::from(lines)), (look, watch)));
            }
            tokio::time::sleep(LOOK).await;
        }
    }))
}

/// A watch of one kind of objects.
#[derive(Debug)]
pub(crate) struct Watch {
    resource: &'static Resource,
    selection: Selection,
    /// The version of the store up to which everything was told.
    told: u64,
    next: Next,
    /// Whether it is told up to where nothing else happened.
    has_bookmarks: bool,
    ends: Timestamp,
}

/// What is told next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// What is there, with a word when that was all.
    Objects { is_marked: bool },
    /// What has happened.
    Changes,
    /// Nothing more.
    Nothing,
}

impl Watch {
    /// Begins one, as the query of a request asks.
    pub(super) fn begin(
        cluster: &Kubernetes,
        resource: &'static Resource,
        selection: Selection,
        query: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let text = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let number = |name: &str| {
            let invalid = |_| Refusal::not_a_number(name, text(name));
            Some(text(name))
                .filter(|text| !text.is_empty())
                .map(|text| text.parse::<u32>().map_err(invalid))
                .transpose()
        };
        let version = number("resourceVersion")?.filter(|version| *version > 0);
        let has_bookmarks = text("allowWatchBookmarks") == "true";
        let next = match (text("sendInitialEvents"), version) {
            ("true", _) => Next::Objects { is_marked: has_bookmarks },
            ("", None) => Next::Objects { is_marked: false },
            _ => Next::Changes,
        };
        let timeout_secs = number("timeoutSeconds")?.filter(|secs| *secs > 0).map_or(USUAL_TIMEOUT_SECS, i64::from);
        let ends = now + SignedDuration::from_secs(timeout_secs);
        let told = version.map_or_else(|| cluster.store.revision(), u64::from);
        Ok(Self { resource, selection, told, next, has_bookmarks, ends })
    }

    /// What there is to tell by now, as events; nothing when it has ended.
    pub(super) fn events(&mut self, cluster: &Kubernetes, now: Timestamp, cloud: &dyn Cloud) -> Option<Vec<Value>> {
        let present = cluster.store.revision();
        let mut events = Vec::new();
        match self.next {
            Next::Nothing => return None,
            Next::Objects { is_marked } => {
                let objects =
                    cluster.store.all(&self.resource.id).filter(|(key, object)| self.selection.takes(key, object));
                events.extend(objects.map(|(key, object)| {
                    let shown = autoscaler::shown(cluster, key, object, now, cloud);
                    event("ADDED", shown.as_ref().unwrap_or(object))
                }));
                if is_marked {
                    let mut mark = self.bookmark(present);
                    mark["object"]["metadata"]["annotations"] = json!({ INITIAL_EVENTS_END: "true" });
                    events.push(mark);
                }
                self.next = Next::Changes;
            }
            Next::Changes => {
                let Some(changes) = cluster.store.changes_since(self.told) else {
                    self.next = Next::Nothing;
                    return Some(vec![event("ERROR", &Refusal::expired(self.told, present).status())]);
                };
                events.extend(changes.filter_map(|change| self.event_of(change)));
            }
        }
        self.told = self.told.max(present);
        if now >= self.ends {
            self.next = Next::Nothing;
            events.extend(self.has_bookmarks.then(|| self.bookmark(present)));
        }
        Some(events)
    }

    /// What a change is to whoever sees only the selected objects.
    fn event_of(&self, change: &Change) -> Option<Value> {
        let Change { revision, key: Key { kind, .. }, before, after } = change;
        if *kind != self.resource.id {
            return None;
        }
        let seen = |object: &Option<Arc<Value>>| {
            object.as_deref().filter(|object| self.selection.takes(&change.key, object)).cloned()
        };
        match (seen(before), seen(after)) {
            (None, None) => None,
            (None, Some(after)) => Some(event("ADDED", &after)),
            (Some(_), Some(after)) => Some(event("MODIFIED", &after)),
            (Some(mut before), None) => {
                before["metadata"]["resourceVersion"] = json!(revision.to_string());
                Some(event("DELETED", &before))
            }
        }
    }

    fn bookmark(&self, version: u64) -> Value {
        event(
            "BOOKMARK",
            &json!({
                "kind": self.resource.kind, "apiVersion": self.resource.api_version(),
                "metadata": { "resourceVersion": version.to_string(), "creationTimestamp": null },
            }),
        )
    }
}

fn event(kind: &str, object: &Value) -> Value {
    json!({ "type": kind, "object": object })
}

//! Updates: changes that take a while.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::account::after;
use crate::eks::{Call, Change, Cluster, Object, not_found};
use crate::error::Answer;
use crate::wire::seconds;

/// A new update that takes about `median_secs`, and when it is done.
pub(super) fn new(call: &mut Call<'_>, kind: &str, parameters: &[Value], median_secs: f64) -> (Object, Timestamp) {
    let id = call.chance.uuid();
    let done = after(call.now, call.chance.duration(median_secs, 0.3));
    let mut update = Object::new(json!({
        "id": id,
        "status": "InProgress",
        "type": kind,
        "params": parameters,
        "createdAt": seconds(call.now),
        "errors": [],
    }));
    update.change = Some((done, Change::Becomes(Map::from_iter([("status".to_owned(), json!("Successful"))]))));
    (update, done)
}

/// Keeps an update, and is the answer that tells of it.
pub(super) fn keep(cluster: &mut Cluster, update: Object) -> Value {
    let answer = json!({ "update": update.described() });
    cluster.updates.insert(update.text("id").to_owned(), update);
    answer
}

pub(super) fn describe(call: &mut Call<'_>) -> Answer {
    let id = call.text("updateId");
    let found = call.cluster()?.updates.get(id);
    let found = found.ok_or_else(|| not_found(format!("No update found for ID: {id}")))?;
    Ok(json!({ "update": found.described() }))
}

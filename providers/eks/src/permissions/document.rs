//! A policy as IAM reads it.

use serde_json::{Map, Value, json};

/// A policy with its statements.
#[derive(Default)]
pub(super) struct Document(Vec<Value>);

/// Actions that are allowed on resources.
pub(super) struct Statement {
    sid: &'static str,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Map<String, Value>,
}

impl Statement {
    pub(super) fn new(sid: &'static str, actions: Vec<&str>, resources: Vec<String>) -> Self {
        let actions = actions.into_iter().map(str::to_owned).collect();
        Self { sid, actions, resources, conditions: Map::new() }
    }

    /// Limits the statement to requests in which a key has one of these values.
    pub(super) fn when(mut self, operator: &str, key: &str, values: Value) -> Self {
        let keys = self.conditions.entry(operator).or_insert_with(|| json!({}));
        keys[key] = values;
        self
    }
}

impl Document {
    /// Adds a statement, unless it allows nothing.
    pub(super) fn add(&mut self, statement: Statement) {
        let Statement { sid, actions, resources, conditions } = statement;
        if actions.is_empty() || resources.is_empty() {
            return;
        }
        let mut written = json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources });
        if !conditions.is_empty() {
            written["Condition"] = Value::Object(conditions);
        }
        self.0.push(written);
    }

    pub(super) fn written(self) -> Value {
        json!({ "Version": "2012-10-17", "Statement": self.0 })
    }
}

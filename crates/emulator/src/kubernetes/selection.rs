//! Which objects of a kind are meant: by their namespace, their labels and their fields.
//!
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors> and
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/>.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::kubernetes::scheduler;
use crate::kubernetes::status::Refusal;
use crate::kubernetes::store::Key;

/// Some of the objects of a kind.
#[derive(Debug)]
pub(crate) struct Selection {
    /// Empty for all of them.
    namespace: String,
    labels: Vec<Requirement>,
    /// The pointer, the value, and whether it must be that value.
    fields: Vec<(String, String, bool)>,
}

impl Selection {
    /// What the query of a request asks for.
    pub(super) fn of(namespace: &str, query: &BTreeMap<String, String>) -> Result<Self, Refusal> {
        let text = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        Ok(Self {
            namespace: namespace.to_owned(),
            labels: requirements(text("labelSelector"))?,
            fields: field_requirements(text("fieldSelector"))?,
        })
    }

    /// Whether an object is one of them.
    pub(super) fn takes(&self, key: &Key, object: &Value) -> bool {
        (self.namespace.is_empty() || key.namespace == self.namespace)
            && self.labels.iter().all(|requirement| requirement.is_met(&object["metadata"]["labels"]))
            && self.fields.iter().all(|(pointer, value, is_equal)| {
                let present = object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                (present == value) == *is_equal
            })
    }
}

/// One requirement of a label selector, as a match expression.
#[derive(Debug)]
struct Requirement(Value);

impl Requirement {
    fn is_met(&self, labels: &Value) -> bool {
        scheduler::matches(&json!({ "matchExpressions": [self.0] }), labels)
    }
}

/// Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
fn requirements(selector: &str) -> Result<Vec<Requirement>, Refusal> {
    let mut parts = Vec::new();
    let (mut depth, mut begin) = (0_u32, 0);
    for (index, letter) in selector.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&selector[begin..index]);
                begin = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&selector[begin..]);
    let parts = parts.into_iter().map(str::trim).filter(|part| !part.is_empty());
    parts.map(requirement).collect()
}

fn requirement(text: &str) -> Result<Requirement, Refusal> {
    let made = |key: &str, operator: &str, values: &[&str]| {
        Requirement(json!({ "key": key.trim(), "operator": operator, "values": values }))
    };
    for (word, operator) in [(" notin ", "NotIn"), (" in ", "In")] {
        if let Some((key, values)) = text.split_once(word) {
            let values = values.trim().strip_prefix('(').and_then(|values| values.strip_suffix(')'));
            let values = values.ok_or_else(|| Refusal::bad_request(format!("unable to parse requirement: {text}")))?;
            return Ok(made(key, operator, &values.split(',').map(str::trim).collect::<Vec<_>>()));
        }
    }
    Ok(if let Some((key, value)) = text.split_once("!=") {
        made(key, "NotIn", &[value.trim()])
    } else if let Some((key, value)) = text.split_once('=') {
        made(key, "In", &[value.trim_start_matches('=').trim()])
    } else if let Some(key) = text.strip_prefix('!') {
        made(key, "DoesNotExist", &[])
    } else {
        made(text, "Exists", &[])
    })
}

/// Reads `metadata.name=a,spec.nodeName!=b`: the pointer, the value, and whether it must be that value.
fn field_requirements(selector: &str) -> Result<Vec<(String, String, bool)>, Refusal> {
    let parts = selector.split(',').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (field, value, is_equal) = if let Some((field, value)) = part.split_once("!=") {
                (field, value, false)
            } else {
                let (field, value) = part
                    .split_once('=')
                    .ok_or_else(|| Refusal::bad_request(format!("invalid field selector: {part}")))?;
                (field, value.trim_start_matches('='), true)
            };
            Ok((format!("/{}", field.replace('.', "/")), value.to_owned(), is_equal))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_read_as_the_api_reads_them() {
        let labels = json!({ "app": "nats", "howso.com/nodetype": "worker" });
        for (selector, is_met) in [
            ("", true),
            ("app=nats", true),
            ("app==nats,howso.com/nodetype", true),
            ("app!=nats", false),
            ("app in (redis, nats)", true),
            ("app notin (redis,nats)", false),
            ("!app", false),
            ("!other", true),
        ] {
            let found = requirements(selector).expect("it can be read");
            assert_eq!(found.iter().all(|one| one.is_met(&labels)), is_met, "{selector}");
        }
        assert!(requirements("app in nats").is_err());
    }
}

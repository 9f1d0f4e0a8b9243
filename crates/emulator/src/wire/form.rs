//! Requests in forms: the protocols `ec2` and `query`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::model::{Operation, Protocol, Reference, Service, ShapeKind};
use crate::wire::json::scalar;

/// The parts of a dotted name, as a tree.
#[derive(Debug, Default)]
struct Node {
    text: Option<String>,
    parts: BTreeMap<String, Node>,
}

/// The operation that a form names, and its parameters.
pub(super) fn read(
    model: &'static Service,
    body: &[u8],
) -> Result<(&'static Operation, Result<Value, ApiError>), ApiError> {
    let mut form = Node::default();
    for (name, value) in url::form_urlencoded::parse(body) {
        let node = name.split('.').fold(&mut form, |node, part| node.parts.entry(part.to_owned()).or_default());
        node.text = Some(value.into_owned());
    }
    let action = form.parts.remove("Action").and_then(|node| node.text).unwrap_or_default();
    form.parts.remove("Version");
    let operation = model.operations.get(&action).ok_or_else(|| {
        ApiError::new("InvalidAction", format!("The action {action} is not valid for this web service."))
            .with_status(400)
    })?;
    let parameters = match &operation.input {
        Some(input) => decode(model, input, form, ""),
        None if form.parts.is_empty() => Ok(Value::Object(Map::new())),
        None => Err(unknown(model, form.parts.keys().next().map_or("", String::as_str))),
    };
    Ok((operation, parameters))
}

fn decode(model: &Service, reference: &Reference, mut node: Node, path: &str) -> Result<Value, ApiError> {
    match &model.shape(reference).kind {
        ShapeKind::Structure { members, .. } => {
            let mut found = Map::new();
            for (name, member) in members {
                if let Some(part) = node.parts.remove(&member_name(model, name, member)) {
                    found.insert(name.clone(), decode(model, member, part, &join(path, name))?);
                }
            }
            no_more(model, &node, path)?;
            Ok(Value::Object(found))
        }
        ShapeKind::List { member } => {
            if model.metadata.protocol == Protocol::Query {
                // An empty list is written as an empty text.
                if node.text.as_deref() == Some("") && node.parts.is_empty() {
                    return Ok(Value::Array(Vec::new()));
                }
                let inner = member.location_name.as_deref().unwrap_or("member");
                let list = node.parts.remove(inner).unwrap_or_default();
                no_more(model, &node, path)?;
                node = list;
            }
            let mut items: Vec<(usize, Node)> = Vec::new();
            for (index, item) in std::mem::take(&mut node.parts) {
                let number = index.parse().map_err(|_| unknown(model, &join(path, &index)))?;
                items.push((number, item));
            }
            items.sort_by_key(|(number, _)| *number);
            items
                .into_iter()
                .map(|(number, item)| decode(model, member, item, &join(path, &number.to_string())))
                .collect()
        }
        ShapeKind::Map { .. } => Err(ApiError::internal(format!("{path}: maps in forms are not emulated"))),
        kind => {
            no_more(model, &node, path)?;
            scalar(kind, &Value::String(node.text.unwrap_or_default()), path)
        }
    }
}

/// How a member is called in a form. EC2 writes the names of its answers with a capital.
fn member_name(model: &Service, name: &str, member: &Reference) -> String {
    let name = member.location_name.as_deref().unwrap_or(name);
    if model.metadata.protocol == Protocol::Query {
        return name.to_owned();
    }
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn no_more(model: &Service, node: &Node, path: &str) -> Result<(), ApiError> {
    match node.parts.keys().next() {
        Some(name) => Err(unknown(model, &join(path, name))),
        None => Ok(()),
    }
}

fn unknown(model: &Service, path: &str) -> ApiError {
    match model.metadata.protocol {
        Protocol::Ec2 => ApiError::new("UnknownParameter", format!("The parameter {path} is not recognized")),
        _ => ApiError::new("ValidationError", format!("unknown parameter {path}")),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

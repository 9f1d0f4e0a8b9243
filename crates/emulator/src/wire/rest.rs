//! Requests whose operation stands in method and path: the protocol `rest-json`.

use axum::http::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::model::{Location, Operation, Service, ShapeKind};
use crate::wire::json::{decode, parse, scalar};

/// The operation at a path, and its parameters from path, query and body.
pub(super) fn read(
    model: &'static Service,
    method: &Method,
    uri: &Uri,
    body: &[u8],
) -> Result<(&'static Operation, Result<Value, ApiError>), ApiError> {
    let path: Vec<String> = uri
        .path()
        .trim_matches('/')
        .split('/')
        .map(|part| percent_decode_str(part).decode_utf8_lossy().into())
        .collect();
    let candidates = model.operations.values().filter(|operation| operation.http.method == method.as_str());
    let matching = candidates.filter_map(|operation| Some((operation, labels(&operation.http.request_uri, &path)?)));
    // A word that is written down weighs more than a label.
    let Some((operation, labels)) = matching.min_by_key(|(_, labels)| labels.len()) else {
        let message = format!("no operation is emulated at {method} {}", uri.path());
        return Err(ApiError::new("UnknownOperationException", message).with_status(404));
    };
    Ok((operation, parameters(model, operation, labels, uri.query().unwrap_or_default(), body)))
}

/// The labels that a template such as `/clusters/{name}` takes out of a path that it matches.
fn labels(template: &str, path: &[String]) -> Option<Vec<(String, String)>> {
    let parts: Vec<&str> = template.trim_matches('/').split('/').collect();
    if parts.len() != path.len() {
        return None;
    }
    let mut labels = Vec::new();
    for (part, found) in parts.into_iter().zip(path) {
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(label) if !found.is_empty() => labels.push((label.to_owned(), found.clone())),
            None if part == found => {}
            Some(_) | None => return None,
        }
    }
    Some(labels)
}

fn parameters(
    model: &Service,
    operation: &Operation,
    labels: Vec<(String, String)>,
    query: &str,
    body: &[u8],
) -> Result<Value, ApiError> {
    let Some(input) = &operation.input else { return Ok(Value::Object(Map::new())) };
    let mut found = match decode(model, input, &parse(body)?, "")? {
        Value::Object(found) => found,
        _ => Map::new(),
    };
    let ShapeKind::Structure { members, .. } = &model.shape(input).kind else { return Ok(Value::Object(found)) };
    let place = |location: Location, name: &str| {
        members.iter().find(|(own, member)| {
            member.location == Some(location) && member.location_name.as_ref().unwrap_or(own) == name
        })
    };
    for (label, text) in labels {
        let Some((name, _)) = place(Location::Uri, &label) else {
            return Err(ApiError::internal(format!("{}: no member for the label {label}", operation.name)));
        };
        found.insert(name.clone(), Value::String(text));
    }
    for (key, text) in url::form_urlencoded::parse(query.as_bytes()) {
        let Some((name, member)) = place(Location::Querystring, &key) else {
            return Err(ApiError::new("InvalidParameterException", format!("unknown parameter {key}")));
        };
        let text = Value::String(text.into_owned());
        match &model.shape(member).kind {
            ShapeKind::List { member } => {
                let item = scalar(&model.shape(member).kind, &text, name)?;
                let list = found.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
                list.as_array_mut().into_iter().for_each(|list| list.push(item.clone()));
            }
            kind => {
                found.insert(name.clone(), scalar(kind, &text, name)?);
            }
        }
    }
    Ok(Value::Object(found))
}

//! Requests whose operation stands in method and path: the protocols `rest-json` and `rest-xml`.

use axum::http::{HeaderMap, Method, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::model::{Location, Operation, Protocol, Service, ShapeKind};
use crate::wire::json::{decode, parse, scalar};

/// The operation at a path, and its parameters from path, query, headers and body.
pub(super) fn read(
    model: &'static Service,
    method: &Method,
    uri: &Uri,
    (headers, body): (&HeaderMap, &[u8]),
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
    let parameters = in_body(model, operation, body)
        .and_then(|found| beside_body(model, operation, found, labels, (uri.query().unwrap_or_default(), headers)));
    Ok((operation, parameters))
}

/// The labels that a template such as `/clusters/{name}` takes out of a path that it matches. A last label that ends with `+` takes
/// the whole rest.
fn labels(template: &str, path: &[String]) -> Option<Vec<(String, String)>> {
    let mut parts: Vec<&str> = template.trim_matches('/').split('/').collect();
    if let Some(label) = parts.last().and_then(|last| last.strip_prefix('{')?.strip_suffix("+}")) {
        parts.pop();
        let (before, rest) = path.split_at_checked(parts.len()).filter(|(_, rest)| !rest.concat().is_empty())?;
        let mut labels = self::labels(&parts.join("/"), before)?;
        labels.push((label.to_owned(), rest.join("/")));
        return Some(labels);
    }
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

/// The parameters that the body holds. Bytes stand in values as base64.
fn in_body(model: &Service, operation: &Operation, body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let Some(input) = &operation.input else { return Ok(Map::new()) };
    let found = match (model.metadata.protocol, &model.shape(input).kind) {
        (Protocol::RestXml, ShapeKind::Structure { members, payload: Some(payload), .. })
            if matches!(model.shape(&members[payload]).kind, ShapeKind::Blob) =>
        {
            return Ok(Map::from_iter([(payload.clone(), Value::String(STANDARD.encode(body)))]));
        }
        (Protocol::RestXml, _) if !body.is_empty() => {
            return Err(ApiError::new("NotImplemented", "what the body asks for is not emulated").with_status(501));
        }
        (Protocol::RestXml, _) => return Ok(Map::new()),
        _ => decode(model, input, &parse(body)?, "")?,
    };
    match found {
        Value::Object(found) => Ok(found),
        _ => Ok(Map::new()),
    }
}

/// The parameters that stand in path, query and headers, added to those that were found.
fn beside_body(
    model: &Service,
    operation: &Operation,
    mut found: Map<String, Value>,
    labels: Vec<(String, String)>,
    (query, headers): (&str, &HeaderMap),
) -> Result<Value, ApiError> {
    let Some(input) = &operation.input else { return Ok(Value::Object(found)) };
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
    for (name, member) in members.iter().filter(|(_, member)| member.location == Some(Location::Header)) {
        let header = headers.get(member.location_name.as_ref().unwrap_or(name));
        if let Some(text) = header.and_then(|value| value.to_str().ok()) {
            let kind = &model.shape(member).kind;
            found.insert(name.clone(), scalar(kind, &Value::String(text.to_owned()), name)?);
        }
    }
    Ok(Value::Object(found))
}

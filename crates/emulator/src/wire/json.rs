//! Values in JSON: the protocol `json`, and the bodies of `rest-json`.

use axum::http::HeaderMap;
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::model::{Operation, Reference, Service, ShapeKind};

/// The operation that the header names, and its parameters.
pub(super) fn read(
    model: &'static Service,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(&'static Operation, Result<Value, ApiError>), ApiError> {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = target.rsplit_once('.').map_or(target, |(_, name)| name);
    let operation =
        model.operations.get(name).ok_or_else(|| ApiError::new("UnknownOperationException", name).with_status(400))?;
    let parameters = parse(body).and_then(|body| match &operation.input {
        Some(input) => decode(model, input, &body, ""),
        None => Ok(Value::Object(Map::new())),
    });
    Ok((operation, parameters))
}

/// A body; an empty one is an empty object.
pub(super) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(body).map_err(|error| ApiError::new("SerializationException", error.to_string()))
}

/// Takes a value over by its shape. What the shape has no place for is an error, unlike with AWS, which passes it over.
pub(super) fn decode(model: &Service, reference: &Reference, value: &Value, path: &str) -> Result<Value, ApiError> {
    let inner = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let wrong = |wanted: &str| ApiError::new("SerializationException", format!("{path}: {value} is not {wanted}"));
    match &model.shape(reference).kind {
        ShapeKind::Structure { members, .. } => {
            let mut found = Map::new();
            for (written, part) in value.as_object().ok_or_else(|| wrong("a structure"))? {
                let named =
                    |(name, member): &(&String, &Reference)| member.location_name.as_ref().unwrap_or(name) == written;
                let Some((name, member)) = members.iter().find(named) else {
                    let message = format!("unknown member {}", inner(written));
                    return Err(ApiError::new("SerializationException", message));
                };
                // A null is as good as nothing.
                if !part.is_null() {
                    found.insert(name.clone(), decode(model, member, part, &inner(name))?);
                }
            }
            Ok(Value::Object(found))
        }
        ShapeKind::List { member } => {
            let items = value.as_array().ok_or_else(|| wrong("a list"))?;
            items
                .iter()
                .enumerate()
                .map(|(index, item)| decode(model, member, item, &inner(&index.to_string())))
                .collect()
        }
        ShapeKind::Map { value: member, .. } => {
            let entries = value.as_object().ok_or_else(|| wrong("a map"))?;
            let entries =
                entries.iter().map(|(key, part)| Ok((key.clone(), decode(model, member, part, &inner(key))?)));
            entries.collect::<Result<Map<_, _>, _>>().map(Value::Object)
        }
        kind => scalar(kind, value, path),
    }
}

/// Takes over a value without parts; texts of forms, paths and queries are read as what they stand for.
pub(super) fn scalar(kind: &ShapeKind, value: &Value, path: &str) -> Result<Value, ApiError> {
    let wrong = |wanted: &str| ApiError::new("SerializationException", format!("{path}: {value} is not {wanted}"));
    let text = value.as_str();
    match kind {
        ShapeKind::String | ShapeKind::Blob => {
            text.map(|text| Value::String(text.to_owned())).ok_or_else(|| wrong("a text"))
        }
        ShapeKind::Boolean => match (value, text) {
            (Value::Bool(truth), _) => Ok(Value::Bool(*truth)),
            (_, Some("true")) => Ok(Value::Bool(true)),
            (_, Some("false")) => Ok(Value::Bool(false)),
            _ => Err(wrong("a truth value")),
        },
        ShapeKind::Integer | ShapeKind::Long => {
            let number = value.as_i64().or_else(|| text?.parse().ok());
            number.map(Value::from).ok_or_else(|| wrong("a whole number"))
        }
        ShapeKind::Double | ShapeKind::Float => {
            let number = value.as_f64().or_else(|| text?.parse().ok());
            number.map(Value::from).ok_or_else(|| wrong("a number"))
        }
        ShapeKind::Timestamp => {
            let seconds = value.as_f64().or_else(|| Some(seconds(text?.parse().ok()?)));
            seconds.map(Value::from).ok_or_else(|| wrong("a point in time"))
        }
        ShapeKind::Structure { .. } | ShapeKind::List { .. } | ShapeKind::Map { .. } => Err(wrong("a single value")),
    }
}

/// Seconds since 1970: how points in time stand in values, whatever they look like on the wire.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit into 53 bits for a long time")]
pub(crate) fn seconds(moment: jiff::Timestamp) -> f64 {
    moment.as_millisecond() as f64 / 1000.0
}

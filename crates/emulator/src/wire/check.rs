//! What a request may hold: required members, choices, bounds and patterns of the model.

use serde_json::Value;

use crate::error::ApiError;
use crate::model::{Protocol, Service, Shape, ShapeKind};

/// Checks the parameters of a request against their shape.
pub(super) fn check(model: &Service, shape: &Shape, value: &Value) -> Result<(), ApiError> {
    fault(model, shape, value, "").map_or(Ok(()), Err)
}

/// The first thing that the model does not allow.
fn fault(model: &Service, shape: &Shape, value: &Value, path: &str) -> Option<ApiError> {
    let inner = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (&shape.kind, value) {
        (ShapeKind::Structure { members, required, .. }, Value::Object(found)) => {
            if let Some(missing) = required.iter().find(|name| !found.contains_key(*name)) {
                return Some(is_missing(model, &inner(missing)));
            }
            let members = found.iter().filter_map(|(name, part)| Some((name, members.get(name)?, part)));
            members.into_iter().find_map(|(name, member, part)| fault(model, model.shape(member), part, &inner(name)))
        }
        (ShapeKind::List { member }, Value::Array(items)) => {
            let items = || items.iter().enumerate();
            out_of_bounds(shape, items().len()).map(|bound| invalid(model, path, &bound)).or_else(|| {
                items().find_map(|(index, item)| fault(model, model.shape(member), item, &inner(&index.to_string())))
            })
        }
        (ShapeKind::Map { key, value }, Value::Object(entries)) => {
            out_of_bounds(shape, entries.len()).map(|bound| invalid(model, path, &bound)).or_else(|| {
                entries.iter().find_map(|(name, part)| {
                    let of_key = fault(model, model.shape(key), &Value::String(name.clone()), &inner(name));
                    of_key.or_else(|| fault(model, model.shape(value), part, &inner(name)))
                })
            })
        }
        (_, Value::String(text)) => wrong_text(shape, text).map(|wrong| invalid(model, path, &wrong)),
        (_, Value::Number(number)) => {
            let number = number.as_f64().unwrap_or_default();
            let is_outside = shape.min.is_some_and(|min| number < min) || shape.max.is_some_and(|max| number > max);
            is_outside.then(|| invalid(model, path, &format!("{number} is out of bounds")))
        }
        _ => None,
    }
}

fn wrong_text(shape: &Shape, text: &str) -> Option<String> {
    if !shape.choices.is_empty() && !shape.choices.iter().any(|choice| choice == text) {
        return Some(format!("'{text}' is none of [{}]", shape.choices.join(", ")));
    }
    if let Some(bound) = out_of_bounds(shape, text.chars().count()) {
        return Some(bound);
    }
    let pattern = shape.pattern()?;
    (!pattern.is_match(text)).then(|| format!("'{text}' does not match the pattern {}", pattern.as_str()))
}

#[expect(clippy::cast_precision_loss, reason = "no list or text of a request has 2^53 parts")]
fn out_of_bounds(shape: &Shape, length: usize) -> Option<String> {
    let length = length as f64;
    let is_outside = shape.min.is_some_and(|min| length < min) || shape.max.is_some_and(|max| length > max);
    is_outside.then(|| format!("a length of {length} is out of bounds"))
}

fn is_missing(model: &Service, path: &str) -> ApiError {
    match model.metadata.protocol {
        Protocol::Ec2 => ApiError::new("MissingParameter", format!("The request must contain the parameter {path}")),
        Protocol::Query | Protocol::Json | Protocol::RestJson | Protocol::RestXml => {
            invalid(model, path, "it must not be null")
        }
    }
}

fn invalid(model: &Service, path: &str, what: &str) -> ApiError {
    match model.metadata.protocol {
        Protocol::Ec2 => ApiError::new("InvalidParameterValue", format!("Invalid value for parameter {path}: {what}")),
        Protocol::Query => ApiError::new("ValidationError", format!("Value at '{path}' failed: {what}")),
        Protocol::Json => ApiError::new("IllegalArgumentException", format!("{path}: {what}")),
        Protocol::RestJson => ApiError::new("InvalidParameterException", format!("{path}: {what}")),
        Protocol::RestXml => ApiError::new("InvalidArgument", format!("{path}: {what}")),
    }
}

//! Reads what an operation carries. A field that is absent is a mistake of the graph, never of the user.

use howso_infra_core::{Attributes, ProviderError, Value};

use crate::errors;

/// A text that `call` cannot do without.
pub(crate) fn text<'a>(attributes: &'a Attributes, field: &str, call: &str) -> Result<&'a str, ProviderError> {
    attributes
        .get(field)
        .and_then(Value::as_text)
        .ok_or_else(|| errors::bug(call, format!("no text `{field}` was given")))
}

/// A truth value that `call` cannot do without.
pub(crate) fn boolean(attributes: &Attributes, field: &str, call: &str) -> Result<bool, ProviderError> {
    attributes
        .get(field)
        .and_then(Value::as_bool)
        .ok_or_else(|| errors::bug(call, format!("no truth value `{field}` was given")))
}

/// One output, by name.
pub(crate) fn output(name: &str, value: impl Into<Value>) -> Attributes {
    Attributes::from([(name.to_owned(), value.into())])
}

/// A whole number that `call` cannot do without.
pub(crate) fn integer(attributes: &Attributes, field: &str, call: &str) -> Result<i32, ProviderError> {
    let number = attributes.get(field).and_then(Value::as_integer).and_then(|number| i32::try_from(number).ok());
    number.ok_or_else(|| errors::bug(call, format!("no number `{field}` was given")))
}

/// The texts of a list; none for an absent field.
pub(crate) fn texts(attributes: &Attributes, field: &str) -> Vec<String> {
    let items = attributes.get(field).and_then(Value::as_list).unwrap_or_default();
    items.iter().filter_map(Value::as_text).map(str::to_owned).collect()
}

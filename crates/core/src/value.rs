//! The closed value type of resource attributes, so that diff, journal and views need not be generic over providers.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::resource::ResourceId;

/// The attributes of a resource by field name, ordered so that everything printed, hashed or stored is stable.
pub type Attributes = BTreeMap<String, Value>;

/// One attribute value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// A whole number; quantities carry their unit in the field's name.
    Integer(i64),
    /// Text, also for enumerations and identifiers of a cloud.
    Text(String),
    /// A sequence whose order matters. Fields whose order does not matter are sorted by whoever builds them.
    List(Vec<Value>),
    /// Nested fields, labels, taints, tags.
    Map(Attributes),
    /// A value that is known only after another resource exists.
    Reference(Reference),
}

/// Stands for the output of another resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The resource whose output is meant.
    pub resource: ResourceId,
    /// The name of the output, for example `vpc_id`.
    pub output: String,
}

impl Value {
    /// Makes a text value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Makes a list of texts, in the order given.
    pub fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// Makes a map of texts, for labels and tags.
    pub fn text_map<K: Into<String>, V: Into<String>>(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), Self::text(value))).collect())
    }

    /// Reads a document. What attributes do not have is kept as text: nulls, and numbers that are not whole.
    pub fn from_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::text("null"),
            Json::Bool(truth) => Self::Bool(*truth),
            Json::Number(number) => number.as_i64().map_or_else(|| Self::text(number.to_string()), Self::Integer),
            Json::String(text) => Self::text(text),
            Json::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            Json::Object(entries) => {
                Self::Map(entries.iter().map(|(key, value)| (key.clone(), Self::from_json(value))).collect())
            }
        }
    }

    /// Writes a document. A reference, which the engine resolves before any call is made, is null.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Bool(truth) => Json::Bool(*truth),
            Self::Integer(number) => Json::from(*number),
            Self::Text(text) => Json::from(text.as_str()),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(entries) => entries.iter().map(|(key, value)| (key.clone(), value.to_json())).collect(),
            Self::Reference(_) => Json::Null,
        }
    }

    /// Makes a reference to the output of another resource.
    pub fn reference(resource: &ResourceId, output: impl Into<String>) -> Self {
        Self::Reference(Reference { resource: resource.clone(), output: output.into() })
    }

    /// Returns the text of a text value.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bool(_) | Self::Integer(_) | Self::List(_) | Self::Map(_) | Self::Reference(_) => None,
        }
    }

    /// Returns the number of an integer value.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Map(_) | Self::Reference(_) => None,
        }
    }

    /// Returns the truth value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            Self::Integer(_) | Self::Text(_) | Self::List(_) | Self::Map(_) | Self::Reference(_) => None,
        }
    }

    /// Returns the items of a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) => Some(items),
            Self::Bool(_) | Self::Integer(_) | Self::Text(_) | Self::Map(_) | Self::Reference(_) => None,
        }
    }

    /// Returns the entries of a map.
    pub fn as_map(&self) -> Option<&Attributes> {
        match self {
            Self::Map(entries) => Some(entries),
            Self::Bool(_) | Self::Integer(_) | Self::Text(_) | Self::List(_) | Self::Reference(_) => None,
        }
    }

    /// Calls `visit` for every reference inside this value.
    pub fn for_each_reference<'a>(&'a self, visit: &mut dyn FnMut(&'a Reference)) {
        match self {
            Self::Bool(_) | Self::Integer(_) | Self::Text(_) => {}
            Self::Reference(reference) => visit(reference),
            Self::List(items) => items.iter().for_each(|item| item.for_each_reference(visit)),
            Self::Map(entries) => entries.values().for_each(|value| value.for_each_reference(visit)),
        }
    }

    /// Returns a copy in which every reference that `lookup` knows is replaced by its value; the others stay.
    #[must_use]
    pub fn resolve(&self, lookup: &dyn Fn(&Reference) -> Option<Value>) -> Self {
        match self {
            Self::Bool(_) | Self::Integer(_) | Self::Text(_) => self.clone(),
            Self::Reference(reference) => lookup(reference).unwrap_or_else(|| self.clone()),
            Self::List(items) => Self::List(items.iter().map(|item| item.resolve(lookup)).collect()),
            Self::Map(entries) => Self::Map(resolve_all(entries, lookup)),
        }
    }

    /// Whether this value still contains a reference.
    pub fn has_references(&self) -> bool {
        let mut found = false;
        self.for_each_reference(&mut |_| found = true);
        found
    }
}

/// Resolves every reference inside `attributes` that `lookup` knows.
pub fn resolve_all(attributes: &Attributes, lookup: &dyn Fn(&Reference) -> Option<Value>) -> Attributes {
    attributes.iter().map(|(field, value)| (field.clone(), value.resolve(lookup))).collect()
}

/// Prints a value the way a person would write it in a plan: `"text"` without quotes, lists in brackets.
impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(truth) => write!(formatter, "{truth}"),
            Self::Integer(number) => write!(formatter, "{number}"),
            Self::Text(text) => formatter.write_str(text),
            Self::Reference(reference) => write!(formatter, "({} of {})", reference.output, reference.resource),
            Self::List(items) => {
                formatter.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(formatter, "{separator}{item}")?;
                }
                formatter.write_str("]")
            }
            Self::Map(entries) => {
                formatter.write_str("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(formatter, "{separator}{key}={value}")?;
                }
                formatter.write_str("}")
            }
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(i64::from(number))
    }
}

//! What an API takes and gives: the excerpts of botocore's service models in `models/`.
//!
//! Nothing of it is written down a second time: requests are decoded and checked by these shapes, and answers are written by them.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use regex::Regex;
use serde::Deserialize;

/// The services that are emulated, by the name that signatures bear.
pub(crate) static SERVICES: LazyLock<BTreeMap<&'static str, Service>> = LazyLock::new(|| {
    let texts = [
        ("autoscaling", include_str!("../models/autoscaling.json")),
        ("ec2", include_str!("../models/ec2.json")),
        ("eks", include_str!("../models/eks.json")),
        ("iam", include_str!("../models/iam.json")),
        ("s3", include_str!("../models/s3.json")),
        ("servicequotas", include_str!("../models/service-quotas.json")),
        ("sts", include_str!("../models/sts.json")),
    ];
    // The files are part of the program, and a test reads each.
    texts.map(|(name, text)| (name, serde_json::from_str(text).expect("the excerpt is a service model"))).into()
});

/// A service: its operations and the shapes that they consist of.
#[derive(Debug, Deserialize)]
pub(crate) struct Service {
    pub(crate) metadata: Metadata,
    pub(crate) operations: BTreeMap<String, Operation>,
    shapes: BTreeMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) protocol: Protocol,
    pub(crate) xml_namespace: Option<String>,
    pub(crate) json_version: Option<String>,
}

/// How requests and answers look on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Protocol {
    /// Forms and XML, as EC2 writes them.
    Ec2,
    /// Forms and XML.
    Query,
    /// JSON, the operation in a header.
    Json,
    /// JSON, the operation in method and path.
    RestJson,
    /// XML or plain bytes, the operation in method and path.
    RestXml,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) http: Http,
    pub(crate) input: Option<Reference>,
    pub(crate) output: Option<Reference>,
    #[serde(default)]
    pub(crate) errors: Vec<Reference>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Http {
    pub(crate) method: String,
    pub(crate) request_uri: String,
}

/// The use of a shape, and how it is written there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reference {
    pub(crate) shape: String,
    pub(crate) location: Option<Location>,
    pub(crate) location_name: Option<String>,
    pub(crate) result_wrapper: Option<String>,
}

/// Where a member stands, when not in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Location {
    Uri,
    Querystring,
    Header,
    /// In as many headers as it has entries.
    Headers,
}

/// A type of the API, with what it allows.
#[derive(Debug, Deserialize)]
pub(crate) struct Shape {
    #[serde(flatten)]
    pub(crate) kind: ShapeKind,
    #[serde(default, rename = "enum")]
    pub(crate) choices: Vec<String>,
    pattern: Option<String>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) error: Option<ErrorTrait>,
    #[serde(skip)]
    compiled: OnceLock<Regex>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase", tag = "type")]
pub(crate) enum ShapeKind {
    Structure {
        #[serde(default)]
        members: BTreeMap<String, Reference>,
        #[serde(default)]
        required: Vec<String>,
        /// The member that is the whole body.
        payload: Option<String>,
    },
    List {
        member: Reference,
    },
    Map {
        key: Reference,
        value: Reference,
    },
    String,
    Blob,
    Boolean,
    Integer,
    Long,
    Double,
    Float,
    Timestamp,
}

/// What an error's answer looks like.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorTrait {
    pub(crate) code: Option<String>,
    pub(crate) http_status_code: Option<u16>,
}

impl Service {
    /// The shape that a reference means.
    pub(crate) fn shape(&self, reference: &Reference) -> &Shape {
        // An excerpt holds all shapes that its operations reach; a test follows each reference.
        &self.shapes[&reference.shape]
    }

    /// The shape of an error by its code, as the operation declares it.
    pub(crate) fn error<'a>(&'a self, operation: &'a Operation, code: &str) -> Option<&'a Shape> {
        let is_code = |reference: &&Reference| {
            let own = self.shape(reference).error.as_ref().and_then(|error| error.code.as_deref());
            own.unwrap_or(&reference.shape) == code || reference.shape == code
        };
        operation.errors.iter().find(is_code).map(|reference| self.shape(reference))
    }
}

impl Shape {
    /// The pattern that the whole of a text must match.
    pub(crate) fn pattern(&self) -> Option<&Regex> {
        let pattern = self.pattern.as_ref()?;
        // A test compiles each pattern of the excerpts.
        let compile = || {
            // The models name what lies beyond 16 bits by pairs of halves, as UTF-16 does.
            let pattern = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\u{10000}-\u{10FFFF}");
            Regex::new(&format!("^(?:{pattern})$")).expect("the pattern of a service model can be compiled")
        };
        Some(self.compiled.get_or_init(compile))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_to_a_shape_and_every_pattern_compiles() {
        for (name, service) in &*SERVICES {
            let mut references: Vec<&Reference> = Vec::new();
            for operation in service.operations.values() {
                references.extend(operation.input.iter().chain(&operation.output).chain(&operation.errors));
            }
            for shape in service.shapes.values() {
                shape.pattern();
                match &shape.kind {
                    ShapeKind::Structure { members, required, payload } => {
                        assert!(required.iter().chain(payload).all(|member| members.contains_key(member)));
                        references.extend(members.values());
                    }
                    ShapeKind::List { member } => references.push(member),
                    ShapeKind::Map { key, value } => references.extend([key, value]),
                    _ => {}
                }
            }
            assert!(!references.is_empty(), "{name}");
            for reference in references {
                service.shape(reference);
            }
        }
    }
}

//! Decoding a tree into a type, with every mistake reported.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment as DecodedSegment};

use crate::spec::shape::{Findings, check_shape};
use crate::spec::tree::Node;
use crate::spec::{KeyPath, SpecError, SpecErrorKind};

/// Decodes `tree`, which is called `base` in messages, after checking it along the schema of `T`.
///
/// What is wrong is reported and left out, so the result may lack it; it is of use only to look for more mistakes.
pub(crate) fn decode_along_schema<T: DeserializeOwned + JsonSchema>(
    tree: &mut Node,
    base: &KeyPath,
) -> (Option<T>, Findings) {
    let schema = schemars::schema_for!(T).to_value();
    crate::spec::shape::settle_texts(tree, &crate::spec::schema_cursor::SchemaCursor::new(&schema));
    let mut findings = check_shape(tree, &schema, base);
    let value = decode_leaving_out(tree, base, &mut findings);
    (value, findings)
}

/// Decodes `tree`; as long as a value inside it is refused, reports that, takes it out and decodes again.
pub(crate) fn decode_leaving_out<T: DeserializeOwned>(
    tree: &mut Node,
    base: &KeyPath,
    findings: &mut Findings,
) -> Option<T> {
    loop {
        let error = match serde_path_to_error::deserialize::<_, T>(tree.to_json()) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let path = to_key_path(error.path(), tree);
        let origin = tree.get_or_enclosing(&path).origin.clone();
        let full_path = base.join(&path);
        // What lacks a key only because the key was wrong and taken out was reported already.
        if !findings.removed.iter().any(|removed| full_path.contains(removed)) {
            findings.errors.push(SpecError {
                kind: SpecErrorKind::InvalidValue,
                path: full_path.clone(),
                message: error.inner().to_string(),
                hint: None,
                origin: Some(origin),
            });
        }
        findings.removed.push(full_path);
        // Each round takes something out, so the loop ends.
        if !remove_innermost(tree, &path) {
            return None;
        }
    }
}

/// Takes out the value at `path`, or the innermost one around it that exists. Not the whole tree.
fn remove_innermost(tree: &mut Node, path: &KeyPath) -> bool {
    (1..=path.segments().len()).rev().any(|length| tree.remove(&path.segments()[..length]))
}

/// The decoder's path in terms of `tree`, whose lists may have gaps.
fn to_key_path(path: &Path, tree: &Node) -> KeyPath {
    path.iter().fold(KeyPath::root(), |parent, segment| match segment {
        DecodedSegment::Seq { index } => {
            let place = tree.get(&parent).and_then(|list| list.place_of(*index)).unwrap_or(*index);
            parent.index(place)
        }
        // The name of an enum's variant is a key where the variant holds something; where it does not, there is nothing
        // of that name to find, which does no harm.
        DecodedSegment::Map { key } | DecodedSegment::Enum { variant: key } => parent.key(key),
        DecodedSegment::Unknown => parent,
    })
}

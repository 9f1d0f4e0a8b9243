//! What is wrong with a specification, collected, each with its place and its cure.

use std::fmt;

use crate::spec::{KeyPath, Origin};

/// Why a single text is not a value of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// What is wrong, lowercase.
    pub message: String,
    /// What is accepted.
    pub hint: Option<String>,
}

impl Invalid {
    /// A message and what is accepted instead.
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }
}

/// The kind of a [`SpecError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpecErrorKind {
    /// The text is not TOML, or the name of a variable or key cannot be read.
    Syntax,
    /// There is no such key.
    UnknownKey,
    /// The value has the wrong TOML type.
    WrongType,
    /// The value has the right type but is not acceptable.
    InvalidValue,
    /// A value that has no default was not given.
    Missing,
    /// Values that are acceptable alone are not acceptable together.
    Conflict,
    /// The value may not be set in this layer.
    NotAllowedHere,
    /// There is no profile of that name.
    UnknownProfile,
}

/// One thing that is wrong with a specification.
///
/// Printed on one line: where, which key, what, and the hint in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// What kind of mistake it is.
    pub kind: SpecErrorKind,
    /// The value it is about; the root for a whole text.
    pub path: KeyPath,
    /// What is wrong, lowercase.
    pub message: String,
    /// What is accepted, or what was probably meant.
    pub hint: Option<String>,
    /// Where the value was set; [`None`] for a value that nobody set.
    pub origin: Option<Origin>,
}

impl SpecError {
    /// An error about the value at `path`, dotted, whose place is not known yet: [`Origins::locate`] finds it.
    ///
    /// [`Origins::locate`]: crate::spec::Origins::locate
    pub fn new(kind: SpecErrorKind, path: &str, message: impl Into<String>, hint: Option<String>) -> Self {
        Self { kind, path: KeyPath::dotted(path), message: message.into(), hint, origin: None }
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_line(formatter, self.origin.as_ref(), &self.path, &self.message, self.hint.as_deref())
    }
}

impl std::error::Error for SpecError {}

/// Everything that is wrong with a specification; never empty when returned as an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecErrors {
    /// The mistakes, in the order of the text where they are in one.
    pub errors: Vec<SpecError>,
}

impl SpecErrors {
    /// `Ok` when there are no errors.
    pub fn check(errors: Vec<SpecError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self::from(errors)) }
    }
}

impl From<SpecError> for SpecErrors {
    fn from(error: SpecError) -> Self {
        Self { errors: vec![error] }
    }
}

impl From<Vec<SpecError>> for SpecErrors {
    fn from(mut errors: Vec<SpecError>) -> Self {
        errors.sort_by_key(|error| {
            let place = error.origin.as_ref().map(|o| (o.layer.rank(), o.span.map_or(0, |span| span.start)));
            (place.is_none(), place)
        });
        Self { errors }
    }
}

impl fmt::Display for SpecErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.errors.iter().enumerate() {
            if position > 0 {
                writeln!(formatter)?;
            }
            write!(formatter, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecErrors {}

/// The kind of a [`SpecWarning`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpecWarningKind {
    /// Fewer than three core nodes: the tuned NATS values need three.
    FewCoreNodes,
    /// A spot pool that may use one instance type only stands still when that type is short.
    SpotWithOneType,
    /// `cpu` and `memory` beside `types`: the types decide.
    ShapeWithoutEffect,
    /// The API is reachable from the whole internet.
    OpenEndpoint,
}

/// Something that is allowed but that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecWarning {
    /// What it is about.
    pub kind: SpecWarningKind,
    /// The value it is about.
    pub path: KeyPath,
    /// What is odd, lowercase.
    pub message: String,
    /// What would be better.
    pub hint: Option<String>,
    /// Where the value was set.
    pub origin: Option<Origin>,
}

impl fmt::Display for SpecWarning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_line(formatter, self.origin.as_ref(), &self.path, &self.message, self.hint.as_deref())
    }
}

/// `where: path: message (hint)`, without the parts that are absent.
fn write_line(
    formatter: &mut fmt::Formatter<'_>,
    origin: Option<&Origin>,
    path: &KeyPath,
    message: &str,
    hint: Option<&str>,
) -> fmt::Result {
    if let Some(origin) = origin {
        write!(formatter, "{origin}: ")?;
    }
    if !path.segments().is_empty() {
        write!(formatter, "{path}: ")?;
    }
    formatter.write_str(message)?;
    match hint {
        Some(hint) => write!(formatter, " ({hint})"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::spec::{Layer, Span};

    fn error(start: Option<usize>) -> SpecError {
        let text: Arc<str> = "0123456789".into();
        SpecError {
            kind: SpecErrorKind::InvalidValue,
            path: KeyPath::dotted("core.nodes"),
            message: "must be at least 1".into(),
            hint: Some("1 to 100".into()),
            origin: start.map(|start| Origin {
                layer: Layer::File { path: "howso-infra.toml".into(), text: Arc::clone(&text) },
                span: Some(Span::new(&text, start, start + 1)),
            }),
        }
    }

    #[test]
    fn an_error_is_one_line_with_place_path_message_and_hint() {
        assert_eq!(error(Some(3)).to_string(), "howso-infra.toml:1:4: core.nodes: must be at least 1 (1 to 100)");
        assert_eq!(error(None).to_string(), "core.nodes: must be at least 1 (1 to 100)");
    }

    #[test]
    fn errors_are_listed_in_the_order_of_the_text_and_those_without_a_place_last() {
        let errors = SpecErrors::from(vec![error(None), error(Some(7)), error(Some(2))]);
        let starts: Vec<_> =
            errors.errors.iter().map(|e| e.origin.as_ref().and_then(|o| o.span).map(|s| s.start)).collect();
        assert_eq!(starts, [Some(2), Some(7), None]);
        assert_eq!(errors.to_string().lines().count(), 3);
    }

    #[test]
    fn no_errors_is_success() {
        assert!(SpecErrors::check(Vec::new()).is_ok());
        assert!(SpecErrors::check(vec![error(None)]).is_err());
    }
}

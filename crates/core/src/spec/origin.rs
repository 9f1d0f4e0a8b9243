//! Where a value of the specification came from, and what it is called.

use std::fmt;
use std::sync::Arc;

use camino::Utf8PathBuf;

/// The name of a value: the keys that lead to it.
///
/// Printed as TOML would spell it: `workers.default.max`, `tags."cost center"`, `kubernetes.api_access[0]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPath(Vec<Segment>);

/// One step of a [`KeyPath`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A key of a table.
    Key(String),
    /// A place in an array, from 0.
    Index(usize),
}

impl KeyPath {
    /// The whole document.
    pub fn root() -> Self {
        Self::default()
    }

    /// Splits `path` at its dots. For paths written in code, whose keys hold no dots.
    pub fn dotted(path: &str) -> Self {
        path.split('.').filter(|key| !key.is_empty()).fold(Self::root(), |parent, key| parent.key(key))
    }

    /// The path of `key` inside this one.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.child(Segment::Key(key.to_owned()))
    }

    /// The path of element `index` inside this one.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.child(Segment::Index(index))
    }

    /// The path of one more segment inside this one.
    #[must_use]
    pub fn child(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }

    /// The path of `inner` as seen from where this one starts.
    #[must_use]
    pub fn join(&self, inner: &Self) -> Self {
        Self(self.0.iter().chain(&inner.0).cloned().collect())
    }

    /// The steps, outermost first.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether this is `other`, or `other` is inside it.
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The first key.
    pub fn first_key(&self) -> Option<&str> {
        match self.0.first() {
            Some(Segment::Key(key)) => Some(key),
            Some(Segment::Index(_)) | None => None,
        }
    }
}

impl FromIterator<Segment> for KeyPath {
    fn from_iter<I: IntoIterator<Item = Segment>>(segments: I) -> Self {
        Self(segments.into_iter().collect())
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(formatter, "[{index}]")?,
                Segment::Key(key) => {
                    if position > 0 {
                        formatter.write_str(".")?;
                    }
                    formatter.write_str(&quoted_key(key))?;
                }
            }
        }
        Ok(())
    }
}

/// Spells `key` as TOML does: bare where that is possible, else in quotes.
fn quoted_key(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { key.to_owned() } else { toml::Value::String(key.to_owned()).to_string() }
}

/// A stretch of a TOML text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// The line of the first byte, from 1.
    pub line: usize,
    /// The column of the first byte, in characters, from 1.
    pub column: usize,
}

impl Span {
    /// The span `start..end` of `text`.
    pub(crate) fn new(text: &str, start: usize, end: usize) -> Self {
        // A parser's position may be one past the end, or (for broken text) inside a character.
        let start = floor_char_boundary(text, start);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            start,
            end: end.clamp(start, text.len()),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

fn floor_char_boundary(text: &str, position: usize) -> usize {
    (0..=position.min(text.len())).rev().find(|&candidate| text.is_char_boundary(candidate)).unwrap_or(0)
}

/// What set a value; lower layers give way to higher ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Built in.
    Default,
    /// A profile.
    Profile {
        /// Its name.
        name: String,
        /// The file, for a profile of the user's own.
        path: Option<Utf8PathBuf>,
        /// Its text.
        text: Arc<str>,
    },
    /// The specification file.
    File {
        /// Its path.
        path: Utf8PathBuf,
        /// Its text.
        text: Arc<str>,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A command-line flag.
    Flag {
        /// The flag as typed, for example `--name`.
        flag: String,
    },
}

impl Layer {
    /// Its place among the layers; a higher rank wins.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::Profile { .. } => 1,
            Self::File { .. } => 2,
            Self::Environment { .. } => 3,
            Self::Flag { .. } => 4,
        }
    }

    /// Whether a person chose this value for this cluster (and not a profile or a default for many).
    pub(crate) fn is_chosen(&self) -> bool {
        self.rank() >= 2
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::Profile { path: Some(path), .. } | Self::File { path, .. } => write!(formatter, "{path}"),
            Self::Profile { name, path: None, .. } => write!(formatter, "profile {name}"),
            Self::Environment { variable } => formatter.write_str(variable),
            Self::Flag { flag } => formatter.write_str(flag),
        }
    }
}

/// Where a value came from: its layer and, for texts, the place.
///
/// Printed as `howso-infra.toml:7:9`, `profile large:3:1`, `--name` or `HOWSO_INFRA_NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The layer.
    pub layer: Layer,
    /// The place in the layer's text, where it has one.
    pub span: Option<Span>,
}

impl Origin {
    /// A value that is built in.
    pub(crate) fn built_in() -> Self {
        Self { layer: Layer::Default, span: None }
    }

    /// The text that the span points into.
    pub fn source_text(&self) -> Option<&str> {
        match &self.layer {
            Layer::Profile { text, .. } | Layer::File { text, .. } => Some(text),
            Layer::Default | Layer::Environment { .. } | Layer::Flag { .. } => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.layer)?;
        match self.span {
            Some(span) => write!(formatter, ":{}:{}", span.line, span.column),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_spelled_as_toml_spells_them() {
        let path = KeyPath::dotted("workers.default").key("a.b").index(2);
        assert_eq!(path.to_string(), r#"workers.default."a.b"[2]"#);
        assert!(KeyPath::dotted("workers").contains(&path));
        assert!(!path.contains(&KeyPath::dotted("workers")));
    }

    #[test]
    fn lines_and_columns_count_from_one_and_columns_count_characters() {
        let text = "a = 1\nkey = \"äö\" # x\n";
        let hash = text.find('#').unwrap();
        let span = Span::new(text, hash, hash + 1);
        assert_eq!((span.line, span.column), (2, 12));
    }

    #[test]
    fn a_span_beyond_the_text_is_cut_to_it() {
        let span = Span::new("ä", 1, 99);
        assert_eq!((span.start, span.end, span.line, span.column), (0, 2, 1, 1));
    }

    #[test]
    fn origins_name_the_place_a_person_can_go_to() {
        let text: Arc<str> = "name = 1".into();
        let file = Layer::File { path: "howso-infra.toml".into(), text: Arc::clone(&text) };
        let origin = Origin { layer: file, span: Some(Span::new(&text, 7, 8)) };
        assert_eq!(origin.to_string(), "howso-infra.toml:1:8");
        assert_eq!(origin.source_text(), Some("name = 1"));
        let flag = Origin { layer: Layer::Flag { flag: "--name".into() }, span: None };
        assert_eq!(flag.to_string(), "--name");
    }
}

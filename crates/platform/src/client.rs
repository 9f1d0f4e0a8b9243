//! What a client of the platform is told: how long to wait for a trainee.

use std::str::FromStr;

use howso_infra_core::sizing::NodeWait;
use serde_json::Value;
use yaml_edit::YamlFile;
use yaml_edit::path::YamlPath;

/// The variable that says how long a client waits for a trainee, in seconds; 0 is forever.
pub const WAIT_VARIABLE: &str = "HOWSO_CLIENT_CREATE_MAX_WAIT_TIME";

/// The same in a client's configuration file.
const WAIT_PATH: [&str; 3] = ["howso", "options", "create_max_wait_time"];

/// How long a client waits when nobody says it. Seconds.
pub const USUAL_WAIT_SECS: u64 = 30;

/// How long a client should wait for a trainee, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The time. Seconds.
    pub secs: u64,
    /// What it follows from.
    pub node: NodeWait,
    /// How long a node took on this cluster, when that was measured. Seconds.
    pub measured_secs: Option<u64>,
}

impl Wait {
    /// The time for a platform on which nodes take this long, and for a cluster on which one took as long as was measured.
    pub fn of(node: NodeWait, measured_secs: Option<u64>) -> Self {
        Self { secs: node.client_wait_secs(measured_secs), node, measured_secs }
    }

    /// A node that takes so long is nothing unusual. Seconds.
    fn usual_max_secs(self) -> u64 {
        self.node.p99_secs.max(self.measured_secs.unwrap_or_default())
    }

    /// Why it is so long, in one sentence.
    pub fn reason(self) -> String {
        let NodeWait { median_secs, p99_secs } = self.node;
        match self.measured_secs {
            Some(measured_secs) if measured_secs > p99_secs => format!(
                "a new node took {measured_secs} s on this cluster, where {median_secs} s are usual: twice that, in whole hundreds"
            ),
            Some(measured_secs) => format!(
                "a trainee that needs a new node waits {median_secs} s ({measured_secs} s were measured on this cluster), and one of a \
                 hundred more than {p99_secs} s: twice that, in whole hundreds"
            ),
            None => format!(
                "a trainee that needs a new node waits {median_secs} s, and one of a hundred more than {p99_secs} s: twice that, in whole \
                 hundreds"
            ),
        }
    }
}

/// What became of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    /// Its new text.
    Changed(String),
    /// It says the same, or a longer time: it stays as it is.
    Kept {
        /// What it says. Seconds; 0 is forever.
        secs: u64,
    },
}

/// Why a configuration file was left alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// It cannot be read as YAML.
    #[error("it is not YAML: {0}")]
    NotYaml(String),
    /// It has something else where the settings would be.
    #[error("`{0}` is no table there")]
    NotATable(String),
    /// The time that it says is none.
    #[error("`howso.options.create_max_wait_time` is {0}, and not a number of seconds")]
    NotATime(String),
    /// Writing it would change more than the time. A defect, which is found before anything is written.
    #[error("it could not be changed without touching its other settings")]
    Unsafe,
}

/// How long a client with this configuration waits for a trainee. Seconds; 0 is forever.
pub fn configured(text: &str) -> Result<u64, MergeError> {
    Ok(present(&parse(text)?)?.unwrap_or(USUAL_WAIT_SECS))
}

/// Whether a client that waits so long gives up before a trainee that needs a new node is there, now and then.
pub fn is_too_short(secs: u64, wait: Wait) -> bool {
    secs != 0 && secs < wait.usual_max_secs()
}

/// Puts the time into a client's configuration, of which everything else stays as it is: settings, comments, order. A longer time
/// stays, and so does 0, which is forever.
pub fn merge(text: &str, secs: u64) -> Result<Merged, MergeError> {
    let before = parse(text)?;
    match present(&before)? {
        Some(present) if present == 0 || present >= secs => return Ok(Merged::Kept { secs: present }),
        Some(_) | None => {}
    }
    let changed = edited(text, secs)?;
    let mut expected = before;
    set(&mut expected, secs);
    // Every setting is compared, because the file is somebody's own.
    if parse(&changed).ok().as_ref() == Some(&expected) {
        Ok(Merged::Changed(changed))
    } else {
        Err(MergeError::Unsafe)
    }
}

/// A configuration that says nothing else.
pub fn fresh(wait: Wait) -> String {
    settings(&format!("    # {}.\n", wait.reason()), wait.secs)
}

fn parse(text: &str) -> Result<Value, MergeError> {
    // A file of nothing but comments is empty.
    let value: Option<Value> = serde_saphyr::from_str(text)
        .map_err(|error| MergeError::NotYaml(error.to_string().lines().next().unwrap_or_default().to_owned()))?;
    Ok(value.unwrap_or(Value::Null))
}

/// The time that a configuration says.
fn present(document: &Value) -> Result<Option<u64>, MergeError> {
    let mut value = document;
    let mut path = Vec::new();
    for key in WAIT_PATH {
        match value {
            Value::Null => return Ok(None),
            Value::Object(_) => value = &value[key],
            _ if path.is_empty() => return Err(MergeError::NotATable("the document".to_owned())),
            _ => return Err(MergeError::NotATable(path.join("."))),
        }
        path.push(key);
    }
    match value {
        Value::Null => Ok(None),
        value => value.as_u64().map(Some).ok_or_else(|| MergeError::NotATime(value.to_string())),
    }
}

fn set(document: &mut Value, secs: u64) {
    let [first, second, third] = WAIT_PATH;
    document[first][second][third] = secs.into();
}

fn edited(text: &str, secs: u64) -> Result<String, MergeError> {
    let file = YamlFile::from_str(text).map_err(|error| MergeError::NotYaml(error.to_string()))?;
    let Some(document) = file.document() else {
        // Nothing but comments, which stay before it.
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{text}{end}{}", settings("", secs)));
    };
    document.try_set_path(&WAIT_PATH.join("."), secs).map_err(|_| MergeError::Unsafe)?;
    Ok(file.to_string())
}

/// The settings alone, with a comment before the last.
fn settings(comment: &str, secs: u64) -> String {
    let [first, second, third] = WAIT_PATH;
    format!("{first}:\n  {second}:\n{comment}    {third}: {secs}\n")
}

#[cfg(test)]
mod tests;

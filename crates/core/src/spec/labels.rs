//! Kubernetes labels and taints.
//!
//! Syntax: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>. Label values may not be empty,
//! because EKS refuses empty ones.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::spec::Invalid;
use crate::spec::names::checked_string;

/// The label that keeps trainees off core nodes: the string `False`, set at registration.
pub const CORE_LABEL: (&str, &str) = ("howso.com/allowWorkers", "False");

/// The taint of every worker node, with the effect `NoSchedule`: only trainees tolerate it.
pub const WORKER_TAINT: (&str, &str) = ("howso.com/nodetype", "worker");

checked_string! {
    /// The key of a label or taint: a name of at most 63 characters, optionally after a DNS prefix of at most 253
    /// characters and a slash.
    LabelKey, check_key
}

checked_string! {
    /// The value of a label: 1 to 63 letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit.
    LabelValue, check_label_value
}

/// Whether `text` consists of `A-Za-z0-9-_.` and begins and ends with a letter or digit.
fn is_qualified_word(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

pub(crate) fn is_dns_subdomain(text: &str) -> bool {
    let is_dns_label = |label: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        edge(label.chars().next())
            && edge(label.chars().next_back())
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    text.len() <= 253 && text.split('.').all(is_dns_label)
}

fn check_key(text: &str) -> Result<(), Invalid> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if is_qualified_word(name) && name.len() <= 63 && prefix.is_none_or(is_dns_subdomain) {
        return Ok(());
    }
    Err(Invalid::new(
        format!("`{text}` is not a Kubernetes key"),
        "a name of up to 63 letters, digits, `-`, `_` and `.`, optionally after a domain and a slash: \"example.com/team\"",
    ))
}

fn check_label_value(text: &str) -> Result<(), Invalid> {
    if is_qualified_word(text) && text.len() <= 63 {
        return Ok(());
    }
    let message = if text.is_empty() {
        "the value may not be empty".to_owned()
    } else {
        format!("`{text}` is not a label value")
    };
    Err(Invalid::new(message, "1 to 63 letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit"))
}

impl LabelKey {
    /// Whether nodes may not be given this label by their pool.
    ///
    /// Kubelets may not label themselves in the namespaces of Kubernetes (admission plugin `NodeRestriction`), and
    /// managed node pools refuse these keys.
    pub(crate) fn is_reserved_for_kubernetes(&self) -> bool {
        let domain = self.as_str().split_once('/').map_or("", |(domain, _)| domain);
        ["kubernetes.io", "k8s.io"].iter().any(|owner| {
            domain == *owner || domain.strip_suffix(owner).is_some_and(|subdomain| subdomain.ends_with('.'))
        })
    }
}

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum TaintEffect {
    /// They are not scheduled.
    NoSchedule,
    /// They are scheduled only when nothing else fits.
    PreferNoSchedule,
    /// They are not scheduled, and those running are evicted.
    NoExecute,
}

impl TaintEffect {
    /// Every effect.
    pub const ALL: [Self; 3] = [Self::NoSchedule, Self::PreferNoSchedule, Self::NoExecute];

    /// Kubernetes' own spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

/// A taint, written `key=value:Effect` or `key:Effect`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Taint {
    /// The key.
    pub key: LabelKey,
    /// The value; empty when there is none.
    pub value: String,
    /// The effect.
    pub effect: TaintEffect,
}

impl Taint {
    /// The taint of every worker node: [`WORKER_TAINT`].
    pub fn of_workers() -> Self {
        let (key, value) = WORKER_TAINT;
        Self { key: LabelKey(key.to_owned()), value: value.to_owned(), effect: TaintEffect::NoSchedule }
    }
}

const TAINT_FORM: &str = "\"key=value:NoSchedule\", with the effect NoSchedule, PreferNoSchedule or NoExecute";

impl FromStr for Taint {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((pair, effect)) = text.rsplit_once(':') else {
            return Err(Invalid::new(format!("the taint `{text}` has no effect"), TAINT_FORM));
        };
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let effect = parse_effect(effect)?;
        let key = LabelKey::from_str(key)
            .map_err(|error| Invalid::new(format!("the taint's key: {}", error.message), TAINT_FORM))?;
        if !value.is_empty() {
            check_label_value(value)
                .map_err(|error| Invalid::new(format!("the taint's value: {}", error.message), TAINT_FORM))?;
        }
        Ok(Self { key, value: value.to_owned(), effect })
    }
}

fn parse_effect(text: &str) -> Result<TaintEffect, Invalid> {
    if let Some(effect) = TaintEffect::ALL.into_iter().find(|effect| effect.as_str() == text) {
        return Ok(effect);
    }
    let names = TaintEffect::ALL.map(TaintEffect::as_str);
    let hint = match crate::spec::suggest::nearest(&text.replace('_', ""), names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => TAINT_FORM.to_owned(),
    };
    Err(Invalid::new(format!("`{text}` is not the effect of a taint"), hint))
}

impl fmt::Display for Taint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.key)?;
        if !self.value.is_empty() {
            write!(formatter, "={}", self.value)?;
        }
        write!(formatter, ":{}", self.effect.as_str())
    }
}

impl Serialize for Taint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_the_syntax_of_kubernetes() {
        let (name, prefix) = ("n".repeat(63), "p".repeat(253));
        for good in ["team", "example.com/team", "a_b.c-d", "howso.com/allowWorkers", &format!("{prefix}/{name}")] {
            assert!(good.parse::<LabelKey>().is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a/b/c", "-a", "a-", "ex ample/a", "Example.com/a", "a..b/c", &"n".repeat(64)] {
            assert!(bad.parse::<LabelKey>().is_err(), "{bad}");
        }
        assert!(format!("{prefix}p/a").parse::<LabelKey>().is_err());
    }

    #[test]
    fn label_values_may_not_be_empty_or_long() {
        assert!("False".parse::<LabelValue>().is_ok());
        for bad in ["", "-", "a b", "a/b", &"v".repeat(64)] {
            assert!(bad.parse::<LabelValue>().is_err(), "{bad}");
        }
    }

    #[test]
    fn namespaces_of_kubernetes_are_reserved_and_look_alikes_are_not() {
        let reserved = |key: &str| key.parse::<LabelKey>().unwrap().is_reserved_for_kubernetes();
        assert!(reserved("kubernetes.io/role"));
        assert!(reserved("node-role.kubernetes.io/worker"));
        assert!(reserved("cluster.k8s.io/x"));
        assert!(!reserved("notkubernetes.io/x"));
        assert!(!reserved("kubernetes.io"));
        assert!(!reserved("example.com/kubernetes.io"));
    }

    #[test]
    fn taints_print_as_they_are_written() {
        for text in ["dedicated=gpu:NoSchedule", "example.com/a:NoExecute", "a=b:PreferNoSchedule"] {
            assert_eq!(text.parse::<Taint>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_mistyped_effect_is_told_the_nearest() {
        for text in ["a=b:NoSchedul", "a=b:NO_SCHEDULE", "a=b:noschedule"] {
            let error = text.parse::<Taint>().unwrap_err();
            assert_eq!(error.hint.as_deref(), Some("did you mean `NoSchedule`?"), "{text}");
        }
    }

    #[test]
    fn malformed_taints_are_refused() {
        for text in ["", "a", "a=b", ":NoSchedule", "=b:NoSchedule", "a=b c:NoSchedule", "a=b:"] {
            assert!(text.parse::<Taint>().is_err(), "{text}");
        }
    }
}

//! What a node is told when it registers: labels, taints, and what it keeps for itself, as arguments of k3s.

use std::collections::BTreeMap;

use howso_infra_core::{Attributes, Value};

const LABEL: &str = "--node-label";
const TAINT: &str = "--node-taint";
const KUBELET: &str = "--kubelet-arg";
const SYSTEM_RESERVED: &str = "system-reserved=";

/// What a node is told when it registers. Set at once, so that no pod can be placed before a label or taint is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeArguments {
    pub(crate) labels: BTreeMap<String, String>,
    /// `key=value:effect`, sorted.
    pub(crate) taints: Vec<String>,
    pub(crate) reserved: Reserved,
}

/// What a node keeps from pods. Every node of k3d sees the whole machine, so what a pool does not offer is reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reserved {
    /// Thousandths of a CPU.
    pub(crate) cpu_millis: u64,
    /// Mebibytes.
    pub(crate) memory_mebibytes: u64,
}

impl NodeArguments {
    /// Reads the arguments that a node was started with. Those of others are passed over.
    pub(crate) fn parse(arguments: &[String]) -> Self {
        let mut parsed = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let (flag, value) = match argument.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (argument.as_str(), None),
            };
            if ![LABEL, TAINT, KUBELET].contains(&flag) {
                continue;
            }
            let Some(value) = value.or_else(|| rest.next().map(String::as_str)) else { break };
            match flag {
                LABEL => {
                    let (key, value) = value.split_once('=').unwrap_or((value, ""));
                    parsed.labels.insert(key.to_owned(), value.to_owned());
                }
                TAINT => parsed.taints.push(value.to_owned()),
                _ => {
                    if let Some(reserved) = value.strip_prefix(SYSTEM_RESERVED) {
                        parsed.reserved = Reserved::parse(reserved);
                    }
                }
            }
        }
        parsed.taints.sort();
        parsed
    }

    /// The arguments beside labels, for which k3d has a place of its own.
    pub(crate) fn beside_labels(&self) -> Vec<String> {
        let taints = self.taints.iter().map(|taint| format!("{TAINT}={taint}"));
        taints.chain(self.reserved.to_argument()).collect()
    }

    /// All arguments.
    pub(crate) fn all(&self) -> Vec<String> {
        let labels = self.labels.iter().map(|(key, value)| format!("{LABEL}={key}={value}"));
        labels.chain(self.beside_labels()).collect()
    }

    /// The fields of a resource.
    pub(crate) fn to_attributes(&self) -> Attributes {
        Attributes::from([
            ("labels".to_owned(), Value::text_map(self.labels.clone())),
            ("taints".to_owned(), Value::texts(self.taints.clone())),
            ("reserved".to_owned(), self.reserved.to_value()),
        ])
    }

    /// Reads the fields of a resource back.
    pub(crate) fn from_attributes(attributes: &Attributes) -> Self {
        let labels = attributes.get("labels").and_then(Value::as_map).into_iter().flatten();
        let taints = attributes.get("taints").and_then(Value::as_list).into_iter().flatten();
        let reserved = attributes.get("reserved").and_then(Value::as_map);
        let number = |name: &str| {
            let number = reserved.and_then(|fields| fields.get(name)).and_then(Value::as_integer);
            number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
        };
        Self {
            labels: labels.filter_map(|(key, value)| Some((key.clone(), value.as_text()?.to_owned()))).collect(),
            taints: taints.filter_map(Value::as_text).map(str::to_owned).collect(),
            reserved: Reserved { cpu_millis: number("cpu_millis"), memory_mebibytes: number("memory_mebibytes") },
        }
    }
}

impl Reserved {
    /// Reads `cpu=500m,memory=1024Mi` as this program writes it; what anybody else wrote counts as nothing.
    fn parse(text: &str) -> Self {
        let field = |name: &str, unit: &str| {
            let values = text.split(',').filter_map(|part| part.split_once('='));
            let value = values.filter(|(key, _)| *key == name).find_map(|(_, value)| value.strip_suffix(unit));
            value.and_then(|number| number.parse().ok()).unwrap_or_default()
        };
        Self { cpu_millis: field("cpu", "m"), memory_mebibytes: field("memory", "Mi") }
    }

    fn to_argument(self) -> Option<String> {
        let mut parts = Vec::new();
        if self.cpu_millis > 0 {
            parts.push(format!("cpu={}m", self.cpu_millis));
        }
        if self.memory_mebibytes > 0 {
            parts.push(format!("memory={}Mi", self.memory_mebibytes));
        }
        (!parts.is_empty()).then(|| format!("{KUBELET}={SYSTEM_RESERVED}{}", parts.join(",")))
    }

    fn to_value(self) -> Value {
        let number = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        Value::Map(Attributes::from([
            ("cpu_millis".to_owned(), number(self.cpu_millis)),
            ("memory_mebibytes".to_owned(), number(self.memory_mebibytes)),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker() -> NodeArguments {
        NodeArguments {
            labels: BTreeMap::from([("howso.com/allowWorkers".to_owned(), "False".to_owned())]),
            taints: vec!["a=b:NoExecute".to_owned(), "howso.com/nodetype=worker:NoSchedule".to_owned()],
            reserved: Reserved { cpu_millis: 500, memory_mebibytes: 2048 },
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let written = worker().all();
        assert_eq!(
            written,
            [
                "--node-label=howso.com/allowWorkers=False",
                "--node-taint=a=b:NoExecute",
                "--node-taint=howso.com/nodetype=worker:NoSchedule",
                "--kubelet-arg=system-reserved=cpu=500m,memory=2048Mi",
            ]
        );
        assert_eq!(NodeArguments::parse(&written), worker());
        assert_eq!(NodeArguments::from_attributes(&worker().to_attributes()), worker());
        assert_eq!(NodeArguments::default().all(), [""; 0]);
    }

    #[test]
    fn flags_with_values_of_their_own_and_those_of_others_are_understood() {
        let texts =
            ["agent", "--node-label", "a=b", "--node-taint", "x=y:NoSchedule", "--kubelet-arg", "v=2", "--lb", "z"];
        let parsed = NodeArguments::parse(&texts.map(str::to_owned));
        assert_eq!(parsed.labels, BTreeMap::from([("a".to_owned(), "b".to_owned())]));
        assert_eq!(parsed.taints, ["x=y:NoSchedule"]);
        assert_eq!(parsed.reserved, Reserved::default());
    }
}

//! Whether a cluster that is there does what it is for: what its checks show, what differs, and what that means for the platform.

use std::collections::BTreeSet;

use howso_infra_core::{Finding, Observed, Severity, Status};
use howso_infra_kubernetes::{CHECK, Meaning, meaning};

use crate::{Prepared, Session};

impl Session {
    /// What the checks inside the cluster showed, and how the platform fares there, by reads alone; nothing while there is no cluster.
    pub async fn health(&self, prepared: &Prepared) -> Vec<Finding> {
        let mut findings = prepared.checks();
        findings.extend(prepared.differences());
        if let Some(backend) = self.kubernetes.as_ref().filter(|_| !findings.is_empty()) {
            match self.reading(async || backend.platform_findings().await).await {
                Ok(more) => findings.extend(more),
                Err(error) => findings.push(unseen("platform", &error.to_string(), None)),
            }
        }
        findings
    }
}

impl Prepared {
    /// What the checks showed, each with what it matters for and what cures it.
    fn checks(&self) -> Vec<Finding> {
        let checks = self.observation.resources.iter().filter(|(id, _)| id.kind() == CHECK);
        let looks = checks.flat_map(|(id, observed)| observed.iter().map(move |observed| (id.name(), observed)));
        let mut findings: Vec<Finding> = looks.map(|(name, observed)| finding(name, observed)).collect();
        let gaps = self.observation.gaps.iter().filter(|gap| gap.kinds.iter().any(|kind| kind == CHECK));
        findings.extend(gaps.map(|gap| unseen("cluster", &gap.error.message, gap.error.hint.clone())));
        findings
    }
}

/// How many resources are named.
const NAMED_MAX: usize = 5;

impl Prepared {
    /// What differs from the specification, beside what the checks say; nothing while there is no cluster.
    fn differences(&self) -> Option<Finding> {
        let is_there = !self.observation.resources.is_empty();
        let steps = self.plan.steps.iter().filter(|step| is_there && step.resource.kind() != CHECK);
        let different: BTreeSet<String> = steps.map(|step| step.resource.to_string()).collect();
        let named: Vec<&str> = different.iter().take(NAMED_MAX).map(String::as_str).collect();
        let more = match different.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!different.is_empty()).then(|| Finding {
            severity: Severity::Warning,
            subject: "specification".to_owned(),
            message: format!("not as it wants them: {}{more}", named.join(", ")),
            cure: Some("`howso-infra plan` shows what differs, `howso-infra up` puts it right".to_owned()),
            kind: None,
        })
    }
}

/// What could not be looked at, which is no failure.
fn unseen(subject: &str, why: &str, cure: Option<String>) -> Finding {
    let message = format!("could not be looked at: {why}");
    Finding { severity: Severity::Note, subject: subject.to_owned(), message, cure, kind: None }
}

fn finding(check: &str, observed: &Observed) -> Finding {
    let known = meaning(check);
    let subject = format!("cluster: {}", known.map_or(check, |known| known.subject));
    let state = match &observed.status {
        Status::Ready => {
            let message = "as they should be".to_owned();
            return Finding { severity: Severity::Good, subject, message, cure: None, kind: None };
        }
        Status::Pending { state } => state.trim_start_matches("waiting: "),
        Status::Degraded { reason } | Status::Failed { reason, .. } => reason.as_str(),
        Status::Deleting => "on its way out",
    };
    let matters = |known: Meaning| format!("{state}; until then, {}", known.matters);
    Finding {
        severity: Severity::Blocking,
        subject,
        message: known.map_or_else(|| state.to_owned(), matters),
        cure: known.map(|known| known.cure.to_owned()),
        kind: None,
    }
}

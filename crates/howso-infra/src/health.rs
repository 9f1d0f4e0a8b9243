//! Whether a cluster that is there does what it is for: what its checks show, and what that means for the platform.

use howso_infra_core::{Finding, Observed, Severity, Status};
use howso_infra_kubernetes::{CHECK, Meaning, meaning};

use crate::{Error, Prepared, Session};

impl Session {
    /// What the checks inside the cluster showed, and how the platform fares there, by reads alone; nothing while there is no cluster.
    pub async fn health(&self, prepared: &Prepared) -> Result<Vec<Finding>, Error> {
        let mut findings = prepared.checks();
        if let Some(backend) = self.kubernetes.as_ref().filter(|_| !findings.is_empty()) {
            findings.extend(self.reading(async || backend.platform_findings().await).await?);
        }
        Ok(findings)
    }
}

impl Prepared {
    /// What the checks showed, each with what it matters for and what cures it.
    fn checks(&self) -> Vec<Finding> {
        let checks = self.observation.resources.iter().filter(|(id, _)| id.kind() == CHECK);
        let looks = checks.flat_map(|(id, observed)| observed.iter().map(move |observed| (id.name(), observed)));
        let mut findings: Vec<Finding> = looks.map(|(name, observed)| finding(name, observed)).collect();
        let unseen = self.observation.gaps.iter().filter(|gap| gap.kinds.iter().any(|kind| kind == CHECK));
        findings.extend(unseen.map(|gap| Finding {
            severity: Severity::Note,
            subject: "cluster".to_owned(),
            message: format!("its checks could not be looked at: {}", gap.error.message),
            cure: gap.error.hint.clone(),
            kind: None,
        }));
        findings
    }
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

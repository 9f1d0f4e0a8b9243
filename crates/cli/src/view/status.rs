//! What is there, and what differs.

use howso_infra::core::Status as Health;
use howso_infra::core::plan::{Change, Reason};
use howso_infra::core::spec::ClusterSpec;
use howso_infra::{ResourceStatus, Status};
use serde_json::{Value, json};

use crate::view::Report;
use crate::view::plan::{field_change, mark, names_width};
use crate::view::style::{Style, add_line, counted};

/// What is there.
pub(crate) struct StatusReport<'a> {
    pub(crate) spec: &'a ClusterSpec,
    pub(crate) status: &'a Status,
    /// Whether to show differences only.
    pub(crate) differences_only: bool,
}

impl Report for StatusReport<'_> {
    fn kind(&self) -> &'static str {
        if self.differences_only { "drift" } else { "status" }
    }

    fn json(&self) -> Value {
        let shown = |resource: &&ResourceStatus| !self.differences_only || differs(resource);
        let resources: Vec<&ResourceStatus> = self.status.resources.iter().filter(shown).collect();
        json!({
            "cluster": self.spec.name, "provider": self.spec.provider, "region": self.spec.location,
            "deployment": self.status.deployment, "as_wanted": self.status.is_as_wanted(), "resources": resources,
        })
    }

    fn text(&self, style: Style) -> String {
        let mut text = String::new();
        if !self.differences_only {
            text += &self.header(style);
        }
        let shown: Vec<&ResourceStatus> =
            self.status.resources.iter().filter(|resource| self.is_shown(resource)).collect();
        let width = names_width(shown.iter().map(|resource| &resource.id));
        for resource in shown {
            row(&mut text, resource, width, style);
        }
        text + &self.sum(style)
    }
}

impl StatusReport<'_> {
    fn header(&self, style: Style) -> String {
        let spec = self.spec;
        let title = format!("{} ({}, {}, profile {})", spec.name, spec.provider, spec.location, spec.profile);
        let deployment = match &self.status.deployment {
            Some(deployment) => format!("deployment {deployment}"),
            None => "not deployed".to_owned(),
        };
        format!("{}    {deployment}\n", style.bold(&title))
    }

    /// What does not exist and need not be spoken of when nothing exists at all.
    fn is_shown(&self, resource: &ResourceStatus) -> bool {
        if self.differences_only {
            differs(resource)
        } else {
            self.status.deployment.is_some() || resource.observed.is_some()
        }
    }

    fn sum(&self, style: Style) -> String {
        let (status, count) = (self.status, |change| self.status.plan.count(change));
        if status.is_as_wanted() {
            let resources = counted(count(Change::None), "resource is", "resources are");
            return style.green(&format!("{resources} as wanted")) + "\n";
        }
        let different = status.resources.iter().filter(|resource| differs(resource)).count();
        let advice = "`howso-infra plan` shows what to do about it";
        style.yellow(&format!(
            "{} from the specification; {advice}",
            counted(different, "resource differs", "resources differ")
        )) + "\n"
    }
}

/// Whether something is not as wanted.
fn differs(resource: &ResourceStatus) -> bool {
    resource.decision.change != Change::None
}

fn row(text: &mut String, resource: &ResourceStatus, width: usize, style: Style) {
    let decision = &resource.decision;
    let (physical_id, health) = match &resource.observed {
        Some(observed) => (observed.physical_id.as_str(), health(&observed.status, style)),
        None => ("", style.yellow("missing")),
    };
    let mut columns = vec![format!("  {} {:<width$}", mark(decision, style), resource.id.to_string()), health];
    if !physical_id.is_empty() {
        columns.push(style.dim(physical_id));
    }
    if !matches!(
        decision.reason,
        Reason::AsWanted | Reason::Missing | Reason::Degraded { .. } | Reason::StillPending { .. }
    ) {
        columns.push(style.yellow(&decision.reason.to_string()));
    }
    *text += columns.join("  ").trim_end();
    text.push('\n');
    for change in &decision.changes {
        add_line(text, &format!("        {}", field_change(change)));
    }
}

fn health(status: &Health, style: Style) -> String {
    match status {
        Health::Ready => style.green("ready"),
        Health::Pending { state } => style.yellow(state),
        Health::Deleting => style.yellow("being deleted"),
        Health::Failed { reason } => style.red(&format!("failed: {reason}")),
        Health::Degraded { reason } => style.yellow(&format!("degraded: {reason}")),
    }
}

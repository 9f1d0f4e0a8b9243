//! A plan as a person reads it.

use howso_infra::Prepared;
use howso_infra::core::operation::FieldChange;
use howso_infra::core::plan::{Action, Change, Decision, Direction, Plan, Reason};
use howso_infra::core::sizing::Fit;
use howso_infra::core::spec::ClusterSpec;
use howso_infra::core::{Attributes, ResourceId, Value};
use serde_json::json;

use crate::view::style::{Style, add_line, counted, dollars, duration, hourly, shorten};
use crate::view::{Report, fit};

/// The widest column of names; longer names push their line.
const NAMES_WIDTH_MAX: usize = 46;

/// The longest summary of a resource, in characters.
const SUMMARY_MAX: usize = 90;

/// The longest value of a field, in characters.
const VALUE_MAX: usize = 60;

/// A plan with everything that was read and chosen for it.
pub(crate) struct PlanReport<'a> {
    pub(crate) spec: &'a ClusterSpec,
    pub(crate) prepared: &'a Prepared,
}

impl Report for PlanReport<'_> {
    fn kind(&self) -> &'static str {
        "plan"
    }

    fn json(&self) -> serde_json::Value {
        let (spec, plan, facts) = (self.spec, &self.prepared.plan, &self.prepared.facts);
        let hours = spec.cost.busy_hours_per_month;
        let month = facts
            .cost
            .as_ref()
            .map(|cost| json!({ "busy_hours": hours, "millidollars": cost.month_millidollars(hours) }));
        json!({
            "cluster": spec.name, "provider": spec.provider, "region": spec.location, "profile": spec.profile,
            "create": plan.count(Change::Create), "change": plan.count(Change::Update),
            "replace": plan.count(Change::Replace), "remove": plan.count(Change::Delete),
            "wait": plan.count(Change::Wait), "blocked": plan.blocked().count(),
            "unchanged": plan.count(Change::None), "expected_secs": plan.expected_secs(),
            "cost": facts.cost, "month": month, "fit": self.prepared.fit, "explanations": facts.explanations, "warnings": facts.warnings, "plan": plan,
        })
    }

    fn text(&self, style: Style) -> String {
        let plan = &self.prepared.plan;
        let mut text = self.header(style);
        let shown: Vec<&Decision> = plan.report.iter().filter(|decision| is_shown(decision, style)).collect();
        let width = names_width(shown.iter().map(|decision| &decision.resource));
        for decision in shown {
            self.row(&mut text, decision, width, style);
        }
        if plan.is_empty() {
            let resources = counted(plan.count(Change::None), "resource is", "resources are");
            let what = match plan.direction {
                Direction::Up => format!("{resources} as wanted"),
                Direction::Down => "nothing of this cluster is there".to_owned(),
            };
            add_line(&mut text, &format!("  nothing to do: {what}"));
        }
        self.footer(&mut text, style);
        text
    }
}

impl PlanReport<'_> {
    fn header(&self, style: Style) -> String {
        let (spec, plan) = (self.spec, &self.prepared.plan);
        let title = format!("{} ({}, {}, profile {})", spec.name, spec.provider, spec.location, spec.profile);
        let mut counts = vec![
            format!("{} to create", plan.count(Change::Create)),
            format!("{} to change", plan.count(Change::Update)),
            format!("{} to remove", plan.count(Change::Delete)),
        ];
        let rarer = [(Change::Wait, "to wait for"), (Change::None, "unchanged")];
        counts.extend(
            rarer
                .into_iter()
                .filter(|(change, _)| plan.count(*change) > 0)
                .map(|(change, what)| format!("{} {what}", plan.count(change))),
        );
        let red = [(plan.count(Change::Replace), "to replace"), (plan.blocked().count(), "blocked")];
        counts.extend(
            red.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| style.red(&format!("{count} {what}"))),
        );
        let gap = " ".repeat(60_usize.saturating_sub(title.chars().count()).max(4));
        format!("{}{gap}{}\n", style.bold(&title), counts.join(", "))
    }

    fn row(&self, text: &mut String, decision: &Decision, width: usize, style: Style) {
        let (id, change) = (&decision.resource, decision.change);
        let mut columns = vec![format!("  {} {:<width$}", mark(decision, style), id.to_string())];
        if change == Change::Replace {
            columns.push(style.red("replacing"));
        }
        if let Some(summary) = self.summary(decision).filter(|summary| !summary.is_empty()) {
            columns.push(summary);
        }
        if needs_reason(decision) {
            columns.push(style.dim(&format!("({})", decision.reason)));
        }
        *text += columns.join("  ").trim_end();
        text.push('\n');
        for change in &decision.changes {
            add_line(text, &format!("        {}", field_change(change)));
        }
        if style.verbose && !decision.unverified.is_empty() {
            add_line(
                text,
                &style.dim(&format!("        not reported by the cloud: {}", decision.unverified.join(", "))),
            );
        }
        if let Some(hint) = hint(&decision.reason) {
            add_line(text, &format!("        hint: {hint}"));
        }
    }

    /// What tells a resource from others, in one line.
    fn summary(&self, decision: &Decision) -> Option<String> {
        let id = &decision.resource;
        match decision.change {
            Change::Create | Change::Replace => {
                // The steps know more than the graph: references to what exists are resolved.
                let created = self.prepared.plan.steps.iter().find_map(|step| match &step.action {
                    Action::Create { attributes, .. } if step.resource == *id => Some(attributes),
                    _ => None,
                });
                created.or_else(|| Some(&self.prepared.graph.get(id)?.attributes)).map(summarize)
            }
            Change::Delete | Change::Wait => Some(self.prepared.observation.one(id)?.physical_id.clone()),
            Change::None | Change::Update | Change::Blocked => None,
        }
    }

    fn footer(&self, text: &mut String, style: Style) {
        let (plan, facts) = (&self.prepared.plan, &self.prepared.facts);
        for explanation in &facts.explanations {
            add_line(text, &format!("  {}", style.dim(explanation)));
        }
        let fit = self.prepared.fit.as_ref();
        for line in fit.into_iter().flat_map(|fit| fit::lines(fit, &self.spec.trainees, style)) {
            add_line(text, &format!("  {line}"));
        }
        for warning in facts.warnings.iter().cloned().chain(fit.into_iter().flat_map(Fit::warnings)) {
            add_line(text, &format!("  {}", style.yellow(&format!("warning: {warning}"))));
        }
        let separator = style.sign(" · ", ", ");
        let mut facts_line = Vec::new();
        if !plan.steps.is_empty() {
            facts_line.push(format!("about {}", duration(plan.expected_secs())));
        }
        if let Some(cost) = &facts.cost {
            facts_line.push(format!("{} idle", hourly(cost.idle_millidollars_per_hour)));
            facts_line.push(format!("{} at the maximum", hourly(cost.maximum_millidollars_per_hour)));
            let (hours, basis) = (self.spec.cost.busy_hours_per_month, &cost.basis);
            let month = dollars(cost.month_millidollars(hours));
            facts_line.push(format!("{month} a month with {hours} h at the maximum ({basis})"));
        }
        if !facts_line.is_empty() {
            add_line(text, &format!("  {}", facts_line.join(separator)));
        }
    }
}

/// The width of the column of names.
pub(crate) fn names_width<'a>(ids: impl Iterator<Item = &'a ResourceId>) -> usize {
    ids.map(|id| id.to_string().chars().count()).filter(|width| *width <= NAMES_WIDTH_MAX).max().unwrap_or(0)
}

fn is_shown(decision: &Decision, style: Style) -> bool {
    decision.change != Change::None || matches!(decision.reason, Reason::Degraded { .. }) || style.verbose
}

/// What happens to a resource, as a mark.
pub(crate) fn mark(decision: &Decision, style: Style) -> String {
    match decision.change {
        Change::Create => style.green("  +"),
        Change::Update => style.yellow("  ~"),
        Change::Replace => style.red("-/+"),
        Change::Delete => style.red("  -"),
        Change::Wait => style.yellow(style.sign("  …", "  .")),
        Change::Blocked => style.red("  !"),
        Change::None => match decision.reason {
            Reason::Degraded { .. } => style.yellow("  !"),
            _ => "   ".to_owned(),
        },
    }
}

/// Whether the mark alone does not say why.
fn needs_reason(decision: &Decision) -> bool {
    !matches!(decision.reason, Reason::Missing | Reason::Removal | Reason::Differs | Reason::AsWanted)
}

/// What a person can do about a reason.
pub(crate) fn hint(reason: &Reason) -> Option<String> {
    match reason {
        Reason::Foreign { .. } => {
            Some("choose another name with --name, or remove what is in the way if it is yours".to_owned())
        }
        Reason::Gap { error } => error.hint.clone(),
        Reason::ImmutableField { field } => {
            Some(format!("set {field} back, or remove the cluster with `howso-infra down` and make it again"))
        }
        Reason::ReplacementNotAllowed { .. } => {
            Some("allow to delete it and make it again with --allow-replace".to_owned())
        }
        Reason::VersionGoesBack { from, .. } => Some(format!("set kubernetes.version to {from} or later")),
        Reason::VersionSkips { to, next, .. } => {
            Some(format!("set kubernetes.version to {next}, run `howso-infra up`, and only then go on to {to}"))
        }
        Reason::AsWanted
        | Reason::Degraded { .. }
        | Reason::Missing
        | Reason::AnswerLost
        | Reason::Differs
        | Reason::ReferenceChanges
        | Reason::FollowsCreation
        | Reason::CannotChangeInPlace { .. }
        | Reason::CreationFailed { .. }
        | Reason::ParentReplaced { .. }
        | Reason::StillPending { .. }
        | Reason::StillDeleting
        | Reason::NotWanted
        | Reason::Duplicate { .. }
        | Reason::Removal
        | Reason::GoesWith { .. }
        | Reason::DependencyBlocked { .. } => None,
    }
}

/// One field: before and after. Of maps and lists only what differs.
pub(crate) fn field_change(change: &FieldChange) -> String {
    let mut lines = Vec::new();
    differences(&change.field, change.from.as_ref(), Some(&change.to), &mut lines);
    lines.join("\n        ")
}

/// Adds a line for every part that differs, named by its path.
fn differences(path: &str, from: Option<&Value>, to: Option<&Value>, lines: &mut Vec<String>) {
    if let (Some(from), Some(to)) = (from.and_then(Value::as_map), to.and_then(Value::as_map)) {
        let keys: std::collections::BTreeSet<&String> = from.keys().chain(to.keys()).collect();
        for key in keys.into_iter().filter(|key| from.get(*key) != to.get(*key)) {
            differences(&format!("{path}.{key}"), from.get(key), to.get(key), lines);
        }
    } else if let (Some(from), Some(to)) = (from.and_then(Value::as_list), to.and_then(Value::as_list))
        && from.len() == to.len()
        && from.iter().chain(to).all(|item| item.as_map().is_some())
    {
        for (number, (from, to)) in from.iter().zip(to).enumerate().filter(|(_, (from, to))| from != to) {
            differences(&format!("{path}[{number}]"), Some(from), Some(to), lines);
        }
    } else {
        lines.push(format!("{path}: {} -> {}", value(from), value(to)));
    }
}

fn value(value: Option<&Value>) -> String {
    value.map_or_else(|| "(none)".to_owned(), |value| shorten(&value.to_string(), VALUE_MAX))
}

/// The telling attributes of a resource, in one line: a text `summary` when the provider gives one, else its short
/// fields. Names, tags and references tell nothing that the resource's own name does not.
fn summarize(attributes: &Attributes) -> String {
    if let Some(summary) = attributes.get("summary").and_then(Value::as_text) {
        return shorten(summary, SUMMARY_MAX);
    }
    let fields = attributes.iter().filter_map(|(field, value)| Some(format!("{field} {}", telling(field, value)?)));
    shorten(&fields.collect::<Vec<_>>().join(", "), SUMMARY_MAX)
}

fn telling(field: &str, value: &Value) -> Option<String> {
    const LONGEST: usize = 32;
    if matches!(field, "name" | "tags") || value.has_references() {
        return None;
    }
    let text = match value {
        Value::Bool(_) | Value::Integer(_) | Value::Text(_) => value.to_string(),
        Value::List(items) => items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Value::Map(entries) => {
            entries.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
        }
        Value::Reference(_) => return None,
    };
    (!text.is_empty() && text.chars().count() <= LONGEST && !text.contains(['\n', '{', '['])).then_some(text)
}

/// The names of what would be replaced.
pub(crate) fn replaced(plan: &Plan) -> Vec<String> {
    let replaced = plan.report.iter().filter(|decision| decision.change == Change::Replace);
    replaced.map(|decision| decision.resource.to_string()).collect()
}

#[cfg(test)]
mod tests;

//! What went wrong: what failed and for which resource, the causes, then what to do.

use std::collections::BTreeMap;
use std::io;

use howso_infra::Workload;
use howso_infra::core::error::StepFailure;
use howso_infra::core::plan::{Direction, Plan};
use howso_infra::core::spec::{Origin, SpecError};
use howso_infra::core::{Reason, Severity};
use howso_infra::engine::{Interruption, JournalError, Outcome};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::{Failure, ReleaseCounts, ReleaseTroubles};
use crate::view::Report;
use crate::view::findings::FindingsReport;
use crate::view::plain::past;
use crate::view::plan::hint;
use crate::view::style::{Style, add_line, counted, lines};

/// How many workloads are named.
const WORKLOADS_MAX: usize = 10;

/// A failure of a verb.
pub(crate) struct FailureReport<'a> {
    pub(crate) failure: &'a Failure,
    /// The command to resume with, for a verb that changes things.
    pub(crate) resume: Option<&'a str>,
}

/// A failure taken apart: what is printed, whatever the form.
#[derive(Debug, Default)]
struct Anatomy {
    /// What failed, one line each, with the text it points into.
    errors: Vec<(String, Option<Origin>)>,
    /// Why.
    causes: Vec<String>,
    /// What a person can do.
    hints: Vec<String>,
}

impl Report for FailureReport<'_> {
    fn kind(&self) -> &'static str {
        "error"
    }

    fn json(&self) -> Value {
        let anatomy = self.anatomy();
        let mut fields = json!({
            "message": self.failure.to_string(),
            "exit_code": Exit::of(self.failure).code(),
            "errors": anatomy.errors.iter().map(|(message, _)| message).collect::<Vec<_>>(),
            "causes": anatomy.causes,
            "hints": anatomy.hints,
        });
        match self.failure {
            Failure::Unfinished { outcome, .. } => {
                fields["outcome"] = json!({
                    "counts": outcome.counts, "failures": outcome.failures, "interruption": outcome.interruption,
                });
            }
            Failure::LeftBehind { failures, leftovers, .. } => {
                fields["leftovers"] = json!(leftovers);
                fields["failures"] = json!(failures);
            }
            Failure::Releases(_, troubles) => fields["failures"] = json!(troubles.failures),
            Failure::Unfit(findings) => fields["findings"] = json!(findings),
            _ => {}
        }
        fields
    }

    fn text(&self, style: Style) -> String {
        let anatomy = self.anatomy();
        let mut text = String::new();
        for (message, origin) in &anatomy.errors {
            add_line(&mut text, &format!("{} {message}", style.red("error:")));
            text += &origin.as_ref().and_then(|origin| excerpt(origin, style)).unwrap_or_default();
        }
        for cause in &anatomy.causes {
            add_line(&mut text, &format!("  {} {cause}", style.bold("cause:")));
        }
        if let Failure::Unfit(findings) = self.failure {
            text += &FindingsReport { findings, complete: false }.text(style);
        }
        if !anatomy.hints.is_empty() {
            text.push('\n');
        }
        for hint in &anatomy.hints {
            add_line(&mut text, &format!("{} {hint}", style.green("hint:")));
        }
        text
    }
}

impl FailureReport<'_> {
    fn anatomy(&self) -> Anatomy {
        let mut anatomy = match self.failure {
            Failure::Spec(errors) => of_spec(&errors.errors),
            Failure::Library(error) => of_library(error),
            Failure::Usage { hint, .. } => Anatomy { hints: vec![hint.clone()], ..Anatomy::default() },
            Failure::Blocked(plan) => of_blocked(plan),
            Failure::Unfinished { direction, outcome } => of_outcome(*direction, outcome),
            Failure::StillDifferent(plan) => of_still_different(plan),
            Failure::LeftBehind { failures, leftovers, remaining } => {
                let mut anatomy = of_failures(failures);
                let left = leftovers.iter().map(|left| format!("{} {}: {}", left.what, left.physical_id, left.advice));
                let still = remaining
                    .iter()
                    .flat_map(|plan| plan.steps.iter())
                    .map(|step| format!("{} is still there", step.resource));
                anatomy.causes.extend(left.chain(still));
                anatomy.hints.push("remove what is listed, then run the command again to be sure".to_owned());
                anatomy
            }
            Failure::Releases(counts, troubles) => of_releases(*counts, troubles),
            Failure::Workloads { workloads } => Anatomy {
                causes: workload_lines(workloads),
                hints: vec!["stop them, or let `howso-infra down --force-workloads` do it; their volumes are deleted as their policies say".to_owned()],
                ..Anatomy::default()
            },
            Failure::NobodyToAsk { option, .. } => Anatomy {
                hints: vec![format!("give consent with {option}; nothing was changed")],
                ..Anatomy::default()
            },
            Failure::NoAccess => {
                let hint = "see with `howso-infra status` whether the control plane is ready, then try again";
                Anatomy { hints: vec![hint.to_owned()], ..Anatomy::default() }
            }
            Failure::Merge { .. } => {
                let hint = "write a file of its own instead, without --merge";
                Anatomy { hints: vec![hint.to_owned()], ..of_sources(self.failure) }
            }
            Failure::File { source, .. } | Failure::Runtime(source) | Failure::StandardOutput(source) => Anatomy {
                hints: hint_for_file(source).map(str::to_owned).into_iter().collect(),
                ..of_sources(self.failure)
            },
            Failure::Declined
            | Failure::Interrupted
            | Failure::Abandoned
            | Failure::Changes
            | Failure::Found(_)
            | Failure::Unfit(_) => Anatomy::default(),
        };
        if anatomy.errors.is_empty() {
            anatomy.errors.push((self.failure.to_string(), None));
        }
        if let Some(command) = self.resume {
            anatomy.hints.extend(match next(self.failure) {
                Next::Resume => Some(format!("run `{command}` again to resume")),
                Next::Again => Some(format!("{}then run `{command}` again", to_cure(self.failure))),
                Next::Nothing => None,
            });
        }
        anatomy.hints.dedup();
        anatomy
    }
}

/// The first workloads by name, and how many more there are.
pub(crate) fn workload_lines(workloads: &[Workload]) -> Vec<String> {
    let mut lines: Vec<String> = workloads.iter().take(WORKLOADS_MAX).map(ToString::to_string).collect();
    if workloads.len() > WORKLOADS_MAX {
        lines.push(format!("and {} more", workloads.len() - WORKLOADS_MAX));
    }
    lines
}

/// What has to be done before, where no other hint says it.
fn to_cure(failure: &Failure) -> String {
    let Failure::Unfit(findings) = failure else { return String::new() };
    match findings.iter().filter(|finding| finding.severity == Severity::Blocking).count() {
        1 => "cure this, ".to_owned(),
        several => format!("cure these {several} things, "),
    }
}

/// What the same command does when it is run again.
enum Next {
    /// It goes on from here.
    Resume,
    /// It begins again, when what is in the way is cured.
    Again,
    /// It comes to the same end.
    Nothing,
}

fn next(failure: &Failure) -> Next {
    match failure {
        // What could not be read may be readable a minute later; other obstacles stay.
        Failure::Blocked(plan) if plan.blocked().any(|decision| matches!(decision.reason, Reason::Gap { .. })) => {
            Next::Again
        }
        Failure::Unfit(_) => Next::Again,
        Failure::Library(error)
            if matches!(error, howso_infra::Error::Graph(_)) || Exit::of(failure) == Exit::Usage =>
        {
            Next::Nothing
        }
        Failure::Library(_) if matches!(Exit::of(failure), Exit::Credentials | Exit::Quota) => Next::Again,
        Failure::Library(_)
        | Failure::Unfinished { .. }
        | Failure::Releases(..)
        | Failure::StillDifferent(_)
        | Failure::Interrupted
        | Failure::Abandoned => Next::Resume,
        Failure::Spec(_)
        | Failure::Usage { .. }
        | Failure::File { .. }
        | Failure::Merge { .. }
        | Failure::NobodyToAsk { .. }
        | Failure::Declined
        | Failure::Blocked(_)
        | Failure::Workloads { .. }
        | Failure::LeftBehind { .. }
        | Failure::NoAccess
        | Failure::Changes
        | Failure::Found(_)
        | Failure::Runtime(_)
        | Failure::StandardOutput(_) => Next::Nothing,
    }
}

fn of_spec(errors: &[SpecError]) -> Anatomy {
    let mut anatomy = Anatomy::default();
    for error in errors {
        let mut message = String::new();
        let (place, path) =
            (error.origin.as_ref().map(ToString::to_string).unwrap_or_default(), error.path.to_string());
        if !place.is_empty() {
            message = format!("{place}: ");
        }
        // `--name: name: …` would say it twice.
        if !path.is_empty() && !place.ends_with(&path) {
            message = format!("{message}{path}: ");
        }
        anatomy.errors.push((message + &error.message, error.origin.clone()));
        if let Some(hint) = &error.hint {
            // With several errors a hint alone does not say which one it is about.
            let about = if errors.len() > 1 && !path.is_empty() { format!("{path}: ") } else { String::new() };
            anatomy.hints.push(about + hint);
        }
    }
    anatomy
}

fn of_library(error: &howso_infra::Error) -> Anatomy {
    let mut anatomy = of_sources(error);
    anatomy.hints.extend(error.hint());
    if let howso_infra::Error::Journal(JournalError::Held { .. }) = error {
        anatomy.hints.push("nothing was changed".to_owned());
    }
    anatomy
}

/// The message and the messages of everything behind it.
fn of_sources(error: &dyn std::error::Error) -> Anatomy {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(error) = source {
        causes.push(error.to_string());
        source = error.source();
    }
    // Some errors repeat their source; saying it once is enough.
    causes.dedup();
    causes.retain(|cause| *cause != error.to_string());
    Anatomy { errors: vec![(error.to_string(), None)], causes, hints: Vec::new() }
}

fn hint_for_file(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => Some("check the path"),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Some("check the permissions, or choose another place")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some("make room and run the command again"),
        io::ErrorKind::UnexpectedEof => Some("answer the question, or give the answer as an option (see --help)"),
        io::ErrorKind::InvalidData => Some("the file must be UTF-8 text"),
        _ => None,
    }
}

fn of_blocked(plan: &Plan) -> Anatomy {
    let mut anatomy = Anatomy::default();
    let mut followers = 0;
    for decision in plan.blocked() {
        if let Reason::DependencyBlocked { .. } = decision.reason {
            followers += 1;
            continue;
        }
        anatomy.causes.push(format!("{}: {}", decision.resource, decision.reason));
        let hint = hint(&decision.reason).filter(|hint| !anatomy.hints.contains(hint));
        anatomy.hints.extend(hint);
    }
    if followers > 0 {
        anatomy.causes.push(format!(
            "{} on what is blocked",
            counted(followers, "more resource depends", "more resources depend")
        ));
    }
    if anatomy.hints.is_empty() {
        anatomy.hints.push("cure the causes and run the command again".to_owned());
    }
    anatomy
}

fn of_releases(counts: ReleaseCounts, troubles: &ReleaseTroubles) -> Anatomy {
    let mut anatomy = Anatomy::default();
    anatomy.causes.extend(troubles.failures.iter().map(|(release, error)| format!("{release}: {}", error.message)));
    anatomy.causes.extend(troubles.waiting.iter().map(|missing| format!("when it was last looked at: {missing}")));
    if counts.skipped > 0 {
        anatomy.causes.push(format!("{} not tried", counted(counts.skipped, "release was", "releases were")));
    }
    if counts.unfinished > 0 {
        let still = counted(counts.unfinished, "release", "releases");
        anatomy.causes.push(format!("helm is still at work on {still}; the next run waits for it"));
    }
    for hint in troubles.failures.iter().filter_map(|(_, error)| error.hint.clone()) {
        if !anatomy.hints.contains(&hint) {
            anatomy.hints.push(hint);
        }
    }
    anatomy
}

fn of_still_different(plan: &Plan) -> Anatomy {
    let mut anatomy = Anatomy::default();
    anatomy.causes.extend(plan.steps.iter().map(|step| format!("{}: {}", step.resource, step.reason)));
    anatomy.causes.extend(plan.blocked().map(|decision| format!("{}: {}", decision.resource, decision.reason)));
    anatomy.hints.push("something else may change the cluster at the same time".to_owned());
    anatomy
}

fn of_outcome(direction: Direction, outcome: &Outcome) -> Anatomy {
    let mut anatomy = of_failures(&outcome.failures);
    if let Some(Interruption::JournalRefused { message, hint }) = &outcome.interruption {
        anatomy.causes.push(message.clone());
        anatomy.hints.extend(hint.clone());
    }
    if outcome.counts.unfinished > 0 {
        let steps = counted(outcome.counts.unfinished, "step is", "steps are");
        anatomy.causes.push(format!("{steps} under way in the cloud; the next run waits for them"));
    }
    if anatomy.hints.is_empty() && direction == Direction::Up {
        anatomy.hints.push("what is done stays; `howso-infra down` removes it".to_owned());
    }
    anatomy
}

/// Failures with the same root are one line; what was not tried because of them is counted.
fn of_failures(failures: &[StepFailure]) -> Anatomy {
    let mut anatomy = Anatomy::default();
    let mut groups: BTreeMap<String, Vec<&StepFailure>> = BTreeMap::new();
    for failure in failures {
        groups.entry(failure.error.to_string()).or_default().push(failure);
    }
    for (root, failures) in groups {
        let names: Vec<String> = failures.iter().map(|failure| failure.resource.to_string()).collect();
        let skipped: usize = failures.iter().map(|failure| failure.skipped).sum();
        let followers = match skipped {
            0 => String::new(),
            some => format!("; {} not tried", counted(some, "step that follows was", "steps that follow were")),
        };
        anatomy.causes.push(format!("{} could not be {}: {root}{followers}", names.join(", "), past(failures[0].verb)));
        for failure in failures {
            anatomy.hints.extend(failure.error.hint.clone().filter(|hint| !anatomy.hints.contains(hint)));
            if let Some(request) = &failure.error.request_id {
                anatomy.causes.push(format!("request id of {}: {request}", failure.resource));
            }
        }
    }
    anatomy
}

/// The place in a text, drawn around it.
fn excerpt(origin: &Origin, style: Style) -> Option<String> {
    let (text, span) = (origin.source_text()?, origin.span?);
    let snippet = Snippet {
        source: NamedSource::new(origin.layer.to_string(), text.to_owned()),
        label: LabeledSpan::new(None, span.start, (span.end - span.start).max(1)),
    };
    let theme = match (style.unicode, style.colour) {
        (true, true) => GraphicalTheme::unicode(),
        (true, false) => GraphicalTheme::unicode_nocolor(),
        (false, _) => GraphicalTheme::none(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(120).without_cause_chain();
    let mut drawn = String::new();
    handler.render_report(&mut drawn, &snippet).ok()?;
    // The first line is the message, which was printed already in the program's own form.
    let kept = drawn.lines().skip_while(|line| !line.contains(':')).filter(|line| !line.trim().is_empty());
    Some(lines(kept.map(|line| line.trim_end().to_owned())))
}

/// A place in a text.
#[derive(Debug)]
struct Snippet {
    source: NamedSource<String>,
    label: LabeledSpan,
}

impl std::fmt::Display for Snippet {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

impl std::error::Error for Snippet {}

impl Diagnostic for Snippet {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(self.label.clone())))
    }
}

#[cfg(test)]
mod tests;

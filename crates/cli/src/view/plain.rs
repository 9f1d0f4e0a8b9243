//! Events as lines for people.

use std::collections::BTreeMap;
use std::time::Duration;

use howso_infra::core::{OperationVerb, StepId};
use howso_infra::engine::Event as EngineEvent;
use howso_infra::{AutoscalingEvent, Event, Phase, PlatformEvent, Unhelped};

use crate::view::style::{Style, counted, duration};

/// A step that usually takes longer is announced when it begins, so that a log does not fall silent.
const ANNOUNCED_SECS: f64 = 30.0;

/// What was told of retries. A step may be tried again every few seconds for many minutes, and always for the same reason.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    /// The error and the number of failed attempts that were told last.
    told: BTreeMap<StepId, (String, u32)>,
}

impl Retries {
    /// Whether an event tells something that was not told before. A retry does when it is the first of its step, when its
    /// error is another one, and when twice as many attempts have failed.
    pub(crate) fn is_news(&mut self, event: &Event) -> bool {
        let Event::Engine(EngineEvent::Retrying { step, error, attempt, .. }) = event else { return true };
        let error = error.to_string();
        if let Some((told, attempts)) = self.told.get(step)
            && *told == error
            && *attempt < attempts.saturating_mul(2)
        {
            return false;
        }
        self.told.insert(*step, (error, *attempt));
        true
    }
}

/// The line of an event; [`None`] for one that is no news.
pub(crate) fn line(event: &Event, style: Style) -> Option<String> {
    match event {
        Event::Phase(phase) => phase_text(*phase).map(|text| style.dim(text)),
        Event::ReadingAgain { error, delay_secs } => {
            let delay = duration(*delay_secs);
            Some(style.yellow(&format!("  reading again in {delay}, because of: {error}")))
        }
        Event::Engine(event) => engine_line(event, style),
        Event::Autoscaling(event) => Some(autoscaling_line(event, style)),
        Event::Platform(event) => Some(platform_line(event, style)),
    }
}

/// What a phase is called; running speaks for itself.
pub(crate) fn phase_text(phase: Phase) -> Option<&'static str> {
    match phase {
        Phase::Reading => Some("reading what is there"),
        Phase::AwaitingVisibility => Some("waiting until what was made a moment ago must be visible"),
        Phase::Checking => Some("checking whether the plan can succeed"),
        Phase::Running => None,
        Phase::Verifying => Some("verifying that nothing is left to do"),
        Phase::Auditing => Some("looking for what may be left behind"),
    }
}

fn engine_line(event: &EngineEvent, style: Style) -> Option<String> {
    let line = match event {
        EngineEvent::RunStarted { steps, expected_secs } => {
            format!("{}, about {}", counted(*steps, "step", "steps"), duration(*expected_secs))
        }
        EngineEvent::StepStarted { resource, verb, expected_secs, .. } => {
            if *expected_secs < ANNOUNCED_SECS && !style.verbose {
                return None;
            }
            style.dim(&format!("  {resource} {}, about {}", present(*verb), duration(*expected_secs)))
        }
        EngineEvent::Progress { resource, state, elapsed_secs, .. } => {
            if !style.verbose {
                return None;
            }
            style.dim(&format!("  {resource} is {state} after {}", duration(*elapsed_secs)))
        }
        EngineEvent::Retrying { resource, error, delay_secs, attempt, .. } => {
            let delay = duration(*delay_secs);
            style.yellow(&format!("  {resource} is tried again in {delay} (failed {attempt} in a row): {error}"))
        }
        EngineEvent::Resolving { resource, error, .. } => {
            style.yellow(&format!("  {resource}: the answer was lost, finding out what became of it: {error}"))
        }
        EngineEvent::Adopted { resource, physical_id, duplicates, .. } => {
            let duplicates = match duplicates {
                0 => String::new(),
                some => format!(", and {} deleted", counted(*some, "duplicate is", "duplicates are")),
            };
            format!("  {resource}: found {physical_id}, which the lost call had made{duplicates}")
        }
        EngineEvent::SlowerThanUsual { resource, elapsed_secs, expected_secs, .. } => {
            let (elapsed, expected) = (duration(*elapsed_secs), duration(*expected_secs));
            style.yellow(&format!("  {resource} takes longer than usual: {elapsed} so far, usually {expected}"))
        }
        EngineEvent::StepSettled { resource, verb, elapsed_secs, .. } => {
            format!("{} {resource} {} in {}", style.good(), past(*verb), duration(*elapsed_secs))
        }
        EngineEvent::StepFailed { resource, verb, error, .. } => {
            format!("{} {resource} could not be {}: {error}", style.bad(), past(*verb))
        }
        EngineEvent::StepSkipped { resource, because, .. } => {
            if !style.verbose {
                return None;
            }
            style.dim(&format!("  {resource} is not tried, because {because} failed"))
        }
        EngineEvent::Interrupted { in_flight } => {
            let calls = counted(*in_flight, "call", "calls");
            style
                .yellow(&format!("interrupting: nothing new is started, {calls} in flight (once more to stop waiting)"))
        }
        EngineEvent::RunFinished { counts, elapsed_secs } => {
            let steps = counted(counts.total, "step", "steps");
            format!("{} of {steps} done in {}", counts.settled, duration(*elapsed_secs))
        }
    };
    Some(line)
}

/// In the words of the Cluster Autoscaler.
fn autoscaling_line(event: &AutoscalingEvent, style: Style) -> String {
    match event {
        AutoscalingEvent::TriggeredScaleUp(growth) => {
            let pods: Vec<String> = growth.pods.iter().map(ToString::to_string).collect();
            let verb = if pods.len() == 1 { "pod" } else { "pods" };
            format!("{verb} triggered scale-up: [{{{growth}}}] ({})", pods.join(", "))
        }
        AutoscalingEvent::NotTriggerScaleUp(Unhelped { pod, why }) => {
            style.yellow(&format!("pod didn't trigger scale-up: {why} ({pod})"))
        }
        AutoscalingEvent::ScaleDownEmpty { node, idle_secs } => {
            let idle = duration(Duration::from_secs(*idle_secs).as_secs_f64());
            format!("scale-down: removing empty node {node}, which was idle for {idle}")
        }
        AutoscalingEvent::PodNotTold { pod, error } => {
            style.yellow(&format!("the events of {pod} do not tell of it: {error}"))
        }
        AutoscalingEvent::Postponed { why } => style.yellow(&format!("waiting with it: {why}")),
    }
}

fn platform_line(event: &PlatformEvent, style: Style) -> String {
    match event {
        PlatformEvent::SecretMade { secret } => format!("{} secret {secret} made", style.good()),
        PlatformEvent::HelmAtWork { release } => {
            style.yellow(&format!("  helm, which an earlier run started, is at work on {release}; waiting for it"))
        }
        PlatformEvent::ReleaseStarted { release, action } => {
            style.dim(&format!("  {release} is being {}", super::platform::past(*action)))
        }
        PlatformEvent::ReleasesWait { waiting } => style.dim(&format!("  waiting: {}", waiting.join("; "))),
        PlatformEvent::StuckPodReplaced { pod } => {
            style.yellow(&format!("  pod {pod} could not start and was in the way of a newer one, so it was deleted"))
        }
        PlatformEvent::ReleaseReady { release, elapsed_secs } => {
            format!("{} {release} ready in {}", style.good(), duration(*elapsed_secs))
        }
        PlatformEvent::ReleaseRemoved { release, elapsed_secs } => {
            format!("{} {release} removed in {}", style.good(), duration(*elapsed_secs))
        }
        PlatformEvent::ReleaseFailed { release, error } => format!("{} {release} failed: {error}", style.bad()),
    }
}

/// What a step is doing.
pub(crate) fn present(verb: OperationVerb) -> &'static str {
    match verb {
        OperationVerb::Observe => "is being read",
        OperationVerb::Create => "is being created",
        OperationVerb::Update => "is being changed",
        OperationVerb::Delete => "is being removed",
    }
}

/// What a step has done.
pub(crate) fn past(verb: OperationVerb) -> &'static str {
    match verb {
        OperationVerb::Observe => "read",
        OperationVerb::Create => "created",
        OperationVerb::Update => "changed",
        OperationVerb::Delete => "removed",
    }
}

#[cfg(test)]
mod tests {
    use howso_infra::core::ErrorKind;

    use super::*;
    use crate::samples;

    fn retrying(step: u32, message: &str, attempt: u32) -> Event {
        Event::Engine(EngineEvent::Retrying {
            step: StepId(step),
            resource: samples::id("toy/pool:core"),
            error: samples::error(ErrorKind::Transient, message),
            delay_secs: 30.0,
            attempt,
        })
    }

    /// The attempts that are told, of as many as there are.
    fn told(retries: &mut Retries, step: u32, message: &str, attempts: std::ops::RangeInclusive<u32>) -> Vec<u32> {
        attempts.filter(|attempt| retries.is_news(&retrying(step, message, *attempt))).collect()
    }

    #[test]
    fn retries_for_the_same_reason_are_told_when_their_number_has_doubled() {
        assert_eq!(told(&mut Retries::default(), 1, "busy", 1..=40), [1, 2, 4, 8, 16, 32]);
    }

    #[test]
    fn another_reason_and_another_step_are_news() {
        let mut retries = Retries::default();
        assert_eq!(told(&mut retries, 1, "busy", 1..=3), [1, 2]);
        assert_eq!(told(&mut retries, 1, "throttled", 4..=9), [4, 8]);
        assert_eq!(told(&mut retries, 2, "throttled", 1..=3), [1, 2]);
        assert_eq!(told(&mut retries, 1, "busy", 10..=10), [10]);
    }

    #[test]
    fn a_step_that_fails_now_and_then_for_the_same_reason_is_told_once() {
        let mut retries = Retries::default();
        assert_eq!(told(&mut retries, 1, "busy", 1..=1), [1]);
        assert_eq!(told(&mut retries, 1, "busy", 1..=1), [0; 0]);
    }

    #[test]
    fn whatever_is_no_retry_is_news() {
        let mut retries = Retries::default();
        for _ in 0..2 {
            assert!(retries.is_news(&Event::Phase(Phase::Verifying)));
        }
    }
}

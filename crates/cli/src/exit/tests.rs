use howso_infra::Finished;
use howso_infra::core::error::StepFailure;
use howso_infra::core::plan::{Change, Direction};
use howso_infra::core::spec::SpecErrors;
use howso_infra::core::{DeploymentId, GraphError, Leftover, OperationVerb, ProviderError};
use howso_infra::engine::Counts;

use super::*;
use crate::samples::{decision, id, plan, step};

/// Every kind of error, with what it means for a command that has done nothing.
fn kinds() -> Vec<(ErrorKind, Exit)> {
    let text = String::new;
    vec![
        (ErrorKind::Transient, Exit::Failed),
        (ErrorKind::Throttled { after: None }, Exit::Failed),
        (ErrorKind::Busy { by: text() }, Exit::Failed),
        (ErrorKind::NotYetVisible, Exit::Failed),
        (ErrorKind::Dependency { on: text() }, Exit::Failed),
        (ErrorKind::Ambiguous, Exit::Failed),
        (ErrorKind::Conflict { owner: text() }, Exit::Foreign),
        (ErrorKind::Quota { what: text() }, Exit::Quota),
        (ErrorKind::Capacity { what: text() }, Exit::Quota),
        (ErrorKind::Auth, Exit::Credentials),
        (ErrorKind::Permission { action: text() }, Exit::Credentials),
        (ErrorKind::Invalid { field: None }, Exit::Usage),
        (ErrorKind::Gone, Exit::Failed),
        (ErrorKind::Cancelled, Exit::Interrupted),
        (ErrorKind::Deadline, Exit::Failed),
        (ErrorKind::Failed, Exit::Failed),
        (ErrorKind::Bug, Exit::Failed),
    ]
}

fn failed(kind: ErrorKind) -> ProviderError {
    ProviderError::new(kind, "toy:Make", "no")
}

fn outcome(kinds: Vec<ErrorKind>, settled: usize, interruption: Option<Interruption>) -> Failure {
    let failures = kinds.into_iter().map(|kind| StepFailure {
        resource: id("toy/pool:core"),
        verb: OperationVerb::Create,
        error: failed(kind),
        skipped: 1,
    });
    let failures: Vec<StepFailure> = failures.collect();
    let counts = Counts { total: 9, settled, failed: failures.len(), ..Counts::default() };
    let outcome = Outcome { failures, interruption, counts, ..Outcome::default() };
    Failure::Unfinished { direction: Direction::Up, outcome: Box::new(outcome) }
}

#[test]
fn every_kind_of_error_has_its_code_before_and_after_something_was_done() {
    for (kind, code) in kinds() {
        let library = Failure::Library(howso_infra::Error::Provider(failed(kind.clone())));
        assert_eq!(Exit::of(&library), code, "{kind:?}");
        let finding = Finding {
            severity: Severity::Blocking,
            subject: String::new(),
            message: String::new(),
            cure: None,
            kind: Some(kind.clone()),
        };
        if kind != ErrorKind::Cancelled {
            assert_eq!(Exit::of(&Failure::Unfit(vec![finding])), code, "{kind:?}");
            let partly = if code == Exit::Failed { Exit::Partly } else { code };
            assert_eq!(Exit::of(&outcome(vec![kind.clone()], 0, None)), code, "{kind:?}");
            assert_eq!(Exit::of(&outcome(vec![kind.clone()], 3, None)), partly, "{kind:?}");
        }
    }
}

#[test]
fn of_several_failures_the_most_telling_decides() {
    let permission = || ErrorKind::Permission { action: String::new() };
    let quota = || ErrorKind::Quota { what: String::new() };
    assert_eq!(Exit::of(&outcome(vec![quota(), permission(), ErrorKind::Bug], 2, None)), Exit::Credentials);
    assert_eq!(Exit::of(&outcome(vec![ErrorKind::Transient, quota()], 2, None)), Exit::Quota);
}

#[test]
fn an_interruption_is_an_interruption_whatever_failed_before() {
    for interruption in [Interruption::Requested, Interruption::Forced] {
        assert_eq!(Exit::of(&outcome(vec![ErrorKind::Auth], 1, Some(interruption))), Exit::Interrupted);
    }
    let refused = Interruption::JournalRefused { message: "disk full".to_owned(), hint: None };
    assert_eq!(Exit::of(&outcome(Vec::new(), 1, Some(refused))), Exit::Partly);
}

#[test]
fn errors_of_the_library_have_their_codes() {
    use howso_infra::Error;
    let place = || "journal".to_owned();
    let deployments = vec![DeploymentId::from_bytes([1; 16]), DeploymentId::from_bytes([2; 16])];
    let all = [
        (Error::UnknownProvider { name: "x".to_owned(), known: Vec::new() }, Exit::Usage),
        (Error::PlanOutdated { what: "the cloud" }, Exit::Usage),
        (Error::Journal(JournalError::Held { place: place(), by: None, until: None }), Exit::Held),
        (Error::Journal(JournalError::Lost { place: place(), reason: String::new() }), Exit::Held),
        (Error::Journal(JournalError::Newer { place: place(), schema: 9 }), Exit::Failed),
        (Error::SeveralDeployments { deployments }, Exit::Foreign),
        (Error::ScaledByPlatform { provider: "x".to_owned() }, Exit::Usage),
        (Error::NotAsWanted { resources: Vec::new() }, Exit::Changes),
        (Error::NothingToAdopt { cluster: "x".to_owned() }, Exit::Failed),
        (Error::Graph(GraphError::Cycle(id("toy/pool:core"))), Exit::Failed),
    ];
    for (error, code) in all {
        assert_eq!(Exit::of(&Failure::from(error)), code);
    }
    assert_eq!(Exit::of(&Failure::from(Error::Spec(SpecErrors::default()))), Exit::Usage);
}

#[test]
fn every_other_failure_has_its_code() {
    let io = || std::io::Error::other("no");
    let blocked = |reason| {
        Failure::Blocked(Box::new(plan(Direction::Up, vec![], vec![decision("a/b:c", Change::Blocked, reason)])))
    };
    let foreign = || Reason::Foreign { evidence: String::new(), physical_id: String::new() };
    let gap = |kind| Reason::Gap { error: failed(kind) };
    let all = [
        (Failure::usage("", ""), Exit::Usage),
        (Failure::NobodyToAsk { reason: "", option: String::new() }, Exit::Usage),
        (Failure::File { action: "read", path: "x".into(), source: io() }, Exit::Failed),
        (Failure::File { action: "read", path: "x".into(), source: std::io::ErrorKind::NotFound.into() }, Exit::Usage),
        (
            Failure::File { action: "write", path: "x".into(), source: std::io::ErrorKind::NotFound.into() },
            Exit::Failed,
        ),
        (Failure::Declined, Exit::Failed),
        (Failure::NoAccess, Exit::Failed),
        (Failure::Runtime(io()), Exit::Failed),
        (Failure::StandardOutput(io()), Exit::Failed),
        (Failure::Interrupted, Exit::Interrupted),
        (Failure::Abandoned, Exit::Interrupted),
        (Failure::Changes, Exit::Changes),
        (Failure::StillDifferent(Box::new(plan(Direction::Up, vec![], vec![]))), Exit::Partly),
        (Failure::LeftBehind { failures: Vec::new(), leftovers: Vec::new(), remaining: None }, Exit::LeftBehind),
        (blocked(foreign()), Exit::Foreign),
        (blocked(gap(ErrorKind::Auth)), Exit::Credentials),
        (blocked(gap(ErrorKind::Transient)), Exit::Failed),
        (blocked(Reason::ImmutableField { field: String::new() }), Exit::Usage),
        (blocked(Reason::ReplacementNotAllowed { fields: Vec::new() }), Exit::Usage),
        (blocked(Reason::VersionGoesBack { from: String::new(), to: String::new() }), Exit::Usage),
        (blocked(Reason::VersionSkips { from: String::new(), to: String::new(), next: String::new() }), Exit::Usage),
    ];
    for (failure, code) in all {
        assert_eq!(Exit::of(&failure), code, "{failure:?}");
    }
}

#[test]
fn findings_that_do_not_block_are_fine() {
    let finding =
        |severity| Finding { severity, subject: String::new(), message: String::new(), cure: None, kind: None };
    assert_eq!(
        Exit::of_findings(&[finding(Severity::Good), finding(Severity::Note), finding(Severity::Warning)]),
        Exit::Done
    );
    assert_eq!(Exit::of_findings(&[finding(Severity::Blocking)]), Exit::Failed);
}

#[test]
fn a_run_is_done_only_when_nothing_is_left() {
    let finished = |remaining, leftovers| Finished { outcome: Outcome::default(), remaining, leftovers, access: None };
    let code = |direction, finished| {
        Failure::of_finished(direction, finished).err().map_or(Exit::Done, |failure| Exit::of(&failure))
    };
    let empty = || plan(Direction::Up, vec![], vec![]);
    let open = || plan(Direction::Up, vec![step(0, "toy/pool:core", 1.0, &[])], vec![]);
    let leftover = || Leftover { what: "interface".to_owned(), physical_id: "eni-1".to_owned(), advice: String::new() };
    for direction in [Direction::Up, Direction::Down] {
        assert_eq!(code(direction, finished(None, vec![])), Exit::Done);
        assert_eq!(code(direction, finished(Some(empty()), vec![])), Exit::Done);
    }
    assert_eq!(code(Direction::Up, finished(Some(open()), vec![])), Exit::Partly);
    assert_eq!(code(Direction::Down, finished(Some(open()), vec![])), Exit::LeftBehind);
    assert_eq!(code(Direction::Down, finished(Some(empty()), vec![leftover()])), Exit::LeftBehind);
}

#[test]
fn the_numbers_are_those_of_the_design() {
    let all = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::Changes,
        Exit::Partly,
        Exit::Credentials,
        Exit::Quota,
        Exit::Foreign,
        Exit::Held,
        Exit::LeftBehind,
        Exit::Interrupted,
    ];
    assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130]);
}

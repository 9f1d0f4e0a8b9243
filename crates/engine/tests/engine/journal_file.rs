//! Journals in files.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use camino::Utf8PathBuf;
use howso_infra_core::{DeploymentId, Generation};
use howso_infra_engine::journal::RunResult;
use howso_infra_engine::{Clock, Interruption, Journal, JournalError, JournalPlace};
use tempfile::TempDir;

use crate::support::block_on;
use crate::support::cases::{Calm, Case, counts};
use crate::support::world::{Goal, World, deployment};

/// A directory and the path of a journal in a directory below it that does not exist yet.
fn place() -> (TempDir, Utf8PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(directory.path().join("state/eks-us-east-1-demo.journal")).unwrap();
    (directory, path)
}

fn mode(path: &Utf8PathBuf) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A journal of a whole run, as bytes.
fn written() -> (TempDir, World, Vec<u8>) {
    let (directory, path) = place();
    let world = World::with_file(path.clone());
    block_on(Case::Build.prepare(&world));
    let ran = block_on(world.command(Goal::Up(&Case::Build.graph())));
    assert!(ran.outcome.is_complete());
    assert_eq!(world.cloud.lock().violations, Vec::<String>::new());
    (directory, world, fs::read(path).unwrap())
}

#[test]
fn a_journal_is_for_its_user_alone() {
    block_on(async {
        let (_directory, path) = place();
        let world = World::with_file(path.clone());
        world.open().await.unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&path.parent().unwrap().to_owned()), 0o700);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        world.open().await.unwrap();
        assert_eq!(mode(&path), 0o600, "what somebody opened up is closed again");
    });
}

#[test]
fn a_second_opening_is_refused_until_the_first_ends() {
    block_on(async {
        let (_directory, path) = place();
        let world = World::with_file(path);
        let mut journal = world.open().await.unwrap();
        journal.begin_run("up", Generation::FIRST).await.unwrap();
        let Err(error) = world.open().await else { panic!("both hold the journal") };
        assert!(
            matches!(&error, JournalError::Held { by: Some(by), until: None, .. } if by.process_id == 1),
            "{error}"
        );
        // Reading is always possible.
        let state = Journal::peek(&world.place()).await.unwrap();
        assert_eq!(state.generation(), Some(Generation::FIRST));
        drop(journal);
        let journal = world.open().await.unwrap();
        assert_eq!(journal.state().last_run().unwrap().ended, None, "the first run was not ended in an orderly way");
    });
}

#[test]
fn what_was_recorded_is_there_again() {
    block_on(async {
        let (_directory, path) = place();
        let world = World::with_file(path);
        let mut journal = world.open().await.unwrap();
        journal.record_deployment(&deployment()).await.unwrap();
        journal.record_deployment(&deployment()).await.unwrap();
        let other = DeploymentId::from_bytes([1; 16]);
        let refused = journal.record_deployment(&other).await;
        assert!(matches!(refused, Err(JournalError::OtherDeployment { .. })));
        for generation in 1..=3 {
            journal.begin_run("up", Generation(generation)).await.unwrap();
        }
        journal.end_run(RunResult::Partial).await.unwrap();
        let state = journal.state().clone();
        journal.close().await.unwrap();
        let journal = world.open().await.unwrap();
        assert_eq!(*journal.state(), state);
        assert_eq!((state.generation(), state.fence()), (Some(Generation(3)), 3));
        assert_eq!(state.last_run().unwrap().ended.map(|(_, result)| result), Some(RunResult::Partial));
    });
}

#[test]
fn a_journal_cut_off_at_any_byte_says_what_its_whole_lines_say() {
    let (_directory, world, bytes) = written();
    let path = world.file.clone().unwrap();
    let lines_in = |len: usize| bytes[..len].split(|byte| *byte == b'\n').count();
    let mut last = (usize::MAX, howso_infra_engine::JournalState::default());
    for len in 0..=bytes.len() {
        fs::write(&path, &bytes[..len]).unwrap();
        let state = block_on(Journal::peek(&world.place())).unwrap_or_else(|error| panic!("{len} bytes: {error}"));
        if last.0 == lines_in(len) {
            assert_eq!(state, last.1, "{len} bytes");
        }
        last = (lines_in(len), state);
    }
}

#[test]
fn a_journal_cut_off_anywhere_does_not_change_what_is_there() {
    let (_directory, world, bytes) = written();
    let path = world.file.clone().unwrap();
    let before = (counts(&world).0, world.cloud.summary());
    for len in (0..=bytes.len()).step_by(211) {
        fs::write(&path, &bytes[..len]).unwrap();
        let ran = block_on(world.command(Goal::Up(&Case::Build.graph())));
        assert!(ran.plan.is_empty(), "{len} bytes");
        assert_eq!((counts(&world).0, world.cloud.summary()), before, "{len} bytes");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "the torn tail is cut off");
    }
    fs::remove_file(&path).unwrap();
    assert!(block_on(world.command(Goal::Up(&Case::Build.graph()))).plan.is_empty());
}

#[test]
fn damage_before_the_tail_is_named_by_its_line() {
    let (_directory, world, bytes) = written();
    let path = world.file.clone().unwrap();
    let starts: Vec<usize> = std::iter::once(0)
        .chain(bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(place, _)| place + 1))
        .collect();
    for line in 1..starts.len() - 1 {
        let mut damaged = bytes.clone();
        damaged[starts[line] - 20] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let error = block_on(world.open()).err().expect("damage is noticed");
        assert!(matches!(&error, JournalError::Damaged { line: found, .. } if *found == line), "{line}: {error}");
        assert!(error.hint().is_some());
        // A line is missing.
        let without = [&bytes[..starts[line - 1]], &bytes[starts[line]..]].concat();
        fs::write(&path, without).unwrap();
        assert!(matches!(block_on(world.open()), Err(JournalError::Damaged { line: found, .. }) if found == line));
    }
}

#[test]
fn a_journal_that_somebody_touches_stops_the_run_before_the_next_call() {
    type Touch = fn(&Utf8PathBuf);
    let touches: [(&str, Touch); 4] = [
        ("replaced", |path| {
            let copy = fs::read(path).unwrap();
            fs::remove_file(path).unwrap();
            fs::write(path, copy).unwrap();
        }),
        ("deleted", |path| fs::remove_file(path).unwrap()),
        ("truncated", |path| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(10).unwrap()),
        ("written to", |path| {
            fs::OpenOptions::new().append(true).open(path).unwrap().write_all(b"{}\n").unwrap();
        }),
    ];
    for (what, touch) in touches {
        let (_directory, path) = place();
        let world = World::with_file(path.clone());
        block_on(async {
            Case::Build.prepare(&world).await;
            let mut is_touched = false;
            *world.cloud.before_submit.lock().unwrap() = Some(Box::new(move || {
                if !std::mem::replace(&mut is_touched, true) {
                    touch(&path);
                }
            }));
            let ran = world.command(Goal::Up(&Case::Build.graph())).await;
            let interruption = ran.outcome.interruption.expect("the run stops");
            assert!(matches!(interruption, Interruption::JournalRefused { .. }), "{what}: {interruption:?}");
            // The network and the role were sent together.
            assert_eq!(counts(&world).0, 2, "{what}");
            *world.cloud.before_submit.lock().unwrap() = None;
            let _ = fs::remove_file(world.file.as_ref().unwrap());
            // Without a journal nothing tells which absences to mistrust: what was made has become visible by now.
            {
                let _hold = world.clock.hold();
                world.clock.sleep(world.settings.engine.visibility_window).await;
            }
            let ran = world.command(Goal::Up(&Case::Build.graph())).await;
            assert!(ran.outcome.is_complete(), "{what}: {:?}", ran.outcome.failures);
            assert_eq!(world.cloud.summary(), Calm::of(Case::Build).await.summary, "{what}");
        });
    }
}

#[test]
fn a_long_journal_is_written_anew_and_stays_locked() {
    block_on(async {
        let (_directory, path) = place();
        let world = World::with_file(path.clone());
        let mut journal = world.open().await.unwrap();
        journal.record_deployment(&deployment()).await.unwrap();
        let long = "x".repeat(100_000);
        for generation in 1..=11 {
            journal.begin_run(&long, Generation(generation)).await.unwrap();
        }
        assert!(fs::metadata(&path).unwrap().len() > 1 << 20);
        journal.begin_run("up", Generation(12)).await.unwrap();
        assert!(fs::metadata(&path).unwrap().len() < 200_000);
        assert_eq!(mode(&path), 0o600);
        assert!(matches!(world.open().await, Err(JournalError::Held { .. })), "the new file is locked, too");
        journal.end_run(RunResult::Complete).await.unwrap();
        let state = journal.state().clone();
        drop(journal);
        let journal = world.open().await.unwrap();
        assert_eq!(*journal.state(), state);
        assert_eq!((state.fence(), state.deployment()), (12, Some(&deployment())));
    });
}

#[test]
fn a_retired_journal_is_put_aside() {
    block_on(async {
        let (_directory, path) = place();
        let world = World::with_file(path.clone());
        let mut journal = world.open().await.unwrap();
        journal.record_deployment(&deployment()).await.unwrap();
        journal.retire().await.unwrap();
        assert!(!path.exists());
        assert!(fs::read_to_string(format!("{path}.removed")).unwrap().contains(deployment().as_str()));
        assert_eq!(world.open().await.unwrap().state().deployment(), None);
    });
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error_with_its_path() {
    block_on(async {
        let (directory, _) = place();
        let file = Utf8PathBuf::from_path_buf(directory.path().join("file")).unwrap();
        fs::write(&file, "").unwrap();
        let mut world = World::new();
        world.file = Some(file.join("below/a.journal"));
        let error = world.open().await.err().expect("a file is no directory");
        assert!(matches!(&error, JournalError::File { path, .. } if path.contains("below")), "{error}");
        let JournalPlace::File(_) = world.place() else { panic!("a file") };
    });
}

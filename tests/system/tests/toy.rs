//! A provider of one crate and two lines carries a whole life of a cluster.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::{Arc, Mutex};

use howso_infra::core::plan::Replacement;
use howso_infra::core::{Change, plan::Reason};
use howso_infra::interrupt::{self, Interrupts};
use howso_infra::{Error, Event, Finished, Goal, Phase, Session};
use howso_infra_tests::ToyCloud;

const UP: Goal = Goal::Up { replacement: Replacement::Refused };

async fn run(session: &Session, goal: Goal) -> Finished {
    let finished = session.begin(goal).await.unwrap().execute(Interrupts::never()).await.unwrap();
    assert!(finished.outcome.is_complete(), "{:#?}", finished.outcome);
    finished
}

#[tokio::test]
async fn a_life_leaves_nothing_behind() {
    let toy = ToyCloud::new().unwrap();
    let session = toy.open(&[]).await.unwrap();
    let finished = run(&session, UP).await;
    assert!(finished.remaining.unwrap().is_empty());
    assert_eq!(
        toy.resources().unwrap(),
        ["toy/control-plane/main.json", "toy/network/main.json", "toy/pool/core.json", "toy/pool/worker.json"]
    );
    assert!(session.prepare(UP).await.unwrap().plan.is_empty());

    let larger = toy.open(&["workers.default.max=9", "workers.big.max=3"]).await.unwrap();
    let plan = larger.prepare(UP).await.unwrap().plan;
    assert_eq!((plan.count(Change::Create), plan.count(Change::Update)), (1, 1));
    run(&larger, UP).await;
    assert!(larger.prepare(UP).await.unwrap().plan.is_empty());

    let finished = run(&larger, Goal::Down).await;
    assert!(finished.leftovers.is_empty());
    assert!(toy.resources().unwrap().is_empty());
}

#[tokio::test]
async fn losing_the_state_directory_orphans_nothing() {
    let toy = ToyCloud::new().unwrap();
    run(&toy.open(&[]).await.unwrap(), UP).await;
    std::fs::remove_dir_all(toy.state()).unwrap();
    let session = toy.open(&[]).await.unwrap();
    assert!(session.prepare(UP).await.unwrap().plan.is_empty());
    let adopted = session.adopt().await.unwrap();
    assert_eq!(adopted.resources, 4);
    run(&session, Goal::Down).await;
    assert!(toy.resources().unwrap().is_empty());
}

#[tokio::test]
async fn a_stranger_on_our_name_blocks_and_stays() {
    let toy = ToyCloud::new().unwrap();
    run(&toy.open(&[]).await.unwrap(), UP).await;
    let pool = toy.cloud().join("toy/pool/worker.json");
    let text = std::fs::read_to_string(&pool).unwrap().replace("howso-infra/deployment", "somebody/deployment");
    std::fs::write(&pool, &text).unwrap();
    let session = toy.open(&["workers.default.max=9"]).await.unwrap();
    let plan = session.prepare(UP).await.unwrap().plan;
    assert!(plan.blocked().any(|decision| matches!(decision.reason, Reason::Foreign { .. })));
    run(&session, Goal::Down).await;
    assert_eq!(toy.resources().unwrap(), ["toy/pool/worker.json"]);
    assert_eq!(std::fs::read_to_string(&pool).unwrap(), text);
}

#[tokio::test]
async fn the_second_of_two_runs_is_refused() {
    let toy = ToyCloud::new().unwrap();
    let (first, second) = (toy.open(&[]).await.unwrap(), toy.open(&[]).await.unwrap());
    let _holder = first.begin(UP).await.unwrap();
    let refused = second.begin(UP).await.map(|_| ());
    assert!(matches!(refused, Err(Error::Journal(_))), "{refused:?}");
    assert!(toy.resources().unwrap().is_empty());
}

#[tokio::test]
async fn an_interrupted_run_is_resumed() {
    let toy = ToyCloud::new().unwrap();
    let (trigger, interrupts) = interrupt::channel();
    let session = toy.open(&["toy.settle_millis=50"]).await.unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let seen = seen.clone();
        move |event: &Event| {
            seen.lock().unwrap().push(event.clone());
            // Once the first resource is asked for, the user presses Ctrl-C.
            if matches!(event, Event::Engine(_)) {
                trigger.fire();
            }
        }
    };
    let session = session.on_event(Arc::new(observer));
    let finished = session.begin(UP).await.unwrap().execute(interrupts).await.unwrap();
    assert!(!finished.outcome.is_complete());
    assert!(toy.resources().unwrap().len() < 4);
    assert!(seen.lock().unwrap().contains(&Event::Phase(Phase::Running)));
    let session = toy.open(&["toy.settle_millis=50"]).await.unwrap();
    run(&session, UP).await;
    assert_eq!(toy.resources().unwrap().len(), 4);
}

//! Virtual time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{Either, select};
use howso_infra_engine::{Clock, Moment, VirtualClock};

use crate::support::block_on;

fn clock() -> VirtualClock {
    VirtualClock::new("2026-11-24T08:00:00Z".parse().unwrap())
}

fn after(secs: u64) -> Moment {
    Moment::START + Duration::from_secs(secs)
}

#[test]
fn time_stands_still_while_somebody_works() {
    block_on(async {
        let clock = clock();
        let hold = clock.hold();
        let timer = clock.timer(after(5));
        tokio::task::yield_now().await;
        assert_eq!(clock.now(), Moment::START);
        drop(hold);
        let fired = timer.await;
        assert_eq!(clock.now(), after(5));
        // Whoever waited works now.
        let later = clock.timer(after(9));
        tokio::task::yield_now().await;
        assert_eq!(clock.now(), after(5));
        drop(fired);
        drop(later.await);
        assert_eq!(clock.now(), after(9));
        assert_eq!(clock.wall().to_string(), "2026-11-24T08:00:09Z");
    });
}

#[test]
fn timers_fire_one_at_a_time_in_their_order() {
    block_on(async {
        let clock = clock();
        let order = Arc::new(Mutex::new(Vec::new()));
        let hold = clock.hold();
        let waiters = [7, 3, 5, 3].into_iter().enumerate().map(|(number, secs)| {
            let (timer, order, clock) = (clock.timer(after(secs)), Arc::clone(&order), clock.clone());
            async move {
                let _hold = timer.await;
                // A pause of another length in between must not let anybody overtake.
                tokio::task::yield_now().await;
                order.lock().unwrap().push((clock.now(), number));
            }
        });
        let waiters: Vec<_> = waiters.collect();
        drop(hold);
        futures::future::join_all(waiters).await;
        assert_eq!(*order.lock().unwrap(), [(after(3), 1), (after(3), 3), (after(5), 2), (after(7), 0)]);
    });
}

#[test]
fn a_pause_of_the_worker_lets_time_go_on_and_ends_with_it() {
    block_on(async {
        let clock = clock();
        let hold = clock.hold();
        clock.sleep(Duration::from_secs(30)).await;
        assert_eq!(clock.now(), after(30));
        // It works again: nobody else moves time.
        let timer = clock.timer(after(40));
        tokio::task::yield_now().await;
        assert_eq!(clock.now(), after(30));
        drop(hold);
        drop(timer.await);
        assert_eq!(clock.now(), after(40));
    });
}

#[test]
fn what_nobody_waits_for_any_more_does_not_move_time() {
    block_on(async {
        let clock = clock();
        let hold = clock.hold();
        drop(clock.timer(after(100)));
        {
            let pause = clock.sleep(Duration::from_secs(200));
            let other = clock.timer(after(2));
            let Either::Right((other, pause)) = select(pause, other).await else { panic!("two seconds are less") };
            drop(pause);
            drop(other);
        }
        assert_eq!(clock.now(), after(2));
        let timer = clock.timer(after(300));
        drop(hold);
        drop(timer.await);
        assert_eq!(clock.now(), after(300));
    });
}

#[test]
fn who_wants_to_watch_waits_in_real_time_too() {
    block_on(async {
        let clock = VirtualClock::paced("2026-11-24T08:00:00Z".parse().unwrap(), Some(1000));
        let begin = std::time::Instant::now();
        let hold = clock.hold();
        let (given_up, timer) = (clock.timer(after(10)), clock.timer(after(20)));
        drop(given_up);
        drop(hold);
        drop(timer.await);
        assert_eq!(clock.now(), after(20));
        // Never less than 20 s at a thousand times the speed; how much more depends on the machine.
        assert!(begin.elapsed() >= Duration::from_millis(20));
    });
}

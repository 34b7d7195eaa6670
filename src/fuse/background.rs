//! What happens while nobody asks for anything.
//!
//! One thread. At most a few seconds after it was written, everything is durable. When nobody has
//! asked for anything for a while, a step of maintenance is done now and then.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::maintenance::{IDLE, Upkeep};
use super::options::Options;
use super::state::State;
use crate::map::Map;

/// Between two steps of maintenance.
const STEP: Duration = Duration::from_millis(25);

#[derive(Default)]
struct Bell {
    stopped: Mutex<bool>,
    rung: Condvar,
}

/// The thread, until it is stopped.
pub(super) struct Background {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    pub(super) fn start(
        map: Arc<Map>,
        state: Arc<State>,
        options: &Options,
        read_only: bool,
    ) -> Background {
        let bell = Arc::new(Bell::default());
        let heard = Arc::clone(&bell);
        let interval = options.commit;
        let maintain = options.maintenance;
        let thread = (!read_only).then(|| {
            std::thread::Builder::new()
                .name("background".to_owned())
                .spawn(move || run(&heard, &map, &state, interval, maintain))
                .ok()
        });
        Background { bell, thread: thread.flatten() }
    }

    /// Ends the thread, after what it is doing.
    pub(super) fn stop(self) {
        *self.bell.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.rung.notify_all();
        if let Some(thread) = self.thread {
            // A panic there was reported already; the map is closed in any case.
            let _ = thread.join();
        }
    }
}

impl Bell {
    /// Waits; `false` when it is time to end.
    fn wait(&self, interval: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let (stopped, _) = self
            .rung
            .wait_timeout_while(stopped, interval, |stopped| !*stopped)
            .unwrap_or_else(PoisonError::into_inner);
        !*stopped
    }
}

fn run(bell: &Bell, map: &Map, state: &State, interval: Duration, maintain: bool) {
    let mut upkeep = Upkeep::new();
    let mut committed = Instant::now();
    let (mut asked, mut since) = (state.requests.total(), Instant::now());
    loop {
        let idle = maintain && upkeep.is_due() && since.elapsed() >= IDLE;
        if !bell.wait(if idle { STEP } else { interval.min(IDLE) }) {
            return;
        }
        let total = state.requests.total();
        if total != asked {
            (asked, since) = (total, Instant::now());
        } else if idle {
            upkeep.step(map, state);
        }
        if committed.elapsed() >= interval {
            commit(map, state);
            committed = Instant::now();
        }
    }
}

fn commit(map: &Map, state: &State) {
    if state.is_read_only() && !state.is_full() {
        return;
    }
    match map.sync() {
        Ok(()) if state.is_full() => state.recovered(),
        Ok(()) => {}
        Err(error) => state.commit_failed(&error, map.read(|fs| fs.store().failure().is_some())),
    }
}

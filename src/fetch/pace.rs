//! Politeness: when a host may be asked.
//!
//! One request at a time and a gap between two, for each host name; a bound over all hosts; and quiet for as long as a
//! host asked for it. What waits here costs a queue's entry and nothing else. Knows nothing of HTTP.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex as Queue, OwnedMutexGuard, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::clock::Clock;

/// Hosts are forgotten, where nothing speaks against it, when there are more than this.
const MANY_HOSTS: usize = 4096;
/// The first pause where a host asks for quiet without saying for how long; doubled with each repeat.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(60);
/// No host is left alone for longer than this on its own word.
pub(super) const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(24);

/// Hands out turns.
pub(super) struct Pace {
    hosts: Mutex<HashMap<String, Arc<Host>>>,
    slots: Semaphore,
    min_gap: Duration,
    clock: Arc<dyn Clock>,
}

/// What is known of one host.
#[derive(Default)]
struct Host {
    /// Held by whoever has the turn, first come, first served; inside, when the host was last asked.
    turn: Arc<Queue<Option<Instant>>>,
    quiet: Mutex<Quiet>,
}

#[derive(Default)]
struct Quiet {
    until: Option<Timestamp>,
    /// Pauses in a row whose length the host left to us.
    pauses: u32,
}

/// The right to have one request open to one host. Ends when it is dropped.
pub(super) struct Turn<'a> {
    pace: &'a Pace,
    host: Arc<Host>,
    last: OwnedMutexGuard<Option<Instant>>,
    /// A request may be on its way of which `last` does not know yet.
    open: bool,
    _slot: SemaphorePermit<'a>,
}

impl Pace {
    pub(super) fn new(concurrency: usize, min_gap: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { hosts: Mutex::default(), slots: Semaphore::new(concurrency.max(1)), min_gap, clock }
    }

    /// Waits for the turn of that host; `Err` tells until when the host is to be left alone.
    ///
    /// Whoever holds a turn must drop it before asking for that of another host.
    pub(super) async fn turn(&self, host: &str) -> Result<Turn<'_>, Timestamp> {
        let host = self.host(host);
        self.check(&host)?;
        let last = Arc::clone(&host.turn).lock_owned().await;
        self.wait_for_gap(*last).await;
        let slot = self.slots.acquire().await.expect("the semaphore is never closed");
        // Whoever had the turn before may have been told to stay away.
        self.check(&host)?;
        Ok(Turn { pace: self, host, last, open: true, _slot: slot })
    }

    /// The host was asked at that time by somebody else.
    pub(super) fn was_asked(&self, host: &str, at: Instant) {
        // Whoever has the turn right now knows better.
        if let Ok(mut last) = self.host(host).turn.try_lock() {
            *last = (*last).max(Some(at));
        }
    }

    /// Leaves a host alone until then, for everyone.
    pub(super) fn close(&self, host: &str, until: Timestamp) {
        let host = self.host(host);
        let mut quiet = host.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        quiet.until = quiet.until.max(Some(until.min(self.latest())));
    }

    /// The same where the host did not say for how long: a minute, doubled with each repeat. Tells until when.
    pub(super) fn pause(&self, host: &str) -> Timestamp {
        let host = self.host(host);
        let mut quiet = host.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = FIRST_PAUSE.saturating_mul(1 << quiet.pauses.min(11));
        quiet.pauses = quiet.pauses.saturating_add(1);
        let until = self.clock.now().saturating_add(pause.min(LONGEST_PAUSE)).unwrap_or(Timestamp::MAX);
        quiet.until = quiet.until.max(Some(until));
        until
    }

    fn latest(&self) -> Timestamp {
        self.clock.now().saturating_add(LONGEST_PAUSE).unwrap_or(Timestamp::MAX)
    }

    fn check(&self, host: &Host) -> Result<(), Timestamp> {
        let mut quiet = host.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        match quiet.until {
            Some(until) if self.clock.now() < until => Err(until),
            Some(_) => {
                quiet.until = None;
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn wait_for_gap(&self, last: Option<Instant>) {
        if let Some(last) = last
            && !self.min_gap.is_zero()
        {
            tokio::time::sleep_until(last + self.min_gap).await;
        }
    }

    fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(name) {
            return Arc::clone(host);
        }
        if hosts.len() >= MANY_HOSTS {
            hosts.retain(|_, host| !self.may_be_forgotten(host));
        }
        Arc::clone(hosts.entry(name.to_owned()).or_default())
    }

    fn may_be_forgotten(&self, host: &Arc<Host>) -> bool {
        let quiet = host.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = || host.turn.try_lock().is_ok_and(|last| last.is_none_or(|last| last.elapsed() > self.min_gap));
        Arc::strong_count(host) == 1 && quiet.until.is_none() && quiet.pauses == 0 && rested()
    }
}

impl Turn<'_> {
    /// The host was asked, and this is when its answer began or failed: the gap counts from here, so that two requests
    /// never arrive closer together than they should, however long the first was on its way.
    pub(super) fn asked(&mut self, at: Instant) {
        *self.last = Some(at);
        self.open = false;
    }

    /// Waits until the host may be asked once more within this turn.
    pub(super) async fn again(&mut self) -> Result<(), Timestamp> {
        self.pace.wait_for_gap(*self.last).await;
        self.pace.check(&self.host)?;
        self.open = true;
        Ok(())
    }

    /// The host answered as it should: pauses begin small again.
    pub(super) fn welcome(&self) {
        self.host.quiet.lock().unwrap_or_else(PoisonError::into_inner).pauses = 0;
    }
}

impl Drop for Turn<'_> {
    /// A request that was given up half-way was still made.
    fn drop(&mut self) {
        if self.open {
            *self.last = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn pace(min_gap_ms: u64) -> (Arc<Pace>, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at("2026-03-09T12:00:00Z".parse().unwrap()));
        let shared: Arc<dyn Clock> = clock.clone();
        (Arc::new(Pace::new(8, Duration::from_millis(min_gap_ms), shared)), clock)
    }

    #[tokio::test]
    async fn a_host_is_asked_once_at_a_time_and_with_a_gap() {
        let (pace, _) = pace(20);
        let turns = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..5)
            .map(|_| {
                let (pace, turns) = (pace.clone(), turns.clone());
                tokio::spawn(async move {
                    let mut turn = pace.turn("a.example").await.unwrap();
                    let begin = Instant::now();
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    turn.asked(Instant::now());
                    turns.lock().unwrap().push((begin, Instant::now()));
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let turns = turns.lock().unwrap();
        assert!(turns.windows(2).all(|two| two[1].0 - two[0].1 >= Duration::from_millis(19)), "{turns:?}");
    }

    #[tokio::test]
    async fn a_busy_host_keeps_no_other_waiting() {
        let (pace, _) = pace(10_000);
        let held = pace.turn("busy.example").await.unwrap();
        let waiting = tokio::spawn({
            let pace = pace.clone();
            async move { pace.turn("busy.example").await.is_ok() }
        });
        for n in 0..20 {
            drop(pace.turn(&format!("h{n}.example")).await.unwrap());
        }
        waiting.abort();
        drop(held);
    }

    #[tokio::test]
    async fn a_closed_host_is_closed_for_those_who_already_wait() {
        let (pace, clock) = pace(0);
        let turn = pace.turn("a.example").await.unwrap();
        let waiting = tokio::spawn({
            let pace = pace.clone();
            async move { pace.turn("a.example").await.err() }
        });
        tokio::task::yield_now().await;
        let until: Timestamp = "2026-03-09T12:30:00Z".parse().unwrap();
        pace.close("a.example", until);
        drop(turn);
        assert_eq!(waiting.await.unwrap(), Some(until));
        clock.set(until);
        assert!(pace.turn("a.example").await.is_ok());
    }

    #[test]
    fn pauses_double_and_no_word_counts_beyond_a_day() {
        let (pace, clock) = pace(0);
        let now = clock.now();
        let lengths: Vec<_> = (0..13).map(|_| (pace.pause("a.example") - now).get_seconds()).collect();
        assert_eq!(lengths[..4], [60, 120, 240, 480]);
        assert_eq!(lengths[12], 86_400);
        pace.close("b.example", "2036-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(pace.check(&pace.host("b.example")), Err(now + LONGEST_PAUSE));
    }
}

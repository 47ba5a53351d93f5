//! Many questions at once: a lane a host, so that one slow host keeps nobody else waiting.
//!
//! In: questions that are due. Out: their polls, told to whoever listens. How long a host is to be left alone is the
//! fetcher's matter; a lane only keeps the order.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Context;
use super::poll::{self, Queued};
use crate::model::{Poll, PollOutcome, Source, SourceId, SourceKind, SourceState, SourceStatus};
use crate::store::StoreError;

/// Told of every poll, with the store's error where it could not be kept.
type Listener = dyn Fn(Result<&Poll, &StoreError>) + Send + Sync;

/// The lanes of a running collector. Cheap to clone.
#[derive(Clone)]
pub struct Lanes {
    ctx: Context,
    shared: Arc<Shared>,
}

struct Shared {
    lanes: Mutex<HashMap<String, VecDeque<Queued>>>,
    /// How many questions each source waits for.
    in_flight: Mutex<HashMap<SourceId, usize>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    listener: Box<Listener>,
}

/// What is left of a future that panicked.
struct Panicked;

/// Drives a future, and no panic of it any further.
async fn contained<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|task| match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| future.as_mut().poll(task))) {
        Ok(progress) => progress.map(Ok),
        Err(_) => std::task::Poll::Ready(Err(Panicked)),
    })
    .await
}

impl Lanes {
    /// Lanes that tell every poll to the listener and take nothing up once `stop` is cancelled.
    pub fn new(ctx: &Context, stop: CancellationToken, listener: impl Fn(Result<&Poll, &StoreError>) + Send + Sync + 'static) -> Self {
        let shared =
            Shared { lanes: Mutex::default(), in_flight: Mutex::default(), tasks: TaskTracker::new(), stop, listener: Box::new(listener) };
        Self { ctx: ctx.clone(), shared: Arc::new(shared) }
    }

    /// Sources that wait for their turn or are being asked.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Lines up the questions for these sources, leaving out those that are under way.
    pub fn offer(&self, sources: Vec<(Arc<Source>, SourceState)>) -> usize {
        self.line_up_all(sources, false)
    }

    /// The same by a person's wish, which goes before what the schedule says of sweeps.
    pub fn offer_as_wished(&self, sources: Vec<(Arc<Source>, SourceState)>) -> usize {
        self.line_up_all(sources, true)
    }

    fn line_up_all(&self, sources: Vec<(Arc<Source>, SourceState)>, is_wish: bool) -> usize {
        let now = self.ctx.clock.now();
        let mut by_kind: HashMap<SourceKind, Vec<(Arc<Source>, SourceState)>> = HashMap::new();
        {
            let mut in_flight = self.shared.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
            for (source, state) in sources {
                if let std::collections::hash_map::Entry::Vacant(vacant) = in_flight.entry(source.id) {
                    vacant.insert(0);
                    by_kind.entry(source.kind).or_default().push((source, state));
                }
            }
        }
        let mut offered = 0;
        for (kind, sources) in by_kind {
            let collector = self.ctx.collectors.get(kind);
            let asks = collector.plan(&sources);
            // After the ordinary questions, so that what they learn is there when the answers are kept.
            let sweeps = collector.sweep(&sources, is_wish, now);
            let states: HashMap<SourceId, Arc<SourceState>> =
                sources.into_iter().map(|(source, state)| (source.id, Arc::new(state))).collect();
            offered += asks.iter().map(|ask| ask.sources.len()).sum::<usize>();
            let asks = asks.into_iter().map(|ask| (ask, false)).chain(sweeps.into_iter().map(|ask| (ask, true)));
            let asks: Vec<Queued> = asks
                .map(|(ask, is_sweep)| {
                    let states = ask.sources.iter().filter_map(|source| Some((source.id, Arc::clone(states.get(&source.id)?)))).collect();
                    Queued { ask, states, is_sweep }
                })
                .collect();
            {
                let mut in_flight = self.shared.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
                for source in asks.iter().flat_map(|queued| &queued.ask.sources) {
                    *in_flight.entry(source.id).or_default() += 1;
                }
                // What no question speaks for is not under way.
                for source in states.keys().filter(|source| in_flight.get(source) == Some(&0)).collect::<Vec<_>>() {
                    in_flight.remove(source);
                }
            }
            for queued in asks {
                self.line_up(queued);
            }
        }
        offered
    }

    fn line_up(&self, queued: Queued) {
        let host = host_of(&queued.ask.request.url);
        let mut lanes = self.shared.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get_mut(&host) {
            lane.push_back(queued);
            return;
        }
        lanes.insert(host.clone(), VecDeque::from([queued]));
        drop(lanes);
        let lanes = self.clone();
        self.shared.tasks.spawn(async move { Box::pin(lanes.run_lane(host)).await });
    }

    async fn run_lane(&self, host: String) {
        loop {
            let next = {
                let mut lanes = self.shared.lanes.lock().unwrap_or_else(PoisonError::into_inner);
                let next = lanes.get_mut(&host).and_then(VecDeque::pop_front).filter(|_| !self.shared.stop.is_cancelled());
                if next.is_none() {
                    let dropped = lanes.remove(&host);
                    self.forget(dropped.iter().flatten());
                }
                next
            };
            let Some(queued) = next else { return };
            let guard = Release { lanes: self, queued: &queued };
            // A poll that panics is contained here: the lane goes on, and the source is named.
            let polled = tokio::select! {
                polled = contained(Box::pin(poll::poll(&self.ctx, &host, &queued))) => polled,
                () = self.shared.stop.cancelled() => return self.abandon(&host),
            };
            drop(guard);
            match polled {
                Ok(Ok(polls)) => polls.iter().for_each(|poll| (self.shared.listener)(Ok(poll))),
                Ok(Err(error)) => (self.shared.listener)(Err(&error)),
                Err(Panicked) => {
                    let source = queued.ask.sources.first().map(|source| source.id.to_string()).unwrap_or_default();
                    tracing::error!(source.id = source, "the poll of source {source} came to an unexpected end");
                }
            }
        }
    }

    fn abandon(&self, host: &str) {
        let dropped = self.shared.lanes.lock().unwrap_or_else(PoisonError::into_inner).remove(host);
        self.forget(dropped.iter().flatten());
    }

    fn forget<'a>(&self, queued: impl Iterator<Item = &'a Queued>) {
        let mut in_flight = self.shared.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        for source in queued.flat_map(|queued| &queued.ask.sources) {
            if let Some(count) = in_flight.get_mut(&source.id) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    in_flight.remove(&source.id);
                }
            }
        }
    }

    /// Waits until every lane is empty.
    pub async fn idle(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        self.shared.tasks.reopen();
    }
}

struct Release<'a> {
    lanes: &'a Lanes,
    queued: &'a Queued,
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.lanes.forget(std::iter::once(self.queued));
    }
}

/// The host of an address.
pub(super) fn host_of(url: &str) -> String {
    url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// Which sources a pass is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Those whose time has come.
    Due,
    /// All, whatever the schedule says.
    All,
    /// These, whatever the schedule says.
    These(Vec<SourceId>),
}

/// What came of one pass.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct PassReport {
    pub asked: u32,
    pub read: u32,
    pub unchanged: u32,
    pub new: u32,
    pub changed: u32,
    /// Sources that could not be read, each with a sentence.
    pub failed: Vec<(SourceId, String)>,
    /// Sources that asked to be left alone until then.
    pub held: Vec<(SourceId, Timestamp)>,
    /// Sources that were heard of: more than one question may be about one.
    #[serde(skip)]
    heard: HashSet<SourceId>,
}

impl PassReport {
    fn count(&mut self, poll: &Poll) {
        if let PollOutcome::Read { new, changed, .. } = &poll.outcome {
            self.new += new;
            self.changed += changed;
        }
        if !self.heard.insert(poll.source) {
            return;
        }
        match &poll.outcome {
            PollOutcome::Read { .. } | PollOutcome::Empty => self.read += 1,
            PollOutcome::Unchanged => self.unchanged += 1,
            PollOutcome::Deferred { until } | PollOutcome::Held { until } => self.held.push((poll.source, *until)),
            PollOutcome::Gone => self.failed.push((poll.source, "the address says that it is gone for good (410)".into())),
            PollOutcome::Blocked { error } | PollOutcome::Failed { error } => self.failed.push((poll.source, error.clone())),
        }
    }
}

/// Whether a source is to be asked now. A person's wish goes before the schedule, but never before what the source
/// itself asked for.
pub(super) fn is_due(state: &SourceState, wanted_by_name: bool, now: Timestamp) -> Result<bool, Timestamp> {
    if let Some(until) = state.not_before.filter(|until| *until > now) {
        return Err(until);
    }
    if wanted_by_name {
        return Ok(true);
    }
    Ok(state.status != SourceStatus::Gone && state.next_poll_at.is_none_or(|next| next <= now))
}

/// Hosts that asked to be left alone before this process began are left alone by it too, and those that were asked just
/// before it are not asked at once.
pub async fn keep_quiet(ctx: &Context) -> Result<(), StoreError> {
    close_hosts(ctx, &ctx.store.pollable().await?, ctx.clock.now());
    Ok(())
}

fn close_hosts(ctx: &Context, sources: &[(Arc<Source>, SourceState)], now: Timestamp) {
    let min_gap = SignedDuration::try_from(ctx.config.network.min_gap.0).unwrap_or(SignedDuration::MAX);
    for one in sources {
        let just_asked = one.1.last_poll_at.map(|at| now.duration_since(at)).filter(|ago| !ago.is_negative() && *ago < min_gap);
        if let Some(ago) = just_asked {
            for ask in ctx.collectors.get(one.0.kind).plan(std::slice::from_ref(one)) {
                ctx.fetcher.was_asked(&ask.request.url, ago.unsigned_abs());
            }
        }
        if let Some(until) = one.1.quiet_until.filter(|until| *until > now) {
            for ask in ctx.collectors.get(one.0.kind).plan(std::slice::from_ref(one)) {
                ctx.fetcher.close(&ask.request.url, until);
            }
        }
    }
}

/// One pass over what is wanted: asks, records, and writes what is left to write. `progress` hears of each poll.
pub async fn pass(
    ctx: &Context,
    wanted: &Wanted,
    stop: CancellationToken,
    progress: impl Fn(u64, Option<&Poll>) + Send + Sync + 'static,
) -> Result<PassReport, StoreError> {
    let now = ctx.clock.now();
    let mut report = PassReport::default();
    let mut due = Vec::new();
    let all = ctx.store.pollable().await?;
    close_hosts(ctx, &all, now);
    for (source, state) in all {
        let named = match wanted {
            Wanted::Due => false,
            Wanted::All => true,
            Wanted::These(ids) if ids.contains(&source.id) => true,
            Wanted::These(_) => continue,
        };
        match is_due(&state, named, now) {
            Ok(true) => due.push((source, state)),
            Ok(false) => {}
            Err(until) => report.held.push((source.id, until)),
        }
    }
    report.asked = u32::try_from(due.len()).unwrap_or(u32::MAX);
    let total = due.len() as u64;
    progress(total, None);
    let counted = Arc::new(Mutex::new((PassReport::default(), None::<StoreError>)));
    let heard = Arc::clone(&counted);
    let lanes = Lanes::new(ctx, stop, move |poll| {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        match poll {
            Ok(poll) => {
                heard.0.count(poll);
                progress(total, Some(poll));
            }
            Err(error) => heard.1 = Some(error.clone()),
        }
    });
    if *wanted == Wanted::Due {
        lanes.offer(due);
    } else {
        lanes.offer_as_wished(due);
    }
    lanes.idle().await;
    ctx.store.flush_states().await?;
    let (counts, error) = {
        let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut counted.0), counted.1.take())
    };
    if let Some(error) = error {
        return Err(error);
    }
    report.read = counts.read;
    report.unchanged = counts.unchanged;
    report.new = counts.new;
    report.changed = counts.changed;
    report.failed = counts.failed;
    report.held.extend(counts.held);
    report.failed.sort_by_key(|(source, _)| *source);
    report.held.sort_by_key(|(source, _)| *source);
    Ok(report)
}

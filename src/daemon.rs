//! The loop: timed tasks in one list, due polls, the web server, orderly shutdown.
//!
//! The scheduler only wakes us, in UTC; each waking asks the database what is due. Slots are rows there, claimed before
//! they run, so a slot runs once whatever the timer does, and one that was missed while the daemon was down is made up
//! once. Takes any future as its stop sign.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::flow::{self, Context, Lanes};
use crate::model::{Source, SourceState, SourceStatus, Week};
use crate::store::{Claim, StoreError};
use crate::{schedule, telemetry, web};

/// How long an orderly end may take.
const DRAIN: Duration = Duration::from_secs(8);
/// How often remembered states are written at the latest.
const FLUSH: SignedDuration = SignedDuration::from_secs(60);

/// A timed task: its name, which keys its slots, and its schedule in the configured zone.
struct Timed {
    job: &'static str,
    cron: String,
}

/// Runs until `stop` resolves, then ends in order: what was asked is recorded, what is remembered is written.
///
/// `ready` is told the address of the pages once everything runs.
pub async fn run(
    ctx: Context,
    stop: impl Future<Output = ()> + Send,
    ready: impl FnOnce(std::net::SocketAddr) + Send,
) -> anyhow::Result<()> {
    telemetry::count();
    let _lock = ctx.store.lock_collecting()?;
    let troubled = Arc::new(Troubled::default());
    // A full disk is no reason not to start: pages are read, and recording goes on once there is space.
    for prepared in [ctx.store.release_slots().await.map(|_| ()), flow::adopt(&ctx).await, flow::keep_quiet(&ctx).await] {
        match prepared {
            Err(error @ StoreError::Full) => troubled.tell(&error),
            other => other?,
        }
    }
    let listen = ctx.config.web.listen;
    if !listen.ip().is_loopback() && ctx.config.web.proxy_user_header.is_none() && !ctx.store.has_accounts().await? {
        anyhow::bail!(
            "pages on {listen} could be reached by others while nobody can sign in: `clarion user add NAME --role operator` first"
        );
    }
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot serve pages on {listen}: another program may hold the port; set `web.listen` to another"))?;
    let address = listener.local_addr()?;
    let token = CancellationToken::new();
    let tasks = TaskTracker::new();
    let moved = Arc::new(Notify::new());

    let state =
        web::AppState::new(Arc::new(web::StoredPages::new(ctx.clone())), Arc::clone(&ctx.clock), &ctx.config).with_desk(ctx.clone());
    let pages = tasks.spawn(web::serve(listener, state, token.clone().cancelled_owned()));

    let heard = Arc::clone(&moved);
    let trouble = Arc::clone(&troubled);
    let lanes = Lanes::new(&ctx, token.clone(), move |poll| match poll {
        Ok(poll) => {
            trouble.over();
            if matches!(poll.outcome, crate::model::PollOutcome::Read { .. }) {
                heard.notify_one();
            }
        }
        Err(error) => trouble.tell(error),
    });
    tasks.spawn(adopt_loop(ctx.clone(), Arc::clone(&moved), Arc::clone(&troubled), token.clone()));
    tasks.spawn(settle_loop(ctx.clone(), Arc::clone(&moved), Arc::clone(&troubled), token.clone()));
    moved.notify_one();

    let wake = Arc::new(Notify::new());
    let scheduler = start_scheduler(&wake).await?;
    tasks.spawn(wake_loop(ctx.clone(), lanes.clone(), wake, troubled, token.clone()));
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tracing::info!(address = %address, "clarion runs: pages on http://{address}/");
    ready(address);

    stop.await;
    tracing::info!("stopping");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    token.cancel();
    let mut scheduler = scheduler;
    let _ = scheduler.shutdown().await;
    tasks.close();
    let drained = tokio::time::timeout(DRAIN, async {
        lanes.idle().await;
        tasks.wait().await;
    })
    .await;
    if drained.is_err() {
        tracing::warn!("some work did not end in time; it is asked again at the next start");
        pages.abort();
    }
    ctx.close().await?;
    tracing::info!("stopped");
    Ok(())
}

/// Whether anything can be recorded. A fault that lasts is told once an hour, not with every poll; and while it lasts,
/// sources are not asked again and again for what cannot be kept.
#[derive(Default)]
struct Troubled(std::sync::Mutex<Option<Trouble>>);

struct Trouble {
    told_at: std::time::Instant,
    offered_at: std::time::Instant,
    /// How many offers came to nothing, and whether the last one has been counted.
    offers: u32,
    counted: bool,
    /// A poll or a settling could not be kept; else there was only no room for one.
    failed: bool,
}

/// So long after a poll could not be recorded the next is tried, and twice as long each time after.
const TRY_AGAIN: Duration = Duration::from_secs(10);

impl Troubled {
    fn tell(&self, error: &StoreError) {
        self.note(error, true);
    }

    fn note(&self, error: &StoreError, failed: bool) {
        let mut trouble = self.lock();
        let now = std::time::Instant::now();
        let told_at = trouble.as_ref().map(|trouble| trouble.told_at).filter(|told_at| told_at.elapsed() <= Duration::from_hours(1));
        if told_at.is_none() {
            tracing::error!("nothing can be recorded: {error}");
        }
        let trouble = trouble.get_or_insert(Trouble { told_at: now, offered_at: now, offers: 0, counted: true, failed });
        trouble.failed |= failed;
        trouble.told_at = told_at.unwrap_or(now);
        trouble.offers += u32::from(!std::mem::replace(&mut trouble.counted, true));
    }

    fn over(&self) {
        if self.lock().take().is_some() {
            tracing::info!("recording works again");
        }
    }

    /// Whether sources may be asked now.
    async fn may_ask(&self, ctx: &Context) -> bool {
        // What is fetched now could not be kept: nobody is asked for it.
        if !ctx.store.has_room() {
            self.note(&StoreError::Full, false);
            return false;
        }
        if self.lock().is_none() {
            return true;
        }
        if let Err(error) = ctx.store.probe().await {
            self.note(&error, false);
            return false;
        }
        if self.lock().as_ref().is_some_and(|trouble| !trouble.failed) {
            self.over();
            return true;
        }
        let mut trouble = self.lock();
        let Some(trouble) = trouble.as_mut() else { return true };
        if trouble.offered_at.elapsed() < TRY_AGAIN * 2u32.pow(trouble.offers.min(6)) {
            return false;
        }
        trouble.offered_at = std::time::Instant::now();
        trouble.counted = false;
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Trouble>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The scheduler fires every few seconds in UTC, and does nothing but wake the loop.
async fn start_scheduler(wake: &Arc<Notify>) -> anyhow::Result<JobScheduler> {
    let scheduler = JobScheduler::new().await.context("the scheduler cannot start")?;
    let wake = Arc::clone(wake);
    let tick = Job::new_async("*/5 * * * * *", move |_, _| {
        let wake = Arc::clone(&wake);
        Box::pin(async move { wake.notify_one() })
    })
    .context("the scheduler cannot take its tick")?;
    scheduler.add(tick).await.context("the scheduler cannot take its tick")?;
    scheduler.start().await.context("the scheduler cannot start")?;
    Ok(scheduler)
}

/// Newer rules than those of the record are adopted while the old answers are served; tried again until it is done.
async fn adopt_loop(ctx: Context, moved: Arc<Notify>, troubled: Arc<Troubled>, stop: CancellationToken) {
    loop {
        tokio::select! {
            adopted = flow::adopt_rules(&ctx) => match adopted {
                Ok(adopted) => {
                    if adopted.is_some() {
                        moved.notify_one();
                    }
                    return;
                }
                Err(error) => troubled.tell(&error),
            },
            () = stop.cancelled() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_mins(5)) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn settle_loop(ctx: Context, moved: Arc<Notify>, troubled: Arc<Troubled>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = moved.notified() => {}
            () = stop.cancelled() => return,
            // Short commands beside the daemon write too: an import, a decision.
            () = tokio::time::sleep(Duration::from_secs(10)) => {}
        }
        // What comes in together is settled together.
        tokio::time::sleep(Duration::from_millis(300)).await;
        if let Err(error) = flow::settle(&ctx).await {
            troubled.tell(&error);
        }
    }
}

async fn wake_loop(ctx: Context, lanes: Lanes, wake: Arc<Notify>, troubled: Arc<Troubled>, stop: CancellationToken) {
    let timed = [
        Timed { job: "cut_off", cron: ctx.config.schedule.cut_off.clone() },
        Timed { job: "links", cron: ctx.config.schedule.links.clone() },
        Timed { job: "engagement", cron: ctx.config.schedule.engagement.clone() },
        Timed { job: "upkeep", cron: ctx.config.schedule.upkeep.clone() },
    ];
    let running = Arc::new(std::sync::Mutex::new(std::collections::HashSet::new()));
    let mut flushed_at = ctx.clock.now();
    let jobs = TaskTracker::new();
    let mut first = true;
    loop {
        if !first {
            tokio::select! {
                () = wake.notified() => {}
                // The scheduler may stop for ever; the loop does not depend on it.
                () = tokio::time::sleep(Duration::from_secs(15)) => {}
                () = stop.cancelled() => break,
            }
        }
        let now = ctx.clock.now();
        match ctx.store.pollable().await {
            Ok(all) => {
                count_by_status(&all);
                if troubled.may_ask(&ctx).await {
                    offer_due(&ctx, &lanes, all, now, first);
                    first = false;
                }
            }
            Err(error) => troubled.tell(&error),
        }
        for task in &timed {
            if !running.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(task.job) {
                continue;
            }
            let (ctx, job, cron, running) = (ctx.clone(), task.job, task.cron.clone(), Arc::clone(&running));
            jobs.spawn(async move {
                let run = run_due_slot(&ctx, job, &cron);
                if let Err(error) = run.await {
                    tracing::error!(job, "the task {job} could not be claimed: {error}");
                }
                running.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(job);
            });
        }
        publish_approved(&ctx, now).await;
        if running.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert("deliver") {
            let (ctx, running) = (ctx.clone(), Arc::clone(&running));
            jobs.spawn(async move {
                // A panic leaves the delivery as interrupted; the mark must go all the same.
                let _ = catch(AssertUnwindSafe(deliver_due(&ctx))).await;
                running.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove("deliver");
            });
        }
        if now.duration_since(flushed_at).abs() >= FLUSH {
            flushed_at = now;
            if let Err(error) = ctx.store.flush_states().await {
                troubled.tell(&error);
            }
            if let Err(error) = ctx.store.shorten_wal().await {
                troubled.tell(&error);
            }
        }
        if let Err(error) = measure(&ctx, &lanes, now).await {
            troubled.tell(&error);
        }
        telemetry::keep_up();
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
    }
    jobs.close();
    let _ = tokio::time::timeout(Duration::from_secs(5), jobs.wait()).await;
}

/// So long before a cut-off, what was not read of late is asked once more.
const LAST_CALL: SignedDuration = SignedDuration::from_hours(1);

/// Lines up what is due. At the start, what fell due while we were away is spread, so that nobody meets a burst.
fn offer_due(ctx: &Context, lanes: &Lanes, all: Vec<(Arc<Source>, SourceState)>, now: Timestamp, first: bool) {
    let cut_off = schedule::next_slot(&ctx.config.schedule.cut_off, &ctx.config.schedule.zone, now).ok();
    let closing = cut_off.filter(|cut_off| cut_off.duration_since(now) <= LAST_CALL);
    let last_call = |state: &SourceState| {
        closing.is_some_and(|cut_off| {
            // Once is enough, whatever came of it.
            let asked = state.last_poll_at.is_some_and(|last| cut_off.duration_since(last) <= LAST_CALL);
            !asked && schedule::due_before_cut_off(state, cut_off, now)
        })
    };
    let mut due = Vec::new();
    for (source, state) in all {
        if state.not_before.is_some_and(|until| until > now) || state.status == SourceStatus::Gone {
            continue;
        }
        match state.next_poll_at {
            Some(next) if next > now && !last_call(&state) => {}
            _ if first => {
                let mut spread = state.clone();
                spread.next_poll_at = Some(schedule::spread(&ctx.config.schedule, &source, &state, now));
                ctx.store.remember(source.id, spread, true);
            }
            _ => due.push((source, state)),
        }
    }
    lanes.offer(due);
}

fn count_by_status(all: &[(Arc<Source>, SourceState)]) {
    for status in [SourceStatus::New, SourceStatus::Ok, SourceStatus::Failing, SourceStatus::Blocked, SourceStatus::Gone] {
        let count = all.iter().filter(|(_, state)| state.status == status).count();
        metrics::gauge!(telemetry::SOURCES, "status" => status.as_str()).set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    }
}

/// Runs the newest slot of a task that is due and not over. Older ones that were missed are recorded as missed.
async fn run_due_slot(ctx: &Context, job: &'static str, cron: &str) -> anyhow::Result<()> {
    let now = ctx.clock.now();
    let zone = &ctx.config.schedule.zone;
    let slot = schedule::last_slot(cron, zone, now)?;
    let past = ctx.store.slots_of(job, 1).await?;
    match past.first() {
        Some(newest) if newest.slot_at >= slot => {
            if matches!(newest.state.as_str(), "done" | "missed") {
                return Ok(());
            }
        }
        Some(newest) => {
            // Only the newest is made up; the others are on record as missed.
            let (missed, note) = missed_between(cron, zone, newest.slot_at, slot)?;
            ctx.store.miss_slots(job, missed, &note, now).await?;
        }
        // Before the first run nothing was missed. A record that another command made may be drafted from all the same.
        None if job == "upkeep" || !ctx.store.has_activities().await? => {
            ctx.store.finish_slot(job, slot, "missed", "it lies before the first run", now).await?;
            return Ok(());
        }
        None => {}
    }
    let limit = SignedDuration::try_from(ctx.config.schedule.run_limit.0).unwrap_or(SignedDuration::from_hours(1));
    let lease = now.saturating_add(limit).unwrap_or(now);
    let worker = format!("{}", std::process::id());
    match ctx.store.claim_slot(job, slot, &worker, now, lease).await? {
        Claim::Over | Claim::Running => return Ok(()),
        Claim::Ours => {}
    }
    let work = AssertUnwindSafe(run_job(ctx, job, slot));
    let ended = tokio::time::timeout(ctx.config.schedule.run_limit.0, catch(work)).await;
    let (state, note) = match ended {
        Ok(Ok(Ok(note))) => ("done", note),
        Ok(Ok(Err(error))) => ("failed", format!("{error:#}")),
        Ok(Err(())) => ("failed", "it came to an unexpected end".to_owned()),
        Err(_) => ("failed", "it was cut at its limit (`schedule.run_limit`)".to_owned()),
    };
    metrics::counter!(telemetry::SLOTS, "job" => job, "state" => state).increment(1);
    if state == "failed" {
        tracing::error!(job, "the task {job} failed: {note}");
        // A failed slot is tried again, but not with every tick.
        tokio::time::sleep(Duration::from_mins(1)).await;
    } else {
        tracing::info!(job, "the task {job} is done: {note}");
    }
    ctx.store.finish_slot(job, slot, state, &note, ctx.clock.now()).await?;
    Ok(())
}

/// The slots between two that nobody ran, with a word on them. Of very many only the newest is named, and how many it
/// stands for.
fn missed_between(
    cron: &str,
    zone: &str,
    after: Timestamp,
    before: Timestamp,
) -> Result<(Vec<Timestamp>, String), schedule::ScheduleError> {
    const NAMED: usize = 12;
    const COUNTED: usize = 5_000;
    let mut missed = Vec::new();
    let mut at = schedule::next_slot(cron, zone, after)?;
    while at < before && missed.len() <= COUNTED {
        missed.push(at);
        at = schedule::next_slot(cron, zone, at)?;
    }
    let note = "the daemon did not run then".to_owned();
    match (missed.first().copied(), missed.len()) {
        (Some(first), count) if count > NAMED => {
            let newest = schedule::last_slot(cron, zone, before.saturating_sub(SignedDuration::from_millis(1)).unwrap_or(before))?;
            let others = if count > COUNTED { format!("more than {COUNTED}") } else { (count - 1).to_string() };
            Ok((vec![newest], format!("{note}, nor {others} times before, from {first:.0} on")))
        }
        _ => Ok((missed, note)),
    }
}

/// A panic in a task is its failure, and nobody else's.
async fn catch<T: Send + 'static>(work: impl Future<Output = T>) -> Result<T, ()> {
    use std::task::Poll;
    let mut work = Box::pin(work);
    std::future::poll_fn(move |cx| match std::panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(Err(())),
    })
    .await
}

async fn run_job(ctx: &Context, job: &str, slot: Timestamp) -> anyhow::Result<String> {
    match job {
        "cut_off" => {
            let week = Week::last_whole(slot.max(Week::of(slot).start()));
            // One that a person made already is theirs, though nobody has edited it yet.
            if let Some(head) = ctx.store.head(week).await? {
                return Ok(format!("{week} has a draft already, made at {}, and keeps it", head.made_at));
            }
            match flow::draft(ctx, week).await {
                Ok(row) => {
                    #[expect(clippy::cast_precision_loss, reason = "a gauge of seconds since 1970 is exact enough")]
                    metrics::gauge!(telemetry::LAST_DRAFT).set(row.made_at.as_second() as f64);
                    Ok(format!("drafted {week} with {} works", row.digest.picks().count()))
                }
                Err(flow::DraftError::Edited(week)) => Ok(format!("{week} has edits already and stays as it is")),
                Err(flow::DraftError::Settled { week, state }) => Ok(format!("{week} is {} already", state.as_str())),
                Err(error) => Err(error.into()),
            }
        }
        "links" => {
            let report = flow::check_links(ctx).await?;
            Ok(format!("looked at {} links, {} missing", report.checked, report.missing))
        }
        "engagement" => {
            let report = flow::engagement(ctx).await?;
            Ok(format!("extra questions: {}, counts kept: {}", report.asked, report.sampled))
        }
        "upkeep" => {
            let report = flow::upkeep(ctx).await?;
            anyhow::ensure!(report.faults.is_empty(), "the database is damaged: {}", report.faults.join("; "));
            Ok(format!(
                "dropped {} old poll records and {} old documents, the database is sound",
                report.polls_dropped, report.documents_dropped
            ))
        }
        other => anyhow::bail!("there is no task {other}"),
    }
}

/// Publishes what was approved once its cooling-off is over. Without an approval nothing goes out, however late it is.
async fn publish_approved(ctx: &Context, now: Timestamp) {
    let Ok(weeks) = ctx.store.weeks_to_publish(now).await else { return };
    for (week, by) in weeks {
        if let Err(error) = flow::publish(ctx, week, by.as_deref().unwrap_or("unknown")).await {
            tracing::error!(week = %week, "the digest of {week} could not be published: {error}");
        }
    }
}

/// Sends what is published and due. Another process that sends at this moment does the same.
async fn deliver_due(ctx: &Context) {
    let outcome = match flow::plan_missing(ctx).await {
        Ok(()) => flow::send_due(ctx, &flow::Sending::default()).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) | Err(flow::DeliverError::Busy) => {}
        Err(error) => tracing::error!("digests could not be sent: {error}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "gauges are exact enough as floats")]
async fn measure(ctx: &Context, lanes: &Lanes, now: Timestamp) -> Result<(), StoreError> {
    let oldest = ctx.store.oldest_overdue(now).await?.as_secs();
    metrics::gauge!(telemetry::OLDEST_OVERDUE).set(oldest as f64);
    metrics::gauge!(telemetry::QUEUE).set((ctx.store.queue_depth() + lanes.in_flight()) as f64);
    let (_, last) = ctx.store.settled_and_last().await?;
    metrics::gauge!(telemetry::LOG_SEQ).set(last.0 as f64);
    if let Ok(file) = std::fs::metadata(ctx.store.path()) {
        metrics::gauge!(telemetry::DATABASE_BYTES).set(file.len() as f64);
    }
    ctx.store.count_ahead().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_pause_of_a_dense_schedule_is_one_line_and_a_short_one_is_named_whole() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let missed = |cron: &str, after: &str, before: &str| {
            let (slots, note) = missed_between(cron, "UTC", at(after), at(before)).unwrap();
            (slots.iter().map(Timestamp::to_string).collect::<Vec<_>>(), note)
        };
        let (slots, note) = missed("0 6 * * MON", "2026-11-02T06:00:00Z", "2026-11-23T06:00:00Z");
        assert_eq!(slots, ["2026-11-09T06:00:00Z", "2026-11-16T06:00:00Z"]);
        assert_eq!(note, "the daemon did not run then");
        assert!(missed("0 6 * * MON", "2026-11-16T06:00:00Z", "2026-11-23T06:00:00Z").0.is_empty());
        let (slots, note) = missed("*/30 * * * *", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z");
        assert_eq!(slots, ["2026-11-01T23:30:00Z"]);
        assert_eq!(note, "the daemon did not run then, nor 46 times before, from 2026-11-01T00:30:00Z on");
        let (slots, note) = missed("* * * * *", "2024-01-01T00:00:00Z", "2026-11-02T00:00:00Z");
        assert_eq!(slots, ["2026-11-01T23:59:00Z"]);
        assert!(note.contains("more than 5000 times"), "{note}");
    }
}

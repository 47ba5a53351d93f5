//! When a source is asked next, and when a timed task falls due.
//!
//! In: what a poll brought, a schedule, the present instant. Out: the state to remember, instants. Pure, so that a year
//! can be played in a test. The rules are those of PLATFORMS.md section 9. Knows nothing of how a source is asked, and
//! of timers.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use crate::config::{Pace, ScheduleConfig, time_zone};
use crate::model::{CanonicalUrl, FeedHints, Freshness, Source, SourceId, SourceKind, SourceState, SourceStatus, Validators};

/// What a poll brought, as far as the schedule is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    pub outcome: Observation,
    /// What to ask with next time; counts only where the document was read or has not changed.
    pub validators: Validators,
    pub freshness: Freshness,
    /// Where permanent redirects led.
    pub moved_to: Option<String>,
}

/// What came of a poll, as far as the schedule is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Observation {
    /// 304, or the very bytes of last time.
    #[default]
    Unchanged,
    /// Read: the publication times of its entries, how many of them are new, and what it says of itself.
    Read { published: Vec<Timestamp>, new: u32, hints: FeedHints },
    /// Read well, and holds nothing.
    Empty,
    /// The host wants quiet, until then or for as long as we think right.
    Deferred { until: Option<Timestamp>, error: String },
    /// Not asked: the host wants quiet until then.
    Held { until: Timestamp },
    /// Not reached, and it is our own network that is down: nothing is charged to the source.
    Offline,
    /// 410.
    Gone,
    /// 401, 403, or a bot challenge.
    Blocked { error: String },
    /// Anything else that kept us from reading it, in a sentence.
    Failed { error: String },
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const WEEK: SignedDuration = SignedDuration::from_hours(24 * 7);
/// After this long, validators are left out once, to cure a server that is stuck.
const FULL_EVERY: SignedDuration = SignedDuration::from_hours(24 * 8);
/// From here on a failing source is asked once a week.
const LONG_FAILING: SignedDuration = SignedDuration::from_hours(24 * 30);
/// A delivery is tried for so long.
const SENDING_FOR: SignedDuration = SignedDuration::from_hours(48);
/// The longest wait after errors of YouTube, whose feeds are known to fail all at once and come back.
const YOUTUBE_BACK_OFF: SignedDuration = SignedDuration::from_hours(6);
/// A host that refuses us is asked four times a day at most.
const BLOCKED_GAP: SignedDuration = SignedDuration::from_hours(6);
/// Medium, Substack and Hashnode are left alone for at least so long once they asked for it.
const STRICT_QUIET: SignedDuration = SignedDuration::from_hours(6);
/// After the first 410 a day may set right what was a slip; after that, twice more within the week.
const GONE_GAPS: [SignedDuration; 2] = [DAY, SignedDuration::from_hours(72)];
const STALE_AT_CUT_OFF: SignedDuration = SignedDuration::from_hours(6);
const OFFLINE_GAP: SignedDuration = SignedDuration::from_mins(5);
/// So many sightings over a week make a redirect a move, and so many 410 an end.
const SIGHTINGS: u32 = 3;
/// So many failures at the address of a move, and the registered one is asked again.
const DOUBTS: u32 = 3;
/// How many publication times decide the interval, and by what the median of their gaps is divided.
const RECENT: usize = 10;
const GAP_DIVISOR: i64 = 6;

/// What to remember of a source after a poll, with the instant of the next one.
///
/// Title, repairs and body hash are the caller's to set. A source is never asked sooner because something went wrong,
/// and never before `not_before`.
pub fn after_poll(config: &ScheduleConfig, source: &Source, state: &SourceState, observed: &Observed, now: Timestamp) -> SourceState {
    let mut next = state.clone();
    if state.interval_s == 0 {
        next.interval_s = whole_seconds(span(pace(config, source).default.as_secs()));
    }
    if !matches!(observed.outcome, Observation::Held { .. } | Observation::Offline) {
        next.last_poll_at = Some(now);
    }
    match &observed.outcome {
        Observation::Unchanged => succeed(config, source, &mut next, observed, now),
        Observation::Empty => {
            next.last_full_at = Some(now);
            succeed(config, source, &mut next, observed, now);
        }
        Observation::Read { published, new, hints } => {
            next.last_full_at = Some(now);
            if *new > 0 {
                next.last_new_at = Some(now);
            }
            next.recent = newest(&next.recent, published, now);
            next.least_gap_s = hints.least_gap_s;
            next.skip_hours.clone_from(&hints.skip_hours);
            next.skip_days.clone_from(&hints.skip_days);
            succeed(config, source, &mut next, observed, now);
        }
        Observation::Held { until } => hold(source, &mut next, *until, now),
        Observation::Offline => plan(&mut next, later(now, jittered(source.id, now, OFFLINE_GAP))),
        Observation::Deferred { until, error } if is_strict(source) => {
            // These hosts have kept readers out for days who came back too soon (PLATFORMS.md section 4.2).
            next.failing_since.get_or_insert(now);
            next.error = Some(error.clone());
            hold(source, &mut next, until.unwrap_or(now).max(later(now, STRICT_QUIET)), now);
        }
        Observation::Deferred { until: Some(until), error } => {
            next.failing_since.get_or_insert(now);
            next.error = Some(error.clone());
            hold(source, &mut next, *until, now);
        }
        Observation::Deferred { until: None, error } => {
            fail(source, &mut next, SourceStatus::Failing, error, HOUR, now);
        }
        Observation::Blocked { error } => {
            fail(source, &mut next, SourceStatus::Blocked, &with_target(error, observed), BLOCKED_GAP, now);
        }
        Observation::Failed { error } => {
            fail(source, &mut next, SourceStatus::Failing, &with_target(error, observed), SignedDuration::ZERO, now);
        }
        Observation::Gone => gone(source, &mut next, now),
    }
    next
}

/// When a source is first asked after a start: as planned if that lies ahead, else at a moment of its own, so that no
/// restart is a burst. What was never asked comes within a minute, what is overdue within its default interval.
pub fn spread(config: &ScheduleConfig, source: &Source, state: &SourceState, started_at: Timestamp) -> Timestamp {
    if let Some(planned) = state.next_poll_at.filter(|planned| *planned > started_at) {
        return planned;
    }
    let window = match state.last_poll_at {
        None => SignedDuration::from_secs(60),
        Some(_) => span(pace(config, source).default.as_secs()),
    };
    let moment = later(started_at, share(window, source.id, started_at));
    moment.max(state.not_before.unwrap_or(moment))
}

/// Whether a source is asked once more before a cut-off: nothing was read of it in the six hours before.
pub fn due_before_cut_off(state: &SourceState, cut_off: Timestamp, now: Timestamp) -> bool {
    let healthy = matches!(state.status, SourceStatus::New | SourceStatus::Ok);
    let unread = state.last_success_at.is_none_or(|last| since(last, cut_off) > STALE_AT_CUT_OFF);
    healthy && unread && now < cut_off && state.not_before.is_none_or(|not_before| not_before <= now)
}

/// The pace of a source's kind; of its host where that one is known to be strict.
pub fn pace(config: &ScheduleConfig, source: &Source) -> Pace {
    match source.kind {
        SourceKind::YoutubeChannel | SourceKind::YoutubePlaylist => config.youtube,
        SourceKind::GithubUser | SourceKind::GithubOrg | SourceKind::GithubRepo => config.github,
        SourceKind::Devto => config.devto,
        SourceKind::GitlabUser | SourceKind::GitlabProject | SourceKind::StackExchange | SourceKind::Mastodon | SourceKind::Bluesky => {
            config.social
        }
        SourceKind::Medium => config.slow_hosts,
        SourceKind::Ical | SourceKind::SessionizeSpeaker | SourceKind::Manual => config.calendars,
        SourceKind::Rss
        | SourceKind::Podcast
        | SourceKind::Vimeo
        | SourceKind::Peertube
        | SourceKind::TwitchChannel
        | SourceKind::Sitemap => {
            if is_strict(source) {
                config.slow_hosts
            } else {
                config.feeds
            }
        }
    }
}

/// Whether a source is at a host that turns away those who come often.
fn is_strict(source: &Source) -> bool {
    const STRICT_HOSTS: [&str; 4] = ["medium.com", "substack.com", "hashnode.dev", "hashnode.com"];
    // Asked after every poll: most addresses need not be taken apart for it.
    let names_one = || {
        STRICT_HOSTS.iter().any(|name| source.locator.as_bytes().windows(name.len()).any(|part| part.eq_ignore_ascii_case(name.as_bytes())))
    };
    let host = || CanonicalUrl::parse(&source.locator).map(|url| url.host()).unwrap_or_default();
    let lies_on = |host: &str| {
        let at = |name: &&str| host.strip_suffix(*name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        STRICT_HOSTS.iter().any(at)
    };
    source.kind == SourceKind::Medium || (source.kind.is_address() && names_one() && lies_on(&host()))
}

fn succeed(config: &ScheduleConfig, source: &Source, next: &mut SourceState, observed: &Observed, now: Timestamp) {
    next.status = SourceStatus::Ok;
    next.last_success_at = Some(now);
    next.failures = 0;
    next.failing_since = None;
    next.gone_count = 0;
    next.gone_since = None;
    next.quiet_until = None;
    next.error = None;
    next.validators.clone_from(&observed.validators);
    let full_at = *next.last_full_at.get_or_insert(now);
    if since(full_at, now) >= FULL_EVERY {
        next.validators = Validators::default();
    }
    follow_move(source, next, observed.moved_to.as_deref(), now);

    let hint = next.least_gap_s.unwrap_or(0).max(observed.freshness.max_age_s.unwrap_or(0));
    let interval = adaptive(pace(config, source), &next.recent).max(span(hint).min(DAY));
    next.interval_s = whole_seconds(interval);
    next.not_before = observed.freshness.poll_interval_s.map(|seconds| later(now, span(seconds).min(DAY)));
    let planned = later(now, jittered(source.id, now, interval));
    plan(next, past_skipped(planned, &next.skip_hours, &next.skip_days));
}

fn plan(next: &mut SourceState, planned: Timestamp) {
    next.next_poll_at = Some(planned.max(next.not_before.unwrap_or(planned)));
}

/// The host wants quiet: nothing else changes.
fn hold(source: &Source, next: &mut SourceState, until: Timestamp, now: Timestamp) {
    let until = until.min(later(now, DAY));
    next.quiet_until = Some(until);
    next.not_before = next.not_before.max(Some(until));
    // Not all of its sources at the very same moment.
    let planned = later(until, share(SignedDuration::from_mins(1), source.id, now));
    plan(next, planned);
}

fn fail(source: &Source, next: &mut SourceState, status: SourceStatus, error: &str, least: SignedDuration, now: Timestamp) {
    next.status = status;
    next.failures = next.failures.saturating_add(1);
    let failing_since = *next.failing_since.get_or_insert(now);
    next.error = Some(error.to_owned());
    let longest = if source.kind.is_youtube() { YOUTUBE_BACK_OFF } else { DAY };
    let base = SignedDuration::from_secs(i64::from(next.interval_s)).max(least);
    let doubled = base.saturating_mul(1 << (next.failures - 1).min(16)).min(longest.max(base));
    let gap = match since(failing_since, now) {
        long if long >= LONG_FAILING => WEEK,
        long if long >= WEEK => doubled.max(DAY),
        _ => doubled,
    };
    // A move that does not hold is taken back: the registered address may know better.
    if next.failures >= DOUBTS && next.final_url.take().is_some() {
        next.validators = Validators::default();
    }
    let planned = later(now, jittered(source.id, now, gap));
    plan(next, planned);
}

fn gone(source: &Source, next: &mut SourceState, now: Timestamp) {
    let error = "the address says that it is gone for good (410)";
    // The platform's feeds have answered wrongly for days, for every channel: that is never the end of one.
    if next.final_url.take().is_some() || source.kind.is_youtube() {
        next.validators = Validators::default();
        return fail(source, next, SourceStatus::Failing, error, SignedDuration::ZERO, now);
    }
    fail(source, next, SourceStatus::Failing, error, SignedDuration::ZERO, now);
    next.gone_count = next.gone_count.saturating_add(1);
    let gone_since = *next.gone_since.get_or_insert(now);
    if next.gone_count >= SIGHTINGS && since(gone_since, now) >= WEEK {
        next.status = SourceStatus::Gone;
        next.next_poll_at = None;
        return;
    }
    let gap = GONE_GAPS[usize::from(next.gone_count > 1)].max(SignedDuration::from_secs(i64::from(next.interval_s)));
    plan(next, later(now, jittered(source.id, now, gap)));
}

/// A permanent redirect is followed for good after three sightings over a week, if it stays on the same registrable
/// domain; another domain waits for a person. Only answers that could be read come here: a hotel's portal never does.
fn follow_move(source: &Source, next: &mut SourceState, moved_to: Option<&str>, now: Timestamp) {
    let Some(target) = moved_to.filter(|_| source.kind.is_address()) else {
        (next.moving_to, next.moving_since, next.moving_seen) = (None, None, 0);
        return;
    };
    if next.moving_to.as_deref() != Some(target) {
        (next.moving_to, next.moving_since, next.moving_seen) = (Some(target.to_owned()), Some(now), 0);
    }
    next.moving_seen = next.moving_seen.saturating_add(1);
    let asked = next.final_url.as_deref().unwrap_or(&source.locator);
    let lasting = next.moving_seen >= SIGHTINGS && next.moving_since.is_some_and(|first| since(first, now) >= WEEK);
    let stays = CanonicalUrl::parse(asked).is_ok_and(|asked| CanonicalUrl::parse(target).is_ok_and(|target| asked.same_site(&target)));
    if lasting && stays {
        next.final_url = next.moving_to.take();
        (next.moving_since, next.moving_seen) = (None, 0);
    }
}

/// The address that an error came from, where redirects hid it; without its query.
fn with_target(error: &str, observed: &Observed) -> String {
    let target = observed.moved_to.as_deref().and_then(|target| url::Url::parse(target).ok());
    match target {
        Some(mut url) => {
            url.set_query(None);
            url.set_fragment(None);
            format!("{error}; it redirects to {url}")
        }
        None => error.to_owned(),
    }
}

/// The newest publication times of old and new ones, newest first. Those in the future say nothing of the past.
fn newest(known: &[i64], published: &[Timestamp], now: Timestamp) -> Vec<i64> {
    let published = published.iter().filter(|at| **at <= now).map(|at| at.as_second());
    let mut all: Vec<_> = known.iter().copied().chain(published).collect();
    all.sort_unstable_by(|one, other| other.cmp(one));
    all.dedup();
    all.truncate(RECENT);
    all
}

/// A sixth of the median gap between the newest entries, within the pace; the default where there is no gap.
fn adaptive(pace: Pace, recent: &[i64]) -> SignedDuration {
    let mut gaps: Vec<i64> = recent.windows(2).map(|two| two[0] - two[1]).collect();
    gaps.sort_unstable();
    match gaps.get(gaps.len() / 2) {
        Some(median) => SignedDuration::from_secs(median / GAP_DIVISOR).clamp(span(pace.min.as_secs()), span(pace.max.as_secs())),
        None => span(pace.default.as_secs()),
    }
}

/// The first moment that is in no skipped hour and on no skipped day (RSS 2.0 `skipHours`, `skipDays`), a day later at
/// most.
fn past_skipped(planned: Timestamp, hours: &[u8], days: &[u8]) -> Timestamp {
    if hours.is_empty() && days.is_empty() {
        return planned;
    }
    let latest = later(planned, DAY);
    let mut moment = planned;
    while moment < latest {
        let civil = moment.to_zoned(TimeZone::UTC);
        // 24 is an old spelling of midnight.
        let hour_skipped = hours.iter().any(|hour| i8::try_from(hour % 24) == Ok(civil.hour()));
        let day_skipped = days.iter().any(|day| i8::try_from(*day) == Ok(civil.weekday().to_monday_one_offset()));
        if !hour_skipped && !day_skipped {
            return moment;
        }
        let past_hour = moment.as_second().rem_euclid(3600);
        moment = later(moment, SignedDuration::from_secs(3600 - past_hour));
    }
    latest
}

/// The span and up to a tenth more, always the same for that source and moment.
fn jittered(source: SourceId, now: Timestamp, span: SignedDuration) -> SignedDuration {
    span.saturating_add(share(SignedDuration::from_secs(span.as_secs() / 10), source, now))
}

/// A part of the span that depends on source and moment alone, evenly spread over all of it.
fn share(span: SignedDuration, source: SourceId, now: Timestamp) -> SignedDuration {
    // The finalizer of SplitMix64: neighbors in, strangers out.
    let mut mixed = source.0.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ now.as_second().cast_unsigned();
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    let seconds = u64::try_from(span.as_secs()).unwrap_or(0).saturating_add(1);
    self::span(mixed % seconds)
}

fn span(seconds: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn whole_seconds(span: SignedDuration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn since(then: Timestamp, now: Timestamp) -> SignedDuration {
    now.duration_since(then)
}

/// Why a schedule gives no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    #[error("`{0}` is no schedule of five fields, minute hour day month weekday")]
    Cron(String),
    #[error("`{0}` is no IANA time zone")]
    Zone(String),
    #[error("the schedule `{0}` never falls due again")]
    Never(String),
}

/// Where a timed task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    /// The slot to run now, if one has passed since the last that was done: the latest, never more than one.
    pub due: Option<Timestamp>,
    /// Slots between that one and the last done, which are not made up; counted up to 1000.
    pub skipped: u32,
    /// The first slot after now.
    pub next: Timestamp,
}

/// When a message is sent again after so many attempts, each twice as long after the one before: a minute at first, two
/// hours at most, and never before the place asked for. `None` once it has been tried for two days.
pub fn next_sending(attempts: u32, asked_for: Option<std::time::Duration>, planned_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    if now.duration_since(planned_at) >= SENDING_FOR {
        return None;
    }
    let doubled = 60i64.saturating_mul(1i64.checked_shl(attempts.saturating_sub(1).min(20)).unwrap_or(i64::MAX));
    let asked_for = asked_for.map_or(0, |pause| i64::try_from(pause.as_secs()).unwrap_or(i64::MAX)).min(24 * 3600);
    now.checked_add(SignedDuration::from_secs(doubled.min(2 * 3600).max(asked_for))).ok()
}

/// The first slot after an instant, reckoned in the schedule's own zone. A local time that does not exist is taken at
/// the end of its gap, one that comes twice at its first coming.
pub fn next_slot(cron: &str, zone: &str, after: Timestamp) -> Result<Timestamp, ScheduleError> {
    let parsed = parse_cron(cron)?;
    let found = parsed.find_next_occurrence(&in_zone(zone, after)?, false).map_err(|_| ScheduleError::Never(cron.to_owned()))?;
    Ok(found.timestamp())
}

/// The last slot at or before an instant.
pub fn last_slot(cron: &str, zone: &str, at: Timestamp) -> Result<Timestamp, ScheduleError> {
    let found = parse_cron(cron)?.find_previous_occurrence(&in_zone(zone, at)?, true);
    found.map(|slot| slot.timestamp()).map_err(|_| ScheduleError::Never(cron.to_owned()))
}

/// What is to be run now. A task that was never done owes nothing: its first slot lies ahead.
pub fn due_slots(cron: &str, zone: &str, last_done: Option<Timestamp>, now: Timestamp) -> Result<Slots, ScheduleError> {
    const MOST_COUNTED: u32 = 1000;
    // A clock that went back must not bring a slot twice.
    let next = next_slot(cron, zone, last_done.map_or(now, |done| done.max(now)))?;
    let Some(done) = last_done else { return Ok(Slots { due: None, skipped: 0, next }) };
    let first = next_slot(cron, zone, done)?;
    if first > now {
        return Ok(Slots { due: None, skipped: 0, next });
    }
    let (mut latest, mut skipped) = (first, 0);
    loop {
        let slot = next_slot(cron, zone, latest)?;
        if slot > now {
            return Ok(Slots { due: Some(latest), skipped, next });
        }
        latest = slot;
        skipped += 1;
        if skipped == MOST_COUNTED {
            break;
        }
    }
    Ok(Slots { due: Some(last_slot(cron, zone, now)?.max(latest)), skipped, next })
}

fn parse_cron(cron: &str) -> Result<croner::Cron, ScheduleError> {
    croner::parser::CronParser::builder()
        .seconds(croner::parser::Seconds::Disallowed)
        .build()
        .parse(cron)
        .map_err(|_| ScheduleError::Cron(cron.to_owned()))
}

fn in_zone(zone: &str, at: Timestamp) -> Result<Zoned, ScheduleError> {
    time_zone(zone).map(|zone| at.to_zoned(zone)).map_err(|_| ScheduleError::Zone(zone.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceId;

    const LOCATOR: &str = "https://blog.example.org/feed";

    fn source(kind: SourceKind) -> Source {
        Source::new(SourceId(7), kind, LOCATOR, LOCATOR)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn read(published: &[&str]) -> Observed {
        let published = published.iter().map(|text| at(text)).collect();
        Observed { outcome: Observation::Read { published, new: 1, hints: FeedHints::default() }, ..Observed::default() }
    }

    fn failed() -> Observed {
        Observed { outcome: Observation::Failed { error: "x".into() }, ..Observed::default() }
    }

    fn of(outcome: Observation) -> Observed {
        Observed { outcome, ..Observed::default() }
    }

    /// Polls whenever it is due until a day; the instants of the polls and the last state.
    fn play(kind: SourceKind, state: SourceState, observed: &Observed, from: Timestamp, days: i64) -> (Vec<Timestamp>, SourceState) {
        let (config, source) = (ScheduleConfig::default(), source(kind));
        let (mut state, mut polls, mut now) = (state, Vec::new(), from);
        while since(from, now) < SignedDuration::from_hours(24 * days) {
            polls.push(now);
            state = after_poll(&config, &source, &state, observed, now);
            match state.next_poll_at {
                Some(next) => now = next,
                None => break,
            }
        }
        (polls, state)
    }

    fn gaps_in_minutes(polls: &[Timestamp]) -> Vec<i64> {
        polls.windows(2).map(|two| since(two[0], two[1]).as_mins()).collect()
    }

    #[test]
    fn the_interval_follows_the_gaps_of_the_entries_within_the_pace() {
        let minutes = SignedDuration::from_mins;
        let pace = ScheduleConfig::default().feeds;
        let every = |step: i64| (0..10).map(|n| 1_800_000_000 - n * step).collect::<Vec<_>>();
        assert_eq!(adaptive(pace, &[]), minutes(120));
        assert_eq!(adaptive(pace, &every(86_400)[..1]), minutes(120));
        assert_eq!(adaptive(pace, &every(86_400)), minutes(240));
        assert_eq!(adaptive(pace, &every(60)), minutes(30));
        assert_eq!(adaptive(pace, &every(86_400 * 30)), minutes(720));
    }

    #[test]
    fn hints_lengthen_the_gap_and_are_clamped_to_a_day() {
        let config = ScheduleConfig::default();
        let now = at("2026-03-09T12:00:00Z");
        let mut observed = read(&[]);
        for (ttl, max_age, least, most) in
            [(None, None, 2, 3), (Some(5 * 3600), None, 5, 6), (None, Some(9 * 3600), 9, 10), (Some(1 << 40), Some(1), 24, 27)]
        {
            observed.outcome =
                Observation::Read { published: Vec::new(), new: 0, hints: FeedHints { least_gap_s: ttl, ..FeedHints::default() } };
            observed.freshness.max_age_s = max_age;
            let state = after_poll(&config, &source(SourceKind::Rss), &SourceState::default(), &observed, now);
            let gap = since(now, state.next_poll_at.unwrap());
            assert!(gap >= SignedDuration::from_hours(least) && gap <= SignedDuration::from_hours(most), "{ttl:?} {max_age:?}: {gap:?}");
            // A 304 says nothing of the feed's own wishes: they stay.
            let unchanged = Observed { freshness: observed.freshness.clone(), ..of(Observation::Unchanged) };
            assert_eq!(after_poll(&config, &source(SourceKind::Rss), &state, &unchanged, now).interval_s, state.interval_s);
        }
    }

    #[test]
    fn skipped_hours_and_days_are_slept_through_but_never_more_than_a_day() {
        let all: Vec<u8> = (0..24).collect();
        for (planned, hours, days, wanted) in [
            ("2026-03-09T12:10:00Z", &[13][..], &[][..], "2026-03-09T12:10:00Z"),
            ("2026-03-09T12:10:00Z", &[12, 13], &[], "2026-03-09T14:00:00Z"),
            ("2026-03-09T23:10:00Z", &[23, 24], &[], "2026-03-10T01:00:00Z"),
            ("2026-03-09T12:10:00Z", &[], &[1], "2026-03-10T00:00:00Z"),
            ("2026-03-09T12:10:00Z", &all, &[], "2026-03-10T12:10:00Z"),
        ] {
            assert_eq!(past_skipped(at(planned), hours, days), at(wanted), "{planned} {hours:?} {days:?}");
        }
    }

    #[test]
    fn the_poll_interval_of_a_resource_holds_whatever_the_pace() {
        let now = at("2026-03-09T12:00:00Z");
        let observed = Observed { freshness: Freshness { poll_interval_s: Some(7 * 3600), max_age_s: None }, ..of(Observation::Unchanged) };
        let state = after_poll(&ScheduleConfig::default(), &source(SourceKind::GithubUser), &SourceState::default(), &observed, now);
        assert_eq!((state.not_before, state.next_poll_at), (Some(later(now, HOUR * 7)), Some(later(now, HOUR * 7))));
    }

    #[test]
    fn errors_only_ever_slow_down_and_one_good_answer_restores() {
        let start = at("2026-01-01T00:00:00Z");
        let known = SourceState { interval_s: 3600, ..SourceState::default() };
        let (polls, state) = play(SourceKind::Rss, known.clone(), &failed(), start, 60);
        let gaps = gaps_in_minutes(&polls);
        assert!(gaps.iter().zip([60, 120, 240, 480, 960, 1440]).all(|(gap, least)| *gap >= least && *gap <= least * 11 / 10), "{gaps:?}");
        let within = |from: i64, to: i64| polls.iter().filter(|poll| (from..to).contains(&(since(start, **poll).as_hours() / 24))).count();
        assert!(within(7, 14) <= 7 && within(31, 59) <= 5, "{polls:?}");
        assert_eq!((state.status, state.failing_since), (SourceStatus::Failing, Some(start)));
        let mended = after_poll(&ScheduleConfig::default(), &source(SourceKind::Rss), &state, &read(&[]), at("2026-03-09T12:00:00Z"));
        assert_eq!((mended.status, mended.failures, mended.failing_since, mended.error), (SourceStatus::Ok, 0, None, None));
        assert_eq!(mended.interval_s, 7200);

        let (polls, _) = play(SourceKind::YoutubeChannel, known, &failed(), start, 5);
        assert!(gaps_in_minutes(&polls).iter().all(|gap| *gap >= 60 && *gap <= 396));
    }

    #[test]
    fn who_refuses_us_is_asked_four_times_a_day_at_most() {
        let blocked = of(Observation::Blocked { error: "x".into() });
        let (polls, state) = play(SourceKind::Rss, SourceState::default(), &blocked, at("2026-01-01T00:00:00Z"), 10);
        assert!(gaps_in_minutes(&polls).iter().all(|gap| *gap >= 360));
        assert_eq!(state.status, SourceStatus::Blocked);
    }

    #[test]
    fn a_410_ends_it_after_a_week_and_no_sooner() {
        let (polls, state) = play(SourceKind::Rss, SourceState::default(), &of(Observation::Gone), at("2026-01-01T00:00:00Z"), 40);
        assert_eq!((polls.len(), state.status, state.next_poll_at), (4, SourceStatus::Gone, None));
        assert!(since(polls[0], polls[3]) >= WEEK);
        let once =
            after_poll(&ScheduleConfig::default(), &source(SourceKind::Rss), &SourceState::default(), &of(Observation::Gone), polls[0]);
        let back = after_poll(&ScheduleConfig::default(), &source(SourceKind::Rss), &once, &read(&[]), polls[1]);
        assert_eq!((back.status, back.gone_count, back.gone_since), (SourceStatus::Ok, 0, None));
        // A 404 is never the end.
        let (_, state) = play(SourceKind::Rss, SourceState::default(), &failed(), polls[0], 400);
        assert!(state.status == SourceStatus::Failing && state.next_poll_at.is_some());
    }

    #[test]
    fn quiet_is_kept_without_blame() {
        let now = at("2026-03-09T12:00:00Z");
        let until = at("2026-03-09T12:30:00Z");
        let known = SourceState { status: SourceStatus::Ok, interval_s: 3600, ..SourceState::default() };
        for outcome in [Observation::Deferred { until: Some(until), error: "x".into() }, Observation::Held { until }] {
            let state = after_poll(&ScheduleConfig::default(), &source(SourceKind::Rss), &known, &of(outcome), now);
            assert_eq!(
                (state.status, state.failures, state.not_before, state.quiet_until),
                (SourceStatus::Ok, 0, Some(until), Some(until))
            );
            assert!(state.next_poll_at.unwrap() >= until && state.next_poll_at.unwrap() <= later(until, HOUR));
        }
        let far = of(Observation::Held { until: at("2036-01-01T00:00:00Z") });
        let state = after_poll(&ScheduleConfig::default(), &source(SourceKind::Rss), &known, &far, now);
        assert_eq!(state.not_before, Some(later(now, DAY)));
        let (polls, _) = play(SourceKind::Rss, known, &of(Observation::Deferred { until: None, error: "x".into() }), now, 3);
        assert!(gaps_in_minutes(&polls)[..3].iter().zip([60, 120, 240]).all(|(gap, least)| *gap >= least));
    }

    #[test]
    fn validators_are_kept_each_for_itself_and_left_out_every_eighth_day() {
        let (config, source) = (ScheduleConfig::default(), source(SourceKind::Rss));
        let tag = |etag: &str| Validators { etag: Some(etag.into()), ..Validators::default() };
        let start = at("2026-01-01T00:00:00Z");
        let mut state = after_poll(&config, &source, &SourceState::default(), &Observed { validators: tag("\"1\""), ..read(&[]) }, start);
        assert_eq!(state.validators, tag("\"1\""));
        state = after_poll(&config, &source, &state, &failed(), start);
        assert_eq!(state.validators, tag("\"1\""), "an error keeps them");
        let mut full = 0;
        let mut now = start;
        while since(start, now) < SignedDuration::from_hours(24 * 33) {
            let observed = if state.validators.is_empty() {
                full += 1;
                Observed { validators: tag("\"2\""), ..read(&[]) }
            } else {
                Observed { validators: state.validators.clone(), ..of(Observation::Unchanged) }
            };
            state = after_poll(&config, &source, &state, &observed, now);
            now = state.next_poll_at.unwrap();
        }
        assert_eq!(full, 4);
    }

    #[test]
    fn a_move_is_followed_when_it_lasts_and_stays_in_the_family() {
        let start = at("2026-01-01T00:00:00Z");
        for (target, followed) in
            [("https://www.example.org/new", true), ("https://elsewhere.example/feed", false), ("https://other.example.net/feed", false)]
        {
            let moved = Observed { moved_to: Some(target.into()), ..of(Observation::Unchanged) };
            let (_, state) = play(SourceKind::Rss, SourceState::default(), &moved, start, 6);
            assert_eq!(state.final_url, None);
            let (_, state) = play(SourceKind::Rss, state, &moved, start + WEEK, 1);
            assert_eq!(state.final_url.as_deref(), followed.then_some(target), "{target}");
        }
        // A portal that answers everything with a redirect, but is no feed.
        let portal = Observed { moved_to: Some("http://blog.example.org/portal?session=1".into()), ..failed() };
        let (_, state) = play(SourceKind::Rss, SourceState::default(), &portal, start, 30);
        assert_eq!((state.final_url, state.moving_to), (None, None));
        assert_eq!(state.error.as_deref(), Some("x; it redirects to http://blog.example.org/portal"));
        // What was followed and then failed is taken back.
        let moved = SourceState { final_url: Some("https://www.example.org/new".into()), ..SourceState::default() };
        let (polls, state) = play(SourceKind::Rss, moved, &failed(), start, 1);
        assert!(polls.len() >= 3 && state.final_url.is_none());
        let same = |one: &str, other: &str| CanonicalUrl::parse(one).unwrap().same_site(&CanonicalUrl::parse(other).unwrap());
        assert!(same("http://127.0.0.1/a", "http://127.0.0.1:81/b") && !same("http://127.0.0.1/", "http://10.0.0.1/"));
    }

    #[test]
    fn a_start_is_no_burst_and_forgets_no_plan() {
        let config = ScheduleConfig::default();
        let now = at("2026-03-09T12:00:00Z");
        let planned = SourceState { next_poll_at: Some(later(now, HOUR)), ..SourceState::default() };
        assert_eq!(spread(&config, &source(SourceKind::Rss), &planned, now), later(now, HOUR));
        let overdue = SourceState { next_poll_at: Some(now - DAY), last_poll_at: Some(now - DAY), ..SourceState::default() };
        let mut quarters = [0; 4];
        for id in 0..1000 {
            let source = Source { id: SourceId(id), ..source(SourceKind::Rss) };
            let wait = since(now, spread(&config, &source, &overdue, now)).as_mins();
            quarters[usize::try_from(wait / 30).unwrap().min(3)] += 1;
        }
        assert!(quarters.iter().all(|count| (200..300).contains(count)), "{quarters:?}");
    }

    #[test]
    fn slots_keep_to_the_clock_on_the_wall() {
        let play = |cron: &str, zone: &str, from: &str, count: usize| {
            let mut slots = vec![at(from)];
            for _ in 0..count {
                slots.push(next_slot(cron, zone, *slots.last().unwrap()).unwrap());
            }
            slots[1..].iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            play("0 8 * * MON", "Europe/Berlin", "2026-03-16T12:00:00Z", 4),
            ["2026-03-23T07:00:00Z", "2026-03-30T06:00:00Z", "2026-04-06T06:00:00Z", "2026-04-13T06:00:00Z"]
        );
        assert_eq!(
            play("30 2 * * SUN", "Europe/Berlin", "2026-03-16T12:00:00Z", 3),
            ["2026-03-22T01:30:00Z", "2026-03-29T01:00:00Z", "2026-04-05T00:30:00Z"]
        );
        // The local 02:30 of 25 October comes twice and is taken once.
        assert_eq!(play("30 2 * * SUN", "Europe/Berlin", "2026-10-20T00:00:00Z", 2), ["2026-10-25T00:30:00Z", "2026-11-01T01:30:00Z"]);
        assert_eq!(next_slot("0 6 * *", "UTC", at("2026-01-01T00:00:00Z")), Err(ScheduleError::Cron("0 6 * *".into())));
        assert_eq!(next_slot("0 6 * * *", "Mars/X", at("2026-01-01T00:00:00Z")), Err(ScheduleError::Zone("Mars/X".into())));
        assert!(matches!(next_slot("0 6 30 2 *", "UTC", at("2026-01-01T00:00:00Z")), Err(ScheduleError::Never(_))));
    }

    #[test]
    fn what_was_missed_is_made_up_once() {
        let due = |cron: &str, done: Option<&str>, now: &str| due_slots(cron, "UTC", done.map(at), at(now)).unwrap();
        let weekly = "0 6 * * MON";
        assert_eq!(due(weekly, None, "2026-03-09T07:00:00Z").due, None);
        assert_eq!(due(weekly, Some("2026-03-09T06:00:00Z"), "2026-03-16T05:59:59Z").due, None);
        assert_eq!(due(weekly, Some("2026-03-09T06:00:00Z"), "2026-03-16T06:00:00Z").due, Some(at("2026-03-16T06:00:00Z")));
        let slept = due(weekly, Some("2026-03-02T06:00:00Z"), "2026-04-01T00:00:00Z");
        assert_eq!(slept, Slots { due: Some(at("2026-03-30T06:00:00Z")), skipped: 3, next: at("2026-04-06T06:00:00Z") });
        // Fired a little early and done: not again on time. The same for a clock that went back.
        let early = due(weekly, Some("2026-03-16T06:00:00Z"), "2026-03-16T05:59:52Z");
        assert_eq!((early.due, early.next), (None, at("2026-03-23T06:00:00Z")));
        let years = due("* * * * *", Some("2020-01-01T00:00:00Z"), "2026-03-09T12:00:30Z");
        assert_eq!((years.due, years.skipped, years.next), (Some(at("2026-03-09T12:00:00Z")), 1000, at("2026-03-09T12:01:00Z")));
    }
}

//! A published digest on its way: planned once, sent part by part, every step on record.
//!
//! An attempt is a fact before anything goes out, and another before anything can arrive. What was interrupted between
//! the two is sent again; after the second it may have arrived, and then it depends on the place: mail and webhooks go
//! out again under the same mark, by which the receiving side knows them; a chat knows nothing of marks, so a person
//! decides. Messages are kept as planned: a second attempt sends the same bytes.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::Context;
use super::publish::render_context;
use crate::config::{ChannelKind, DeliveryConfig};
use crate::deliver::{self, Channel, End, Parcel};
use crate::model::{DeliveryState, DigestState, Week, sha256_hex};
use crate::render::{self, Format, RenderError};
use crate::schedule;
use crate::store::{DeliveryEnd, DeliveryRow, DigestRow, NewDelivery, Standing, StoreError};

/// Only what was published so lately is planned without being asked: a channel that is set up later does not begin with
/// old weeks.
const PLANNED_WITHIN: SignedDuration = SignedDuration::from_hours(48);

/// Why nothing could be sent.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    #[error("{}", Standing::NotPublished(*.0))]
    NotPublished(Week),
    #[error("{}", Standing::NoDraft(*.0))]
    NoDraft(Week),
    #[error("no place to send to is set up: add a [[delivery]] section to the configuration")]
    NoChannels,
    #[error("there is no channel `{0}` in the configuration")]
    NoChannel(String),
    #[error("`{0}` is no mail address")]
    Address(String),
    #[error("a test goes by mail, and no channel of kind `smtp` is set up{0}")]
    NoMail(String),
    #[error("the test was not sent: {0}")]
    Test(String),
    #[error("another clarion is sending at this moment: ask again when it is done")]
    Busy,
    #[error("nothing of {week} for `{channel}` is in doubt or has failed")]
    NothingToSettle { week: Week, channel: String },
    #[error("the digest cannot be rendered: {0}")]
    Render(#[from] RenderError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which deliveries a pass is about.
#[derive(Debug, Clone, Default)]
pub struct Sending {
    /// One week; all otherwise.
    pub week: Option<Week>,
    /// One channel; all otherwise.
    pub channel: Option<String>,
    /// Those that wait for a later attempt are tried now, unless their place asked for peace.
    pub now: bool,
}

/// Plans where a published digest goes: every enabled channel, once. Planned already: nothing happens.
pub async fn plan_deliveries(ctx: &Context, week: Week) -> Result<u32, DeliverError> {
    let deliveries = intents(ctx, week, None).await?;
    Ok(ctx.store.plan_deliveries(week, deliveries, true, ctx.clock.now()).await?)
}

/// Plans what was published lately and never planned, since the process ended in between.
pub async fn plan_missing(ctx: &Context) -> Result<(), DeliverError> {
    let since = ctx.clock.now().saturating_sub(PLANNED_WITHIN).unwrap_or(Timestamp::MIN);
    for week in ctx.store.weeks_to_plan(since).await? {
        plan_deliveries(ctx, week).await?;
    }
    Ok(())
}

/// Sends a week at a person's wish: what was never planned is planned, what waits is tried now. Answers how each
/// delivery stands.
pub async fn send(ctx: &Context, week: Week, channel: Option<&str>) -> Result<Vec<DeliveryRow>, DeliverError> {
    match channel {
        Some(name) if !ctx.config.delivery.iter().any(|config| config.name == name) => {
            return Err(DeliverError::NoChannel(name.to_owned()));
        }
        None if ctx.config.delivery.is_empty() => return Err(DeliverError::NoChannels),
        _ => {}
    }
    let deliveries = intents(ctx, week, channel).await?;
    ctx.store.plan_deliveries(week, deliveries, false, ctx.clock.now()).await?;
    // From here on the week counts as planned, whichever channels were asked for.
    ctx.store.plan_deliveries(week, Vec::new(), true, ctx.clock.now()).await?;
    send_due(ctx, &Sending { week: Some(week), channel: channel.map(str::to_owned), now: true }).await?;
    let mut rows = ctx.store.deliveries(Some(week)).await?;
    rows.retain(|row| channel.is_none_or(|name| row.channel == name));
    Ok(rows)
}

/// Sends all that is due. One process at a time does so, and first settles what an interrupted one left.
pub async fn send_due(ctx: &Context, sending: &Sending) -> Result<(), DeliverError> {
    if ctx.store.open_deliveries().await?.is_empty() {
        return Ok(());
    }
    let _lock = match ctx.store.lock_sending() {
        Ok(lock) => lock,
        Err(StoreError::Taken(_)) => return Err(DeliverError::Busy),
        Err(error) => return Err(error.into()),
    };
    settle_interrupted(ctx).await?;
    let now = ctx.clock.now();
    let mut by_channel: BTreeMap<(Week, String), Vec<DeliveryRow>> = BTreeMap::new();
    for row in ctx.store.open_deliveries().await? {
        let wanted = sending.week.is_none_or(|week| row.week == week) && sending.channel.as_ref().is_none_or(|name| row.channel == *name);
        if wanted {
            by_channel.entry((row.week, row.channel.clone())).or_default().push(row);
        }
    }
    let mut tasks = tokio::task::JoinSet::new();
    for rows in by_channel.into_values() {
        let (ctx, at_once) = (ctx.clone(), sending.now);
        tasks.spawn(async move { send_rows(&ctx, rows, at_once, now).await });
    }
    let mut outcome = Ok(());
    while let Some(done) = tasks.join_next().await {
        // A channel that panics leaves its delivery as interrupted; the others go on.
        if let Ok(Err(error)) = done {
            outcome = Err(error.into());
        }
    }
    outcome
}

/// The parts of one week for one channel, in order.
async fn send_rows(ctx: &Context, rows: Vec<DeliveryRow>, at_once: bool, now: Timestamp) -> Result<(), StoreError> {
    for row in rows {
        let Some(config) =
            ctx.config.delivery.iter().find(|config| config.name == row.channel && config.enabled && config.kind.as_str() == row.kind)
        else {
            continue;
        };
        // Nobody's haste goes before a place that asked for peace.
        let at_once = at_once && row.not_before.is_none_or(|until| until <= now);
        let due = row.state == DeliveryState::Planned && (at_once || row.next_at <= now);
        let sent = due && attempt(ctx, config, &row).await?;
        // A chat gets its messages in order; each address of a mail stands for itself.
        if !sent && !deliver::is_known_again(config.kind) {
            break;
        }
    }
    Ok(())
}

/// One attempt, with its facts. Answers whether it was taken.
async fn attempt(ctx: &Context, config: &DeliveryConfig, row: &DeliveryRow) -> Result<bool, StoreError> {
    if !ctx.store.begin_delivery(row.id, ctx.clock.now()).await? {
        return Ok(false);
    }
    let (body, fallback) = ctx.store.delivery_body(row.id).await?;
    if body.is_empty() && config.kind != ChannelKind::Files {
        let note = "its text was taken away after publication".to_owned();
        let end = DeliveryEnd { state: DeliveryState::Failed, next_at: None, not_before: None, again: false, note };
        ctx.store.end_delivery(row.id, end, ctx.clock.now()).await?;
        return Ok(false);
    }
    let parcel = Parcel {
        mark: row.mark.clone(),
        to: row.target.clone(),
        files: if config.kind == ChannelKind::Files { sealed_files(ctx, config, row.week).await? } else { Vec::new() },
        body,
        fallback,
        at_s: ctx.clock.now().as_second(),
    };
    let channel = Channel::new(config, ctx.fetcher.client());
    let end = match channel.open(&parcel).await {
        Ok(ready) => {
            ctx.store.offer_delivery(row.id, ctx.clock.now()).await?;
            ready.complete().await
        }
        Err(end) => end,
    };
    let now = ctx.clock.now();
    let end = judged(config.kind, &end, row, row.attempts + 1, now);
    let (week, name) = (row.week, &row.channel);
    match end.state {
        DeliveryState::Sent => tracing::info!(week = %week, channel = name, part = row.part, "sent the digest of {week} to {name}"),
        DeliveryState::Doubt => tracing::warn!(
            week = %week,
            channel = name,
            part = row.part,
            "nobody knows whether the digest of {week} reached {name}: look there, then run `clarion digest resolve {week} --channel {name}`"
        ),
        DeliveryState::Failed => {
            tracing::error!(week = %week, channel = name, part = row.part, "the digest of {week} was not sent to {name}: {}", end.note);
        }
        _ => tracing::warn!(week = %week, channel = name, part = row.part, "the digest of {week} was not sent to {name} yet: {}", end.note),
    }
    let sent = end.state == DeliveryState::Sent;
    ctx.store.end_delivery(row.id, end, now).await?;
    Ok(sent)
}

/// What an attempt's end means for the delivery.
fn judged(kind: ChannelKind, end: &End, row: &DeliveryRow, attempts: u32, now: Timestamp) -> DeliveryEnd {
    let over = |state, note: &str| DeliveryEnd { state, next_at: None, not_before: None, again: false, note: note.to_owned() };
    let later =
        |note: &str, after: Option<std::time::Duration>, again: bool| match schedule::next_sending(attempts, after, row.planned_at, now) {
            Some(next_at) => {
                let asked_for = |pause| now.checked_add(SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX)).unwrap_or(next_at);
                let not_before = after.map(|pause| asked_for(pause).min(next_at));
                DeliveryEnd { state: DeliveryState::Planned, next_at: Some(next_at), not_before, again, note: note.to_owned() }
            }
            None => over(DeliveryState::Failed, &format!("given up after {attempts} attempts: {note}")),
        };
    match end {
        End::Accepted(note) => over(DeliveryState::Sent, note),
        End::Refused(note) => over(DeliveryState::Failed, note),
        End::Later { reason, after } => later(reason, *after, false),
        End::Unknown(note) if deliver::is_known_again(kind) => later(note, None, true),
        End::Unknown(note) => over(DeliveryState::Doubt, note),
    }
}

/// Attempts that no process is at any more: one that could not have arrived is planned again at once, one that may have
/// arrived by what its place knows.
async fn settle_interrupted(ctx: &Context) -> Result<(), StoreError> {
    let now = ctx.clock.now();
    for row in ctx.store.open_deliveries().await? {
        let planned = |note: &str, again| DeliveryEnd {
            state: DeliveryState::Planned,
            next_at: Some(now),
            not_before: None,
            again,
            note: note.to_owned(),
        };
        let known = ChannelKind::parse(&row.kind).is_some_and(deliver::is_known_again);
        let end = match row.state {
            DeliveryState::Trying => planned("interrupted before anything could arrive", false),
            DeliveryState::Offered if known => planned("interrupted while it was handed over: sent again under the same mark", true),
            DeliveryState::Offered => DeliveryEnd {
                state: DeliveryState::Doubt,
                next_at: None,
                not_before: None,
                again: false,
                note: "interrupted while it was handed over: it may have arrived".to_owned(),
            },
            _ => continue,
        };
        let (week, name) = (row.week, row.channel.as_str());
        if end.state == DeliveryState::Doubt {
            tracing::warn!(
                week = %week,
                channel = name,
                part = row.part,
                "nobody knows whether the digest of {week} reached {name}: look there, then run `clarion digest resolve {week} --channel {name}`"
            );
        }
        ctx.store.end_delivery(row.id, end, now).await?;
    }
    Ok(())
}

/// Settles by a person's word what is in doubt or has failed: it arrived, or it is sent again.
pub async fn resolve_delivery(
    ctx: &Context,
    week: Week,
    channel: &str,
    part: Option<u32>,
    sent: bool,
    by: &str,
    note: Option<String>,
) -> Result<Vec<DeliveryRow>, DeliverError> {
    let mut rows = ctx.store.deliveries(Some(week)).await?;
    rows.retain(|row| {
        row.channel == channel
            && part.is_none_or(|part| row.part == part)
            && matches!(row.state, DeliveryState::Doubt | DeliveryState::Failed)
    });
    if rows.is_empty() {
        return Err(DeliverError::NothingToSettle { week, channel: channel.to_owned() });
    }
    for row in &rows {
        ctx.store.settle_delivery(row.id, sent, by.to_owned(), note.clone(), ctx.clock.now()).await?;
    }
    let mut rows = ctx.store.deliveries(Some(week)).await?;
    rows.retain(|row| row.channel == channel);
    Ok(rows)
}

/// Sends the digest of a week, draft or published, to one address. Nothing is marked as sent by it.
pub async fn send_test(ctx: &Context, week: Week, address: &str, channel: Option<&str>, by: &str) -> Result<String, DeliverError> {
    let to = address.trim();
    if !to.is_ascii() || to.parse::<lettre::Address>().is_err() {
        return Err(DeliverError::Address(to.chars().filter(|c| !c.is_control()).take(100).collect()));
    }
    let fits = |config: &&DeliveryConfig| config.kind == ChannelKind::Smtp && channel.is_none_or(|name| config.name == name);
    let config = ctx
        .config
        .delivery
        .iter()
        .find(fits)
        .ok_or_else(|| DeliverError::NoMail(channel.map(|name| format!(" under the name `{name}`")).unwrap_or_default()))?;
    let row = super::draft::digest_now(ctx, week).await?.ok_or(DeliverError::NoDraft(week))?;
    let now = ctx.clock.now();
    // A mail program shows one of two mails with the same id: a test must not hide the real one.
    let body = mail(ctx, &row, config, to, Some(now.as_millisecond().to_string()))?;
    let parcel = Parcel { mark: message_id(&body), to: to.to_owned(), body, fallback: None, files: Vec::new(), at_s: now.as_second() };
    let end = match Channel::new(config, ctx.fetcher.client()).open(&parcel).await {
        Ok(ready) => ready.complete().await,
        Err(end) => end,
    };
    match end {
        End::Accepted(_) => {
            ctx.store.record_test_mail(week, config.name.clone(), to.to_owned(), by.to_owned(), now).await?;
            Ok(config.name.clone())
        }
        End::Later { reason, .. } | End::Refused(reason) | End::Unknown(reason) => Err(DeliverError::Test(reason)),
    }
}

/// What of a published digest goes to each enabled channel, or to the one that is named.
async fn intents(ctx: &Context, week: Week, channel: Option<&str>) -> Result<Vec<NewDelivery>, DeliverError> {
    let row = ctx.store.digest(week).await?.ok_or(DeliverError::NoDraft(week))?;
    if row.state != DigestState::Published {
        return Err(DeliverError::NotPublished(week));
    }
    let mut deliveries = Vec::new();
    for config in &ctx.config.delivery {
        let wanted = channel.map_or(config.enabled, |name| config.name == name);
        if wanted {
            deliveries.extend(of_channel(ctx, &row, config).await?);
        }
    }
    Ok(deliveries)
}

async fn of_channel(ctx: &Context, row: &DigestRow, config: &DeliveryConfig) -> Result<Vec<NewDelivery>, DeliverError> {
    let sealed = |format: Format| async move {
        let bytes = ctx.store.sealed(row.week, format.extension()).await?;
        bytes.ok_or_else(|| StoreError::Broken(format!("the digest of {} was sealed without its {format}", row.week)))
    };
    let new = |part: usize, parts: usize, target: &str, mark: String, body: Vec<u8>, fallback: Option<Vec<u8>>| NewDelivery {
        channel: config.name.clone(),
        kind: config.kind.as_str().to_owned(),
        part: u32::try_from(part).unwrap_or(u32::MAX),
        parts: u32::try_from(parts).unwrap_or(u32::MAX),
        hash: sha256_hex(&body),
        mark,
        target: target.to_owned(),
        body,
        fallback,
    };
    let mark = |part: usize| format!("{}.{}.{part}", row.week, config.name);
    Ok(match config.kind {
        ChannelKind::Smtp => {
            let mut mails = Vec::new();
            for (at, to) in config.to.iter().enumerate() {
                let body = mail(ctx, row, config, to, None)?;
                mails.push(new(at + 1, config.to.len(), to, message_id(&body), body, None));
            }
            mails
        }
        ChannelKind::Webhook => vec![new(1, 1, "", mark(1), sealed(Format::Json).await?, None)],
        ChannelKind::Files => vec![new(1, 1, "", mark(1), Vec::new(), None)],
        ChannelKind::Slack => messages(&sealed(Format::Slack).await?)?
            .into_iter()
            .map(|(part, parts, body, fallback)| new(part, parts, "", mark(part), body, fallback))
            .collect(),
        ChannelKind::Discord => messages(&sealed(Format::Discord).await?)?
            .into_iter()
            .map(|(part, parts, body, fallback)| new(part, parts, "", mark(part), body, fallback))
            .collect(),
        ChannelKind::Teams => messages(&sealed(Format::Teams).await?)?
            .into_iter()
            .map(|(part, parts, body, fallback)| new(part, parts, "", mark(part), body, fallback))
            .collect(),
    })
}

/// A message of a chat: its place, how many there are, what is posted, and its other form.
type Message = (usize, usize, Vec<u8>, Option<Vec<u8>>);

/// The messages of a sealed chat document, each with its other form where there is one.
fn messages(sealed: &[u8]) -> Result<Vec<Message>, StoreError> {
    let document: serde_json::Value = serde_json::from_slice(sealed)?;
    let of = |name: &str| document[name].as_array().cloned().unwrap_or_default();
    let (messages, fallback) = (of("messages"), of("fallback"));
    let all = messages.len();
    Ok(messages
        .iter()
        .enumerate()
        .map(|(at, message)| (at + 1, all, message.to_string().into_bytes(), fallback.get(at).map(|other| other.to_string().into_bytes())))
        .collect())
}

/// The mail of a channel: with the list's own headers, and the address that it goes to.
fn mail(ctx: &Context, row: &DigestRow, config: &DeliveryConfig, to: &str, test: Option<String>) -> Result<Vec<u8>, RenderError> {
    let context = render::Context {
        from: config.from.clone(),
        list_id: config.list_id.clone(),
        unsubscribe: config.unsubscribe.clone(),
        utm: config.utm,
        test,
        ..render_context(ctx, row)
    };
    let message = tokio::task::block_in_place(|| render::render(&row.digest, &context, Format::Eml))?;
    Ok([format!("To: {to}\r\n").as_bytes(), &message].concat())
}

fn message_id(message: &[u8]) -> String {
    let head = String::from_utf8_lossy(&message[..message.len().min(16 << 10)]).replace("\r\n ", " ");
    let line = head.split("\r\n").find_map(|line| line.strip_prefix("Message-ID: ")).unwrap_or_default();
    line.trim().to_owned()
}

/// The sealed files that a folder gets.
async fn sealed_files(ctx: &Context, config: &DeliveryConfig, week: Week) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let mut files = Vec::new();
    for format in Format::ALL {
        let wanted = config.formats.is_empty() || config.formats.iter().any(|name| name == format.name());
        if wanted && let Some(bytes) = ctx.store.sealed(week, format.extension()).await? {
            files.push((format!("{week}.{}", format.extension()), bytes));
        }
    }
    Ok(files)
}

//! What the last polls say of the world: our own network down, or a whole platform ill.
//!
//! Neither is charged to single sources. In: every poll with its host. Out: whether a failure may be ours, and which
//! hosts to leave alone for a while.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::Context;
use crate::health::{self, Notice, Sample};
use crate::model::Poll;
use crate::store::StoreError;

/// So many polls are remembered.
const LATEST: usize = 60;
/// How long a host is left alone on which most feeds fail at once (PLATFORMS.md section 6).
const BREAK: SignedDuration = SignedDuration::from_mins(30);
/// Polls longer ago than this say nothing of the network now.
const RECENT: SignedDuration = SignedDuration::from_mins(5);

/// How long the first failures wait for what other hosts say.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(500);

/// The last polls, newest last.
#[derive(Debug, Default)]
pub struct Weather {
    polls: Mutex<VecDeque<(String, Poll)>>,
    /// Hosts that were out of reach, and when last.
    silent: Mutex<HashMap<String, Timestamp>>,
}

impl Weather {
    /// Remembers a poll.
    pub(super) fn note(&self, host: &str, poll: &Poll) {
        let mut polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
        if polls.len() == LATEST {
            polls.pop_front();
        }
        polls.push_back((host.to_owned(), poll.clone()));
    }

    /// Whether it is our own network that is down: nobody answered anything lately, that host included. The first of many
    /// failures cannot tell yet, so it waits a moment for what becomes of the others.
    pub(super) async fn is_offline(&self, host: &str, now: Timestamp) -> bool {
        {
            let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
            silent.retain(|_, at| now.duration_since(*at) <= RECENT);
            silent.insert(host.to_owned(), now);
        }
        if !self.seems_offline(now) && !self.heard_anyone(now) {
            tokio::time::sleep(PATIENCE).await;
        }
        self.seems_offline(now)
    }

    fn seems_offline(&self, now: Timestamp) -> bool {
        let polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = polls.iter().rev().take_while(|(_, poll)| now.duration_since(poll.at) <= RECENT).take(10);
        health::is_offline(recent.map(|(host, poll)| Sample { host, poll }), silent.keys().map(String::as_str))
    }

    fn heard_anyone(&self, now: Timestamp) -> bool {
        let polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
        polls.iter().rev().take_while(|(_, poll)| now.duration_since(poll.at) <= RECENT).any(|(_, poll)| poll.status.is_some())
    }

    /// Whether most of the last polls of a host failed, over several sources.
    pub(super) fn is_ill(&self, host: &str) -> bool {
        let polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
        let of_host = polls.iter().filter(|(other, _)| other == host);
        !health::incidents(of_host.map(|(host, poll)| Sample { host, poll })).is_empty()
    }
}

/// Leaves a host alone for a while on which most of the last polls failed.
pub(super) fn spare_ill_host(ctx: &Context, host: &str, url: &str, now: Timestamp) {
    if ctx.weather.is_ill(host) {
        let until = now.saturating_add(BREAK).unwrap_or(now);
        tracing::warn!(host, "most of the last polls of {host} failed: it is left alone until {until:.0}");
        ctx.fetcher.close(url, until);
        ctx.weather.polls.lock().unwrap_or_else(PoisonError::into_inner).retain(|(other, _)| other != host);
    }
}

/// Tells, once each, which sources have been ill for long and which are well again.
pub async fn tell_lasting(ctx: &Context) -> Result<u32, StoreError> {
    let now = ctx.clock.now();
    let mut states = ctx.store.source_states().await?;
    let mut told = 0;
    let mut failing_hosts: HashMap<String, bool> = HashMap::new();
    for source in ctx.store.sources().await? {
        let Some(mut state) = states.remove(&source.id) else { continue };
        let host = super::lanes::host_of(&source.url);
        let host_fails = *failing_hosts.entry(host.clone()).or_insert_with(|| ctx.weather.is_ill(&host));
        match health::notice(&source, &state, host_fails, now) {
            Some(Notice::Lasting(ailment)) => {
                tracing::warn!(source.id = %source.id, "source {} has been ill for long: {}", source.id, ailment.sentence);
                state.told_at = Some(now);
            }
            Some(Notice::Recovered) => {
                tracing::info!(source.id = %source.id, "source {} is well again", source.id);
                state.told_at = None;
            }
            None => continue,
        }
        told += 1;
        ctx.store.remember(source.id, state, false);
    }
    Ok(told)
}

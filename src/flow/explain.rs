//! "Where is my post?": gathers what is known of one address for `diagnose`.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::draft::standing;
use super::{Context, DraftError, settle};
use crate::diagnose::{self, Facts, Judged, SourceFacts};
use crate::digest::TIME_IS_OVER;
use crate::model::{ActivityId, BuilderId, CanonicalUrl, DigestState, Outcome, OutcomeCode, Source, SourceId, Week, masked, masked_text};
use crate::store::StoreError;

pub use crate::diagnose::Check;

/// What became of an address.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Explanation {
    pub address: String,
    /// The step that failed first; `None` if all passed.
    pub failed: Option<&'static str>,
    pub code: Option<&'static str>,
    /// Its window has closed: no draft to come holds it by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
    pub checks: Vec<Check>,
}

/// The chain of checks for an address.
pub async fn explain(ctx: &Context, address: &str) -> Result<Explanation, StoreError> {
    settle(ctx).await?;
    let mut facts = gather(ctx, address).await?;
    // The address of a piece is there to be read; any other may be that of a private feed.
    if facts.activity.is_none() {
        facts.canonical = masked(&facts.canonical);
    }
    let over = facts.judged.as_ref().is_some_and(|judged| judged.closed.is_some() || judged.text.ends_with(TIME_IS_OVER));
    let checks = diagnose::chain(&facts);
    let failed = checks.iter().find(|check| check.state == diagnose::CheckState::Failed);
    Ok(Explanation {
        address: if facts.canonical.is_empty() {
            masked_text(&address.chars().take(400).collect::<String>())
        } else {
            facts.canonical.clone()
        },
        failed: failed.map(|check| check.step),
        code: failed.and_then(|check| check.code),
        over,
        checks,
    })
}

async fn gather(ctx: &Context, address: &str) -> Result<Facts, StoreError> {
    let address = address.trim();
    let is_mail = address.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    let with_scheme =
        if is_mail || address.contains("://") || !address.contains('.') { address.to_owned() } else { format!("https://{address}") };
    let canonical = match CanonicalUrl::parse(&with_scheme) {
        Ok(canonical) => canonical,
        Err(error) => return Ok(Facts { unusable: Some(error.to_string()), ..Facts::default() }),
    };
    let key = canonical.key();
    let sources = ctx.store.sources().await?;
    // Of all that answer to an address, what stands there itself is meant, and of that what is shown and newest.
    let mut activities = ctx.store.activities_at(&key).await?;
    let key_of = |url: &Option<String>| url.as_deref().and_then(|url| CanonicalUrl::parse(url).ok()).map(|url| url.key());
    let names = |url: &Option<String>| key_of(url).as_deref() == Some(key.as_str());
    activities
        .sort_by_key(|one| (!names(&one.url), !names(&one.canonical_url), one.left, std::cmp::Reverse(one.effective_at), one.id.clone()));
    let activity = activities.into_iter().next();
    let is_source = sources.iter().any(|source| is_at(source, &key));
    let concerned: Vec<&Source> = match &activity {
        Some(activity) => {
            let seen_at = |source: &&Source| activity.sightings.iter().any(|sighting| sighting.source == source.id);
            sources.iter().filter(seen_at).collect()
        }
        None if is_source => sources.iter().filter(|source| is_at(source, &key)).collect(),
        None => {
            // Where many share a host, those whose path has most in common with the address's are meant.
            let held: Vec<(usize, &Source)> = sources
                .iter()
                .filter(|source| may_hold(source, &canonical))
                .map(|source| (shared_segments(&source.locator, canonical.as_str()), source))
                .collect();
            let held = if held.is_empty() { shown_beside(ctx, &sources, &key).await? } else { held };
            let most = held.iter().map(|(shared, _)| *shared).max().unwrap_or_default();
            held.into_iter().filter(|(shared, _)| *shared == most).map(|(_, source)| source).collect()
        }
    };
    let concerned = facts_of(ctx, &concerned).await?;
    let mut facts = Facts { canonical: canonical.to_string(), sources: concerned, is_source, ..Facts::default() };
    if let Some(activity) = activity {
        facts.stands_at = activity.url.clone().filter(|_| {
            let mentions = |link: &String| CanonicalUrl::parse(link).is_ok_and(|link| link.key() == key);
            !names(&activity.url) && !names(&activity.canonical_url) && !activity.links.iter().any(mentions)
        });
        if let Some(row) = ctx.store.work_of(&activity.id).await? {
            facts.merged_with = row
                .activities
                .iter()
                .filter(|other| other.id != activity.id)
                .map(|other| {
                    let rule = row.work.members.iter().find(|member| member.activity == other.id || member.activity == activity.id);
                    let rule = rule.map_or("", |member| member.rule.as_str()).replace('_', " ");
                    (other.url.clone().unwrap_or_else(|| other.id.to_string()), rule)
                })
                .collect();
            let members: Vec<ActivityId> = row.work.members.iter().map(|member| member.activity.clone()).collect();
            facts.judged = judged(ctx, &members).await?;
        }
        // What begins in a window to come stands in no draft yet.
        let now = ctx.clock.now();
        if let Some(until) = activity.held_until.filter(|until| *until > now)
            && facts.judged.as_ref().is_none_or(|judged| judged.code == OutcomeCode::DateOutside)
        {
            facts.judged = Some(Judged {
                week: Week::of(until),
                drafted: false,
                published: false,
                code: OutcomeCode::Held,
                text: "it is announced, and counts once it is out".into(),
                closed: None,
            });
        }
        facts.activity = Some(activity);
    }
    Ok(facts)
}

/// What is known of sources and of those to whom they belong.
async fn facts_of(ctx: &Context, sources: &[&Source]) -> Result<Vec<SourceFacts>, StoreError> {
    const FEW: usize = 20;
    let owners: BTreeSet<BuilderId> = sources.iter().flat_map(|source| &source.owners).map(|owner| owner.builder).collect();
    let owners: Vec<BuilderId> = owners.into_iter().collect();
    let builders = ctx.store.builders_by_id(owners.clone()).await?;
    let slugs: HashMap<BuilderId, String> = builders.into_iter().map(|builder| (builder.id, builder.slug.to_string())).collect();
    let mut states = HashMap::new();
    if owners.len() > FEW || sources.iter().any(|source| source.owners.is_empty()) {
        states = ctx.store.source_states().await?;
    } else {
        for owner in owners {
            states.extend(ctx.store.sources_of(owner).await?.into_iter().map(|(source, state)| (source.id, state)));
        }
    }
    let facts = |source: &&Source| {
        let slugs: Vec<Option<String>> = source.owners.iter().map(|owner| slugs.get(&owner.builder).cloned()).collect();
        SourceFacts {
            state: states.get(&source.id).cloned().unwrap_or_default(),
            builders: slugs.iter().flatten().cloned().collect(),
            slugs,
            source: (*source).clone(),
        }
    };
    Ok(sources.iter().map(facts).collect())
}

/// The verdict that matters most on a work: that it was chosen; else how the first week to come stands that it may be in;
/// else the last word of a draft whose window it was in, and since when it is too old; else that it is.
async fn judged(ctx: &Context, members: &[ActivityId]) -> Result<Option<Judged>, StoreError> {
    let weeks = ctx.store.digest_states().await?;
    let verdicts = ctx.store.verdicts(members.to_vec()).await?;
    let found = |outcomes: &[Outcome]| -> Option<Outcome> {
        outcomes.iter().find(|outcome| outcome.members.iter().any(|member| members.contains(member))).cloned()
    };
    // The week that tells most, with what it says; and the earliest later one by which its window had closed.
    let mut told: Option<(Week, DigestState)> = None;
    let mut outside: Option<(Week, DigestState)> = None;
    let mut closed: Option<Week> = None;
    for (week, state) in &weeks {
        let code = match state {
            DigestState::Published => {
                let of_week = |told: &Vec<(Week, OutcomeCode)>| told.iter().find(|(known, _)| known == week).map(|(_, code)| *code);
                members.iter().filter_map(|member| verdicts.get(member)).find_map(of_week)
            }
            // What edits may still change is written down nowhere else.
            _ => ctx.store.digest(*week).await?.and_then(|row| found(&row.digest.outcomes)).map(|outcome| outcome.code),
        };
        match code {
            Some(OutcomeCode::Chosen | OutcomeCode::Removed) => {
                (told, closed) = (Some((*week, *state)), None);
                break;
            }
            // A draft has no word for what came out long before its window.
            None if told.is_none() => closed = Some(*week),
            Some(OutcomeCode::DateOutside) if told.is_none() => {
                closed = Some(*week);
                outside = Some((*week, *state));
            }
            None | Some(OutcomeCode::DateOutside) => {}
            Some(_) => {
                told.get_or_insert((*week, *state));
            }
        }
    }
    let verdict = async |(week, state): (Week, DigestState)| -> Result<Option<Judged>, StoreError> {
        let outcome = ctx.store.digest(week).await?.and_then(|row| found(&row.digest.outcomes));
        Ok(outcome.map(|Outcome { code, text, .. }| Judged {
            week,
            drafted: true,
            published: state == DigestState::Published,
            code,
            text,
            closed: None,
        }))
    };
    let said = match told {
        Some(told) => verdict(told).await?,
        None => None,
    };
    if let Some(chosen) = said.as_ref().filter(|said| matches!(said.code, OutcomeCode::Chosen | OutcomeCode::Removed)) {
        return Ok(Some(chosen.clone()));
    }
    let mut outside = match outside {
        Some(outside) => verdict(outside).await?,
        None => None,
    };
    let now: Timestamp = ctx.clock.now();
    let running = weeks.first().map_or_else(|| Week::last_whole(now), |(week, _)| week.next()).max(Week::last_whole(now));
    // What came out after the cut-off of a week that was never drafted is of the week under way.
    let coming: BTreeSet<Week> = [running, Week::of(now).max(running)].into();
    for week in coming {
        match standing(ctx, week, members).await {
            Ok(Some(Outcome { code, text, .. })) => {
                let verdict = Judged { week, drafted: false, published: false, code, text, closed: None };
                if code != OutcomeCode::DateOutside {
                    return Ok(Some(verdict));
                }
                outside.get_or_insert(verdict);
            }
            Err(DraftError::Store(error)) => return Err(error),
            Ok(None) | Err(_) => {}
        }
    }
    Ok(match said {
        Some(said) => Some(Judged { closed: closed.or(outside.map(|outside| outside.week)), ..said }),
        None => outside,
    })
}

/// The sources that showed entries at the same site, although they stand elsewhere themselves. A site that many of them show
/// is a platform, of which nothing follows.
async fn shown_beside<'a>(ctx: &Context, sources: &'a [Source], key: &str) -> Result<Vec<(usize, &'a Source)>, StoreError> {
    const FEW: usize = 5;
    let site = key.split(['/', '?', '#']).next().unwrap_or(key);
    let showing: BTreeSet<SourceId> = ctx.store.sources_showing(site, FEW + 1).await?.into_iter().collect();
    if showing.len() > FEW {
        return Ok(Vec::new());
    }
    Ok(sources.iter().filter(|source| showing.contains(&source.id)).map(|source| (0, source)).collect())
}

fn is_at(source: &Source, key: &str) -> bool {
    same_address(&source.locator, key) || same_address(&source.url, key)
}

/// How many parts of an address's path stand in the path of a feed's, too.
fn shared_segments(feed: &str, address: &str) -> usize {
    let segments = |text: &str| -> Vec<String> {
        let url = url::Url::parse(text).ok();
        let path = url.as_ref().and_then(url::Url::path_segments);
        path.into_iter().flatten().filter(|segment| !segment.is_empty()).map(str::to_ascii_lowercase).collect()
    };
    let of_feed = segments(feed);
    segments(address).iter().filter(|segment| of_feed.contains(segment)).count()
}

fn same_address(address: &str, key: &str) -> bool {
    // A host that is written like nothing in the address is not its host: most need not be taken apart.
    let host = key.split(['/', '?', '#']).next().unwrap_or(key);
    let is_plain = address.is_ascii() && !address.contains('%') && !host.contains(':') && host.contains('.');
    if is_plain && !address.as_bytes().windows(host.len()).any(|part| part.eq_ignore_ascii_case(host.as_bytes())) {
        return false;
    }
    CanonicalUrl::parse(address).is_ok_and(|canonical| canonical.key() == key)
}

/// Whether an address may be one of a source's entries: it lies on the source's site, or names its account.
fn may_hold(source: &Source, address: &CanonicalUrl) -> bool {
    let host = address.host();
    let path = url::Url::parse(address.as_str()).map(|url| url.path().to_ascii_lowercase()).unwrap_or_default();
    let first = path.split('/').find(|segment| !segment.is_empty()).unwrap_or_default();
    let locator = source.locator.to_ascii_lowercase();
    match source.kind {
        kind if kind.is_address() => CanonicalUrl::parse(&source.locator).is_ok_and(|feed| feed.host() == host),
        crate::model::SourceKind::GithubRepo => host == "github.com" && path.trim_start_matches('/').starts_with(&locator),
        crate::model::SourceKind::StackExchange => {
            crate::collect::discover::stack_exchange_host(locator.split(':').next().unwrap_or_default()) == host
        }
        crate::model::SourceKind::Bluesky => host == "bsky.app" && path.contains(&locator),
        crate::model::SourceKind::GitlabUser
        | crate::model::SourceKind::GitlabProject
        | crate::model::SourceKind::Mastodon
        | crate::model::SourceKind::Sitemap => CanonicalUrl::parse(&source.locator).is_ok_and(|feed| feed.host() == host),
        crate::model::SourceKind::Devto => host == "dev.to" && first == locator,
        crate::model::SourceKind::GithubUser | crate::model::SourceKind::GithubOrg => host == "github.com" && first == locator,
        // A video's address does not say whose it is.
        crate::model::SourceKind::YoutubeChannel => host == "youtube.com" && path.contains(&locator),
        crate::model::SourceKind::TwitchChannel => host == "twitch.tv" && first == locator,
        _ => false,
    }
}

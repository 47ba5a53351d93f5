//! `clarion doctor`: what is wrong, what to do about it, and what to expect.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::output::{self, Quiet};
use super::{Global, open};
use crate::clock::{Clock, SystemClock};
use crate::config::{ChannelKind, Config};
use crate::deliver;
use crate::flow::Context;
use crate::model::{FactKind, Request, Source, SourceKind, Week};
use crate::{schedule, telemetry};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Good,
    /// Works, but somebody should look.
    Warning,
    /// Does not work.
    Bad,
    /// Not a check: what to expect.
    Expect,
}

#[derive(Debug, Serialize)]
struct Finding {
    about: &'static str,
    verdict: Verdict,
    text: String,
}

#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, about: &'static str, verdict: Verdict, text: impl Into<String>) {
        self.0.push(Finding { about, verdict, text: text.into() });
    }
}

/// What a changed feed adds to the database, roughly: its packed document and its new entries.
const BYTES_PER_CHANGE: f64 = 12_000.0;

pub(super) async fn run(global: &Global) -> anyhow::Result<()> {
    let mut findings = Findings::default();
    match Config::load(&global.config) {
        Err(error) => findings.add("configuration", Verdict::Bad, error.to_string()),
        Ok(config) => {
            telemetry::start(&config.log, "warn");
            findings.add("configuration", Verdict::Good, format!("{} can be read", global.config.display()));
            settings(&mut findings, &config);
            if let Some(text) = late_cut_off(&config, SystemClock.now()) {
                findings.add("configuration", Verdict::Warning, text);
            }
            match open(config, std::sync::Arc::new(SystemClock)).await {
                Err(error) => findings.add("database", Verdict::Bad, format!("{error:#}")),
                Ok(ctx) => {
                    database(&mut findings, &ctx).await;
                    network(&mut findings, &ctx).await;
                    expectations(&mut findings, &ctx).await?;
                    ctx.close().await?;
                }
            }
        }
    }
    tell(global, &findings.0)
}

fn settings(findings: &mut Findings, config: &Config) {
    if config.network.contact.is_empty() {
        let text = "`network.contact` is empty: name an address in it where site owners reach you, some sites refuse clients without one";
        findings.add("configuration", Verdict::Warning, text);
    }
    for channel in config.delivery.iter().filter(|channel| channel.enabled) {
        let name = &channel.name;
        match deliver::fault_of(channel) {
            Some(fault) => findings.add("delivery", Verdict::Bad, format!("{name}: {fault}")),
            None => findings.add("delivery", Verdict::Good, format!("{name} ({}) has all that it needs", channel.kind.as_str())),
        }
        if channel.kind == ChannelKind::Smtp && !channel.unsubscribe.iter().any(|address| address.starts_with("https://")) {
            let text = format!(
                "{name}: without an https address in `unsubscribe` the mail offers no one-click leave, and large mail providers may refuse it"
            );
            findings.add("delivery", Verdict::Warning, text);
        }
    }
    for range in &config.network.allow {
        findings.add(
            "configuration",
            Verdict::Warning,
            format!("`network.allow` lets clarion reach {range}, which is not public: right for tests, seldom elsewhere"),
        );
    }
}

/// A warning where a week is cut off long after its end: a schedule whose zone lies east of UTC may name an hour at which the
/// week, which ends in UTC, is not over yet.
fn late_cut_off(config: &Config, now: Timestamp) -> Option<String> {
    const LONG: SignedDuration = SignedDuration::from_hours(24 * 5);
    let week = Week::of(now);
    let before = week.end().saturating_sub(SignedDuration::from_millis(1)).ok()?;
    let cut_off = schedule::next_slot(&config.schedule.cut_off, &config.schedule.zone, before).ok()?;
    let after = cut_off.duration_since(week.end());
    (after > LONG).then(|| {
        format!(
            "{week} ends at {:.0}, and its cut-off is {cut_off:.0}, {} days later: weeks end in UTC, so `schedule.cut_off` must name a time \
             soon after that, in the zone {}",
            week.end(),
            after.as_hours() / 24,
            config.schedule.zone
        )
    })
}

async fn database(findings: &mut Findings, ctx: &Context) {
    match ctx.store.check().await {
        Ok(faults) if faults.is_empty() => {
            findings.add("database", Verdict::Good, format!("{} is sound", ctx.store.path().display()));
        }
        Ok(faults) => {
            let text = format!("damaged: {}; restore the last backup with `clarion restore`", faults.join("; "));
            findings.add("database", Verdict::Bad, text);
        }
        Err(error) => findings.add("database", Verdict::Bad, error.to_string()),
    }
    disk(findings, ctx).await;
    let now = ctx.clock.now();
    let newest = match ctx.store.newest_fact(FactKind::RosterChanged).await {
        Ok(fact) => fact.map(|fact| fact.at),
        Err(_) => None,
    };
    match newest {
        Some(at) if at > now => {
            let text = format!("the system's clock says {now:.0}, but the log has facts of {at:.0}: set the clock, and keep it by NTP");
            findings.add("clock", Verdict::Bad, text);
        }
        _ => findings.add("clock", Verdict::Good, format!("{now:.0}; time zones come from {}", zones())),
    }
}

/// Below this the disk is as good as full.
const LITTLE: u64 = 32 << 20;
/// Below this somebody should make room: a digest's backup, a longer log and the system itself want some.
const SCARCE: u64 = 512 << 20;

async fn disk(findings: &mut Findings, ctx: &Context) {
    if let Err(error) = ctx.store.probe().await {
        return findings.add("disk", Verdict::Bad, error.to_string());
    }
    let Some(free) = ctx.store.free_space() else { return };
    let left = format!("{} are left beside {}", size(free), ctx.store.path().display());
    match free {
        0..LITTLE => findings.add("disk", Verdict::Bad, format!("nearly full: {left}; free some space before recording stops")),
        LITTLE..SCARCE => findings.add("disk", Verdict::Warning, format!("{left}: that is little, free some space")),
        _ => findings.add("disk", Verdict::Good, left),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn size(bytes: u64) -> String {
    if bytes < 1 << 30 {
        format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
    } else {
        format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
    }
}

/// The system's zones win over the bundled ones: a stale system means stale rules.
fn zones() -> &'static str {
    if std::path::Path::new("/usr/share/zoneinfo").is_dir() { "the system's zoneinfo" } else { "the bundled database" }
}

async fn network(findings: &mut Findings, ctx: &Context) {
    let trust = ctx.fetcher.client().trust();
    if trust.roots() == 0 {
        let text = format!("{} holds no certificates: install ca-certificates, or set SSL_CERT_FILE", trust.origin);
        findings.add("network", Verdict::Bad, text);
    } else {
        findings.add("network", Verdict::Good, format!("{} certificates from {}", trust.roots(), trust.origin));
    }
    let url = format!("{}/rate_limit", ctx.config.github.api_url);
    let request = Request { accept: "application/json", auth: crate::model::Auth::Github, ..Request::get(url) };
    match tokio::time::timeout(std::time::Duration::from_secs(10), ctx.fetcher.fetch(&request)).await {
        Ok(fetched) => match fetched.outcome {
            crate::fetch::FetchOutcome::Failed(error) => {
                findings.add("network", Verdict::Warning, format!("{} cannot be reached: {error}", ctx.config.github.api_url));
            }
            _ => findings.add("network", Verdict::Good, format!("{} answers", ctx.config.github.api_url)),
        },
        Err(_) => findings.add("network", Verdict::Warning, format!("{} did not answer within 10 s", ctx.config.github.api_url)),
    }
}

async fn expectations(findings: &mut Findings, ctx: &Context) -> anyhow::Result<()> {
    let sources = ctx.store.sources().await?;
    let config = &ctx.config.schedule;
    let mut requests = 0.0;
    let mut github = 0u32;
    let polled = |source: &&Source| !source.left && !source.paused && source.kind != SourceKind::Manual;
    for source in sources.iter().filter(polled) {
        requests += 86_400.0 / schedule::pace(config, source).default.0.as_secs_f64();
        github += u32::from(matches!(source.kind, SourceKind::GithubUser | SourceKind::GithubOrg));
    }
    if sources.is_empty() {
        findings.add("expect", Verdict::Expect, "no sources yet: `clarion registry import ROSTER`");
        return Ok(());
    }
    let disk = sources.iter().filter(|source| !source.left).count();
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let year = disk as f64 * 52.0 * 1.5 * BYTES_PER_CHANGE / 1e6;
    findings.add(
        "expect",
        Verdict::Expect,
        format!("about {requests:.0} requests a day for {disk} sources, and {year:.0} MB of disk a year"),
    );
    if github > 0 && ctx.config.github.token_file.is_none() {
        // Sixty an hour without a token, for all sources together.
        let hours = (f64::from(github) / 60.0).max(config.github.default.0.as_secs_f64() / 3600.0);
        findings.add(
            "expect",
            Verdict::Expect,
            format!(
                "{} and no token: each is seen every {hours:.1} hours at best; a token (`github.token_file`) needs no permissions and lifts that",
                output::counted(u64::from(github), "GitHub builder")
            ),
        );
    }
    Ok(())
}

fn tell(global: &Global, findings: &[Finding]) -> anyhow::Result<()> {
    let bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    if global.json {
        output::print_json(&serde_json::json!({ "good": !bad, "findings": findings }))?;
    } else {
        let mut text = String::new();
        for finding in findings {
            let mark = match finding.verdict {
                Verdict::Good => "good",
                Verdict::Warning => "look",
                Verdict::Bad => "BAD",
                Verdict::Expect => "",
            };
            text.push_str(&format!("{mark:>4}  {:<13} {}\n", finding.about, output::safe(&finding.text)));
        }
        output::print(&text)?;
    }
    if bad { Err(Quiet.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_off_long_after_the_week_is_told() {
        let told = |cut_off: &str, zone: &str| {
            let mut config = Config::default();
            (config.schedule.cut_off, config.schedule.zone) = (cut_off.to_owned(), zone.to_owned());
            late_cut_off(&config, "2026-11-18T12:00:00Z".parse().expect("a time"))
        };
        assert_eq!(told("0 6 * * MON", "UTC"), None);
        assert_eq!(told("0 6 * * MON", "America/Los_Angeles"), None);
        assert_eq!(told("0 14 * * MON", "Pacific/Auckland"), None);
        let text = told("0 6 * * MON", "Pacific/Auckland").expect("a warning");
        assert!(text.contains("2026-W47") && text.contains("6 days later") && text.contains("Pacific/Auckland"), "{text}");
    }
}

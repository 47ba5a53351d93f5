//! *Copy reply*: what may be answered to a builder who asks for a post, in words that tell no scores, and nothing of
//! category, region or turn.

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::super::auth::Visitor;
use super::super::error::WebError;
use super::super::frame::{Frame, TITLE};
use super::super::public::answer;
use super::super::state::AppState;
use super::ctx;
use crate::flow::{self, Explanation};
use crate::render::short;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct ReplyQuery {
    #[serde(default)]
    url: String,
}

struct CheckLine {
    word: &'static str,
    tone: &'static str,
    step: String,
    text: String,
}

#[derive(Template)]
#[template(path = "staff/reply.html", whitespace = "minimize")]
struct ReplyPage {
    frame: Frame,
    me: Visitor,
    url: String,
    reply: Option<String>,
    checks: Vec<CheckLine>,
}

/// `GET /staff/reply`
pub(crate) async fn page(
    State(state): State<AppState>,
    Extension(me): Extension<Visitor>,
    query: Result<Query<ReplyQuery>, QueryRejection>,
) -> Response {
    answer(&state, async {
        let Query(query) = query.map_err(|_| WebError::BadRequest)?;
        let url: String = query.url.trim().chars().take(2_000).collect();
        let (mut reply, mut checks) = (None, Vec::new());
        if !url.is_empty() {
            let explanation = flow::explain(ctx(&state)?, &url).await?;
            reply = Some(reply_to(&explanation, state.program.contact.trim()));
            checks = explanation.checks.iter().map(CheckLine::of).collect();
        }
        let page = ReplyPage { frame: Frame::of(&state, "reply"), me, url: short(&url, TITLE), reply, checks };
        Ok(Html(page.render()?).into_response())
    })
    .await
}

impl CheckLine {
    fn of(check: &flow::Check) -> Self {
        let (word, tone) = match serde_json::to_value(check.state).ok().as_ref().and_then(serde_json::Value::as_str) {
            Some("passed") => ("Yes", "good"),
            Some("failed") => ("No", "bad"),
            _ => ("Open", "plainly"),
        };
        let mut step = check.step.replace('_', " ");
        if let Some(code) = check.code {
            step = format!("{step} ({code})");
        }
        Self { word, tone, step, text: short(&check.text, 600) }
    }
}

/// The week that a check speaks of.
fn week_in(text: &str) -> Option<&str> {
    text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ':' | ';' | '(' | ')'))
        .find(|word| word.parse::<crate::model::Week>().is_ok())
}

fn reply_to(explanation: &Explanation, contact: &str) -> String {
    let checks = &explanation.checks;
    let chosen = checks.iter().find(|check| check.step == "chosen");
    let judged = checks.iter().rev().find(|check| check.code.is_some()).or(chosen);
    let week = judged.and_then(|check| week_in(&check.text));
    let in_week = week.map(|week| format!(" for {week}")).unwrap_or_default();
    let body = match explanation.code {
        None if chosen.is_some_and(|check| check.text.starts_with("featured")) => {
            let when = week.map(|week| format!(" of {week}")).unwrap_or_default();
            format!("Your post was featured in the digest{when}. Thank you for it!")
        }
        None => "Your post was recorded and is in the running. Whether it is featured is told when the digest comes out.".to_owned(),
        Some(code) => because(code, &in_week, explanation.over),
    };
    let mut text = format!("Hello,\n\nthank you for asking about {}\n\n{body}\n", explanation.address);
    if !contact.is_empty() {
        text.push_str(&format!("\nIf that does not look right to you, please tell us: {contact}\n"));
    }
    text
}

/// The reason in words for the builder, and what to do about it. Of what may still be chosen it says so; of what is over, that.
fn because(code: &str, in_week: &str, over: bool) -> String {
    const OVER: &str = "By now its time for digests is over; it is in your record.";
    let then = |running: &'static str| if over { OVER } else { running };
    match code {
        "no_source" => "We do not know a source at this address yet. Send us the address of your feed, channel or profile there, and we add it.".to_owned(),
        "source_failing" => "We have had trouble reading the source that this post belongs to. Please check that it opens without signing in; we keep trying, and what it shows by then is recorded.".to_owned(),
        "not_a_feed" => "The address that we have for this source is not a feed. Please send us the address of the feed itself.".to_owned(),
        "not_in_feed" | "feed_truncated" => "Your source did not show this post when we read it. It may be new, or the feed may list only the latest few. Check that it is in the feed; we look again by ourselves.".to_owned(),
        "first_import_backfill" => "This post is from before we began to watch its source. It is in your record, and digests hold what came out since.".to_owned(),
        "date_missing" => "Your source gives no date for this post that we can read, so we cannot tell its week. It is in your record; a date in the feed would help.".to_owned(),
        "date_outside" => "This post is in your record. It came out outside the days that the drafts since then looked at.".to_owned(),
        "filtered_kind" | "filtered_tag" => "This post is in your record. Digests do not hold this kind of work.".to_owned(),
        "duplicate_of" => "We count this post as the same work as another one of yours, which stands for both. If they are two, tell us and we split them.".to_owned(),
        "private_or_gone" => "The link of this post does not open for us, so it could not be featured. If it opens for everybody now, tell us.".to_owned(),
        "opted_out" => "By your own settings you are not featured in digests. Tell us if you want to change that.".to_owned(),
        "inactive" => "This post is not from a time in which you were a member.".to_owned(),
        "paywalled" => "This post cannot be read without paying or signing in, so it could not be featured. It is in your record.".to_owned(),
        "held" if over => format!("Our editors held this post for a later digest. {OVER}"),
        "held" => "Our editors are holding this post for a later digest. It stays in the running.".to_owned(),
        "dropped" => format!("Our editors decided against this post{in_week}. It is in your record."),
        "already_featured" => "This work was featured before; each is featured once.".to_owned(),
        "reserved" => "This work has a place in a digest that is being prepared.".to_owned(),
        "withdrawn" => "This was entered by hand, and taken back since. Tell us if it should count.".to_owned(),
        "removed" => format!("Your post had a place in our digest{in_week}, and was taken out of it afterwards. The digest says so in its place."),
        "late_shelf" => "We found this post after its week had been put together. Our editors see it, and it is in your record.".to_owned(),
        "not_nominee" => format!("Not{in_week}: each builder has one work in the running, and another one of yours stood higher. {}", then("This one stays in the running while its time lasts.")),
        "cool_down" => format!("You were featured shortly before, and after that everybody pauses for some digests. {}", then("This post stays in the running until then.")),
        "below_floor" => "This post is in your record. Digests hold works with some more substance: a summary, code or a demo, or sources help.".to_owned(),
        "no_place" => format!("Not{in_week}: there were more good works than places. {}", then("It stays in the running while its time lasts.")),
        _ => "This post is in your record.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OutcomeCode;

    #[test]
    fn replies_tell_no_scores_and_nothing_of_turns() {
        let codes = [
            "no_source",
            "source_failing",
            "not_a_feed",
            "not_in_feed",
            "feed_truncated",
            "filtered_tag",
            "duplicate_of",
            OutcomeCode::NoPlace.as_str(),
            OutcomeCode::NotNominee.as_str(),
            OutcomeCode::CoolDown.as_str(),
            OutcomeCode::BelowFloor.as_str(),
            OutcomeCode::Dropped.as_str(),
            OutcomeCode::Reserved.as_str(),
            OutcomeCode::LateShelf.as_str(),
        ];
        for code in codes {
            let check = flow::Check {
                step: "chosen",
                state: crate::diagnose::CheckState::Failed,
                code: Some(code),
                text: "not chosen in the draft of 2026-W47: 40 points short, Western Europe was owed 1.2 places".into(),
            };
            let explanation = Explanation {
                address: "https://a.example/x".into(),
                failed: Some("chosen"),
                code: Some(code),
                over: false,
                checks: vec![check],
            };
            let reply = reply_to(&explanation, "digest@example.org");
            let over = reply_to(&Explanation { over: true, ..explanation }, "digest@example.org");
            assert!(!over.contains("stays in the running"), "{code}: {over}");
            assert_eq!(over.contains("its time for digests is over"), reply.contains("stays in the running"), "{code}: {over}");
            for secret in ["40", "points", "Europe", "owed", "turn", "score", "category", "region"] {
                assert!(!reply.contains(secret), "{code}: {reply}");
            }
            assert!(reply.contains("https://a.example/x") && reply.contains("digest@example.org"), "{reply}");
        }
    }

    #[test]
    fn the_week_is_found_in_the_words() {
        assert_eq!(week_in("featured in the digest of 2026-W47"), Some("2026-W47"));
        assert_eq!(week_in("in the draft of 2026-W47: no"), Some("2026-W47"));
        assert_eq!(week_in("nothing"), None);
    }
}

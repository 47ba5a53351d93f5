//! *Balance*: who had places over 12 and 52 weeks, how far that is from what was owed, and who waits for a post.

use std::collections::HashMap;

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;

use super::super::auth::Visitor;
use super::super::error::WebError;
use super::super::frame::{Frame, Moment, NAME, counted};
use super::super::public::answer;
use super::super::state::AppState;
use super::{ctx, published};
use crate::flow::{self, Division, Fairness, Share, Waiting};
use crate::model::{Builder, BuilderId};
use crate::render::{country_name, language_name, short};

#[derive(Debug, Default, Deserialize)]
pub(crate) struct BalanceQuery {
    #[serde(default)]
    weeks: String,
}

struct Line {
    name: String,
    places: String,
    share: String,
    target: String,
    members: String,
    bar: u64,
    target_bar: Option<u64>,
}

struct Table {
    name: &'static str,
    has_target: bool,
    has_members: bool,
    lines: Vec<Line>,
}

struct Figure {
    value: String,
    label: &'static str,
}

#[derive(Template)]
#[template(path = "staff/balance.html", whitespace = "minimize")]
struct BalancePage {
    frame: Frame,
    me: Visitor,
    weeks: usize,
    counts: String,
    unknown: Option<String>,
    figures: Vec<Figure>,
    tables: Vec<Table>,
    /// Who has waited longest for a post, who comes next, and how many more wait.
    waiting: Vec<WaitingLine>,
    others: Vec<WaitingLine>,
    more: usize,
}

/// A builder of whose featured works none was posted of late.
struct WaitingLine {
    slug: String,
    name: String,
    since: Moment,
    works: String,
    last: Option<Moment>,
}

/// So many who wait are shown, and so many more when asked for.
const WAITING: usize = 10;
const OTHERS: usize = 90;

fn wanted(query: &BalanceQuery) -> usize {
    if query.weeks == "52" { 52 } else { 12 }
}

/// The figures, and who of the roster's members waits for a post, longest first.
async fn measured(state: &AppState, weeks: usize) -> Result<(Fairness, Vec<(Waiting, Builder)>), WebError> {
    let ctx = ctx(state)?;
    let published = published(state).await?;
    let roster = ctx.store.builders().await?;
    let fairness = flow::fairness(ctx, &published, &roster, weeks);
    let posted = ctx.store.amplified(None).await?;
    let now = ctx.clock.now();
    let shown = |builder: &Builder| builder.is_active(now) && !builder.switches.not_featured && !builder.switches.not_public;
    let mut members: HashMap<BuilderId, Builder> = roster.into_iter().filter(shown).map(|builder| (builder.id, builder)).collect();
    let waiting = flow::waiting(&published, &posted);
    Ok((fairness, waiting.into_iter().filter_map(|line| members.remove(&line.builder).map(|builder| (line, builder))).collect()))
}

/// `GET /staff/balance`
pub(crate) async fn page(
    State(state): State<AppState>,
    Extension(me): Extension<Visitor>,
    query: Result<Query<BalanceQuery>, QueryRejection>,
) -> Response {
    answer(&state, async {
        let Query(query) = query.map_err(|_| WebError::BadRequest)?;
        let weeks = wanted(&query);
        let (fairness, waiting) = measured(&state, weeks).await?;
        let more = waiting.len().saturating_sub(WAITING + OTHERS);
        let now = state.clock.now();
        let mut waiting: Vec<WaitingLine> =
            waiting.into_iter().take(WAITING + OTHERS).map(|(line, builder)| WaitingLine::of(&line, &builder, now)).collect();
        let others = waiting.split_off(waiting.len().min(WAITING));
        let unknown = fairness.places - fairness.responses_known;
        let page = BalancePage {
            frame: Frame::of(&state, "balance"),
            me,
            weeks,
            waiting,
            others,
            more,
            counts: format!(
                "{} in the latest {}.",
                counted(fairness.places as u64, "place", "places"),
                counted(fairness.weeks as u64, "published week", "published weeks")
            ),
            unknown: (2 * unknown > fairness.places).then(|| {
                format!(
                    "Responses are not known yet for most places: {unknown} of {} counted as usual. What is said here about quality rests on substance alone.",
                    fairness.places
                )
            }),
            figures: figures(&fairness),
            tables: fairness
                .divisions
                .iter()
                .map(|division| Table {
                    name: division.name,
                    has_target: division.shares.iter().any(|share| share.target.is_some()),
                    has_members: division.shares.iter().any(|share| share.members.is_some()),
                    lines: lines_of(division),
                })
                .collect(),
        };
        Ok(Html(page.render()?).into_response())
    })
    .await
}

/// `GET /staff/balance.csv`
pub(crate) async fn csv(State(state): State<AppState>, query: Result<Query<BalanceQuery>, QueryRejection>) -> Response {
    answer(&state, async {
        let Query(query) = query.map_err(|_| WebError::BadRequest)?;
        let weeks = wanted(&query);
        let (fairness, _) = measured(&state, weeks).await?;
        let text = table_of(&fairness).map_err(|error| WebError::Pages(super::super::PagesError(error.to_string())))?;
        let mut response = text.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
        let name = format!("attachment; filename=\"balance-{weeks}-weeks.csv\"");
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&name).map_err(|_| WebError::NotFound)?);
        Ok(response)
    })
    .await
}

fn table_of(fairness: &Fairness) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["division", "group", "places", "share_percent", "target_percent", "members"])?;
    for division in &fairness.divisions {
        for share in &division.shares {
            let record = [
                division.name.to_lowercase(),
                cell(&share.name),
                thousandths(share.places),
                tenths(share.share),
                share.target.map(|target| tenths(target.unsigned_abs())).unwrap_or_default(),
                share.members.map(|members| members.to_string()).unwrap_or_default(),
            ];
            writer.write_record(&record)?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// Text that no table program takes for a formula.
fn cell(text: &str) -> String {
    let risky = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) || text.starts_with(['\t', '\r', '\n']);
    if risky { format!("'{text}") } else { text.to_owned() }
}

/// `2.5`, without a zero after the point.
fn thousandths(n: u64) -> String {
    match (n / 1_000, n % 1_000 / 100) {
        (whole, 0) => whole.to_string(),
        (whole, part) => format!("{whole}.{part}"),
    }
}

fn tenths(n: u64) -> String {
    format!("{}.{}", n / 10, n % 10)
}

fn figures(fairness: &Fairness) -> Vec<Figure> {
    let of = |part: usize| match fairness.places {
        0 => "–".to_owned(),
        all => format!("{} %", 100 * part / all),
    };
    let points = |gap: Option<i64>| gap.map_or_else(|| "–".to_owned(), |gap| format!("{} pts", tenths(gap.unsigned_abs())));
    let gini = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), |value| format!("0.{value:03}").replace("0.1000", "1.000"));
    vec![
        Figure { value: points(fairness.region_gap), label: "largest region gap" },
        Figure { value: points(fairness.category_gap), label: "largest category gap" },
        Figure { value: of(fairness.distinct.min(fairness.places)), label: "different builders" },
        Figure { value: fairness.most.to_string(), label: "most places of one" },
        Figure { value: of(fairness.first_time), label: "for the first time" },
        Figure { value: gini(fairness.gini), label: "Gini of places" },
        Figure { value: gini(fairness.least_gini), label: "least possible" },
        Figure { value: gini(fairness.weighted_gini), label: "Gini by position" },
    ]
}

fn lines_of(division: &Division) -> Vec<Line> {
    let longest = |share: &Share| share.share.max(share.target.unwrap_or(0).unsigned_abs());
    let widest = division.shares.iter().map(longest).max().unwrap_or(0).max(1);
    division.shares.iter().map(|share| Line::of(division.name, share, widest)).collect()
}

impl WaitingLine {
    fn of(line: &Waiting, builder: &Builder, now: Timestamp) -> Self {
        Self {
            slug: builder.slug.to_string(),
            name: short(&builder.name, NAME),
            since: Moment::of(line.waits_since(), now),
            works: counted(u64::from(line.works), "work", "works"),
            last: Moment::maybe(line.last_posted_at, now),
        }
    }
}

impl Line {
    fn of(division: &str, share: &Share, widest: u64) -> Self {
        let name = match division {
            "Country" => country_name(&share.name).map(str::to_owned),
            "Language" => language_name(&share.name),
            _ => None,
        };
        Self {
            name: short(&name.unwrap_or_else(|| share.name.clone()), NAME),
            places: thousandths(share.places),
            share: format!("{} %", tenths(share.share)),
            target: share.target.map_or_else(|| "–".to_owned(), |target| format!("{} %", tenths(target.unsigned_abs()))),
            members: share.members.map_or_else(|| "–".to_owned(), |members| members.to_string()),
            bar: 1_000 * share.share / widest,
            target_bar: share.target.map(|target| 1_000 * target.unsigned_abs() / widest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_formulas() {
        for bad in ["=1+1", "+1", "-1", "@x", " =1", "\t=1", "＝1"] {
            assert!(cell(bad).starts_with('\''), "{bad}");
        }
        assert_eq!(cell("Côte d’Ivoire"), "Côte d’Ivoire");
    }
}

//! The operator's page: every source with its state, worst first, and whether the daemon does its work.

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;

use super::auth::Visitor;
use super::error::WebError;
use super::frame::{Frame, Moment, NAME, Pager, TITLE};
use super::public::answer;
use super::sources::{self, SourceLine};
use super::state::AppState;
use crate::model::{HealthView, OperatorView, SourceRow, TaskRow};
use crate::render::{number, short};

/// Rows of the table on one page.
const ROWS: u64 = 80;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct PageQuery {
    #[serde(default)]
    state: String,
    #[serde(default)]
    page: String,
}

struct Filter {
    to: String,
    label: &'static str,
    count: String,
    chosen: bool,
}

struct TaskLine {
    name: String,
    last: Option<Moment>,
    outcome: String,
    tone: &'static str,
    took: String,
    next: Option<Moment>,
}

#[derive(Template)]
#[template(path = "pages/operator.html", whitespace = "minimize")]
struct Operator {
    frame: Frame,
    me: Visitor,
    problems: Vec<String>,
    figures: Vec<(String, &'static str)>,
    filters: Vec<Filter>,
    rows: Vec<SourceLine>,
    pager: Pager,
    hosts: Vec<(String, Moment)>,
    tasks: Vec<TaskLine>,
}

/// `GET /operator`
pub(crate) async fn page(
    State(state): State<AppState>,
    Extension(me): Extension<Visitor>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Response {
    answer(&state, async {
        let Query(query) = query.map_err(|_| WebError::BadRequest)?;
        let view = state.pages.operator().await?;
        let health = state.pages.health().await?;
        Ok(Html(put_together(&state, me, view, health, &query).render()?).into_response())
    })
    .await
}

fn put_together(state: &AppState, me: Visitor, mut view: OperatorView, health: HealthView, query: &PageQuery) -> Operator {
    let now = state.clock.now();
    let figures = figures(&view);
    let chosen = sources::State::ALL.into_iter().find(|known| known.key() == query.state);
    let filters = filters(&view.sources, chosen, now, &state.base);
    worst_first(&mut view.sources, now);
    view.sources.retain(|row| chosen.is_none_or(|chosen| sources::State::of(row, now) == chosen));
    let link = |page: u64| {
        let filter = chosen.map(|chosen| format!("state={}&", chosen.key())).unwrap_or_default();
        format!("{}/operator?{filter}page={page}", state.base)
    };
    let pager = Pager::of(query.page.parse().unwrap_or(1), view.sources.len() as u64, ROWS, link);
    let skip = usize::try_from(pager.skip(ROWS)).unwrap_or(usize::MAX);
    let rows = view.sources.iter().skip(skip).take(usize::try_from(ROWS).unwrap_or(usize::MAX));
    Operator {
        frame: Frame::of(state, "operator"),
        me,
        problems: health.problems.into_iter().map(|problem| short(&problem, TITLE)).collect(),
        figures,
        filters,
        rows: rows.map(|row| SourceLine::of(row, now)).collect(),
        pager,
        hosts: view.hosts.into_iter().map(|host| (short(&host.host, NAME), Moment::of(host.until, now))).collect(),
        tasks: view.tasks.into_iter().map(|task| TaskLine::of(task, now)).collect(),
    }
}

/// By state, and in a state those first that have been in it for longest.
fn worst_first(sources: &mut [SourceRow], now: Timestamp) {
    sources.sort_by_cached_key(|row| {
        let since = row.failing_since.or(row.next_poll_at).unwrap_or(Timestamp::MAX);
        (sources::State::of(row, now), since, row.id)
    });
}

fn filters(sources: &[SourceRow], chosen: Option<sources::State>, now: Timestamp, base: &str) -> Vec<Filter> {
    let all = Filter { to: format!("{base}/operator"), label: "All", count: number(sources.len() as u64), chosen: chosen.is_none() };
    let states = sources::State::ALL.into_iter().filter_map(|state| {
        let count = sources.iter().filter(|row| sources::State::of(row, now) == state).count();
        (count > 0 || chosen == Some(state)).then(|| Filter {
            to: format!("{base}/operator?state={}", state.key()),
            label: state.word(),
            count: number(count as u64),
            chosen: chosen == Some(state),
        })
    });
    std::iter::once(all).chain(states).collect()
}

fn figures(view: &OperatorView) -> Vec<(String, &'static str)> {
    let behind = view.log_seq.saturating_sub(view.settled_seq).max(0).unsigned_abs();
    vec![
        (number(view.sources.len() as u64), "sources"),
        (number(view.entries), "entries"),
        (number(view.activities), "activities"),
        (number(view.works), "works"),
        (number(view.log_seq.max(0).unsigned_abs()), "lines of the log"),
        (number(behind), "lines not settled yet"),
        (number(view.queue), "writes waiting"),
        (size(view.database_bytes), "database"),
    ]
}

/// `48.2 MiB`.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut tenths = bytes.saturating_mul(10) / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", number(tenths / 10), tenths % 10, UNITS[unit])
}

impl TaskLine {
    fn of(task: TaskRow, now: Timestamp) -> Self {
        Self {
            last: Moment::maybe(task.last_at, now),
            tone: match (&task.outcome, task.failed) {
                (_, true) => "bad",
                (Some(_), false) => "good",
                (None, false) => "plainly",
            },
            outcome: task.outcome.map_or_else(|| "–".to_owned(), |outcome| short(&outcome, TITLE)),
            took: task.elapsed_ms.map_or_else(
                || "–".to_owned(),
                |ms| if ms < 10_000 { format!("{} ms", number(ms)) } else { format!("{} s", number(ms / 1000)) },
            ),
            next: Moment::maybe(task.next_at, now),
            name: short(&task.name, NAME),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_digit_after_the_point() {
        for (bytes, wanted) in [(0, "0.0 KiB"), (1_536, "1.5 KiB"), (50_541_363, "48.1 MiB"), (3 << 40, "3.0 TiB")] {
            assert_eq!(size(bytes), wanted);
        }
    }
}

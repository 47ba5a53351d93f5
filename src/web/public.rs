//! Pages for readers: the front page, digests in their formats, the archive, the list of builders, and how it is made.

use askama::Template;
use axum::Extension;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::auth::{Visitor, sight_of};
use super::error::WebError;
use super::frame::{Frame, Moment, NAME, Pager, TITLE, counted};
use super::state::AppState;
use super::{POLICY, POLICY_START};
use crate::config::DigestConfig;
use crate::model::{BuilderRow, DigestState, DigestSummary, Week};
use crate::render::{Context, Format, Shown, country_name, date_span, language_tag, number, short};
use crate::text;

/// Rows of the list of builders on one page.
const ROWS: u64 = 200;
/// Earlier weeks on the front page.
const EARLIER: usize = 6;

/// A week in a list.
struct WeekLine {
    week: String,
    span: String,
    counts: String,
    lead: Option<String>,
    lang: Option<String>,
    corrected: bool,
}

impl WeekLine {
    fn of(summary: &DigestSummary) -> Self {
        Self {
            week: summary.week.to_string(),
            span: format!("Week {} · {}", summary.week.number(), date_span(summary.week)),
            counts: if summary.works == 0 {
                "Nothing to report".to_owned()
            } else {
                format!("{} by {}", counted(summary.works.into(), "work", "works"), counted(summary.builders.into(), "builder", "builders"))
            },
            lead: summary.lead.as_deref().map(|lead| short(lead, TITLE)),
            lang: summary.lead_language.as_deref().and_then(language_tag),
            corrected: summary.corrected,
        }
    }
}

#[derive(Template)]
#[template(path = "pages/home.html", whitespace = "minimize")]
struct Home {
    frame: Frame,
    counts: String,
    latest: Option<Shown>,
    weeks: Vec<WeekLine>,
}

/// `GET /`
pub(crate) async fn home(State(state): State<AppState>) -> Response {
    answer(&state, async {
        let view = state.pages.home().await?;
        let latest_week = view.latest.as_ref().map(|digest| digest.week);
        let latest = view.latest.map(|digest| {
            let mut ctx = Context::new(&state.program, &state.base);
            ctx.state = DigestState::Published;
            Shown::of(&digest, &ctx)
        });
        let weeks = view.digests.iter().filter(|summary| Some(summary.week) != latest_week).take(EARLIER).map(WeekLine::of).collect();
        let counts = format!(
            "{} from {}, read at {}.",
            counted(view.activities, "activity", "activities"),
            counted(view.builders, "builder", "builders"),
            counted(view.sources, "source", "sources")
        );
        Ok(Html(Home { frame: Frame::of(&state, "home"), counts, latest, weeks }.render()?).into_response())
    })
    .await
}

#[derive(Template)]
#[template(path = "pages/archive.html", whitespace = "minimize")]
struct Archive {
    frame: Frame,
    counts: String,
    years: Vec<(i16, Vec<WeekLine>)>,
}

/// `GET /digest`
pub(crate) async fn archive(State(state): State<AppState>) -> Response {
    answer(&state, async {
        let digests = state.pages.digests().await?;
        let counts = match digests.len() {
            0 => "No digest has been published yet.".to_owned(),
            n => format!("{}, latest first.", counted(n as u64, "digest", "digests")),
        };
        let mut years: Vec<(i16, Vec<WeekLine>)> = Vec::new();
        for summary in &digests {
            let year = summary.week.year();
            match years.last_mut() {
                Some((last, lines)) if *last == year => lines.push(WeekLine::of(summary)),
                _ => years.push((year, vec![WeekLine::of(summary)])),
            }
        }
        Ok(Html(Archive { frame: Frame::of(&state, "archive"), counts, years }.render()?).into_response())
    })
    .await
}

/// `GET /digest/latest`
pub(crate) async fn latest(State(state): State<AppState>) -> Response {
    answer(&state, async {
        match state.pages.latest().await? {
            Some(week) => {
                let to = HeaderValue::from_str(&format!("{}/digest/{week}", state.base)).map_err(|_| WebError::NotFound)?;
                Ok((StatusCode::FOUND, [(header::LOCATION, to), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))])
                    .into_response())
            }
            None => Ok(super::error::message(
                &state,
                StatusCode::NOT_FOUND,
                "No digest yet",
                "No digest has been published yet. The first one comes after the first whole week.",
            )),
        }
    })
    .await
}

/// `GET /digest/2026-W47`, and the same with `.json`, `.md`, `.txt`, `.eml`: the sealed bytes, untouched.
pub(crate) async fn digest(State(state): State<AppState>, name: Result<Path<String>, PathRejection>, headers: HeaderMap) -> Response {
    answer(&state, async {
        let Path(name) = name.map_err(|_| WebError::BadRequest)?;
        let (week_text, format) = match name.split_once('.') {
            None => (name.as_str(), Format::Html),
            Some((week, extension)) => (week, extension.parse::<Format>().map_err(|_| WebError::NotFound)?),
        };
        let week: Week = week_text.parse().map_err(|_| WebError::NotFound)?;
        let canonical = match format {
            Format::Html => week.to_string(),
            format => format!("{week}.{format}"),
        };
        if name != canonical {
            return Ok(Redirect::permanent(&format!("{}/digest/{canonical}", state.base)).into_response());
        }
        let bytes = state.pages.sealed(week, format).await?.ok_or(WebError::NotFound)?;
        let policy = if format == Format::Html { policy_for(&bytes) } else { HeaderValue::from_static(POLICY) };
        let mut response = cached(&headers, bytes, format.mime());
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        if format == Format::Eml {
            let name = format!("attachment; filename=\"{week}.eml\"");
            response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&name).map_err(|_| WebError::NotFound)?);
        }
        Ok(response)
    })
    .await
}

/// `GET /digest/feed.atom`
pub(crate) async fn feed(State(state): State<AppState>, headers: HeaderMap) -> Response {
    answer(&state, async { Ok(cached(&headers, state.pages.feed().await?.into_bytes(), "application/atom+xml; charset=utf-8")) }).await
}

/// `GET /assets/style.css`
pub(crate) async fn style(headers: HeaderMap) -> Response {
    cached(&headers, super::STYLE.as_bytes().to_vec(), "text/css; charset=utf-8")
}

/// `GET /assets/staff.css`
pub(crate) async fn staff_style(headers: HeaderMap) -> Response {
    cached(&headers, super::STAFF_STYLE.as_bytes().to_vec(), "text/css; charset=utf-8")
}

/// `GET /assets/desk.css`
pub(crate) async fn desk_style(headers: HeaderMap) -> Response {
    cached(&headers, super::DESK_STYLE.as_bytes().to_vec(), "text/css; charset=utf-8")
}

/// `GET /assets/outputs.css`
pub(crate) async fn outputs_style(headers: HeaderMap) -> Response {
    cached(&headers, super::OUTPUTS_STYLE.as_bytes().to_vec(), "text/css; charset=utf-8")
}

/// `GET /assets/staff.js`
pub(crate) async fn staff_script(headers: HeaderMap) -> Response {
    cached(&headers, super::STAFF_SCRIPT.as_bytes().to_vec(), "text/javascript; charset=utf-8")
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct BuildersQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    page: String,
}

struct BuilderLine {
    slug: String,
    name: String,
    category: Option<String>,
    place: Option<&'static str>,
    not_public: bool,
    activities: Option<String>,
    featured: String,
    latest: Option<Moment>,
}

#[derive(Template)]
#[template(path = "pages/builders.html", whitespace = "minimize")]
struct Builders {
    frame: Frame,
    counts: String,
    q: String,
    /// Whether anything is told of records, or names and places in digests alone.
    records: bool,
    rows: Vec<BuilderLine>,
    pager: Pager,
}

/// `GET /builders`
pub(crate) async fn builders(
    State(state): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    query: Result<Query<BuildersQuery>, QueryRejection>,
) -> Response {
    answer(&state, async {
        let Query(query) = query.map_err(|_| WebError::BadRequest)?;
        let q = short(&query.q, 100);
        let now = state.clock.now();
        let all = state.pages.builders(sight_of(&state, &visitor, None).await?).await?;
        let records = all.iter().any(|row| row.activities.is_some());
        let total = all.len() as u64;
        let found = matching(all, &q);
        let link = |page: u64| {
            let query =
                url::form_urlencoded::Serializer::new(String::new()).append_pair("q", &q).append_pair("page", &page.to_string()).finish();
            format!("{}/builders?{query}", state.base)
        };
        let pager = Pager::of(query.page.parse().unwrap_or(1), found.len() as u64, ROWS, link);
        let skip = usize::try_from(pager.skip(ROWS)).unwrap_or(usize::MAX);
        let counts = if q.is_empty() {
            format!("{}.", counted(total, "builder", "builders"))
        } else {
            format!("{} of {}.", number(found.len() as u64), counted(total, "builder", "builders"))
        };
        let rows = found.into_iter().skip(skip).take(usize::try_from(ROWS).unwrap_or(usize::MAX)).map(|row| BuilderLine {
            place: row.country.as_deref().and_then(country_name),
            not_public: row.not_public,
            activities: row.activities.map(number),
            featured: number(row.featured),
            latest: Moment::maybe(row.latest_at, now),
            slug: row.slug,
            name: short(&row.name, NAME),
            category: row.category.map(|category| short(&category, NAME)),
        });
        let page = Builders { frame: Frame::of(&state, "builders"), counts, records, rows: rows.collect(), q, pager };
        Ok(Html(page.render()?).into_response())
    })
    .await
}

/// Those whose name, slug or category holds every word, whatever its case and width (DIGEST.md section 8).
fn matching(rows: Vec<BuilderRow>, q: &str) -> Vec<BuilderRow> {
    let words: Vec<String> = text::fold(q).split_whitespace().map(str::to_owned).collect();
    if words.is_empty() {
        return rows;
    }
    let holds = |row: &BuilderRow| {
        let row_text = text::fold(&format!("{} {} {}", row.name, row.slug, row.category.as_deref().unwrap_or_default()));
        words.iter().all(|word| row_text.contains(word))
    };
    rows.into_iter().filter(holds).collect()
}

#[derive(Template)]
#[template(path = "pages/how.html", whitespace = "minimize")]
struct How<'a> {
    frame: Frame,
    digest: &'a DigestConfig,
    substance: Vec<(&'static str, i64)>,
    gains: Vec<(&'static str, String)>,
}

/// `GET /how`
pub(crate) async fn how(State(state): State<AppState>) -> Response {
    answer(&state, async {
        let weights = &state.digest.weights;
        let substance = vec![
            ("It is on a topic of the program", weights.on_topic),
            ("It has substance: 600 words, or 5 minutes", weights.substantial),
            ("It shows work: code, a repository, a diagram", weights.shows_work),
            ("The author describes it", weights.described),
            ("It is at the author’s own address", weights.canonical),
            ("It names its sources", weights.cites_source),
        ];
        let up_to = |points: i64| format!("up to {points}");
        let gains = vec![
            ("It came out in this very week", weights.fresh.to_string()),
            ("The author has waited for a turn", up_to(weights.turn)),
            ("Its category had fewer places than its share", up_to(weights.category)),
            ("The author’s region had fewer places than its share", up_to(weights.region)),
            ("It is about something that this digest lacks", weights.new_service.to_string()),
        ];
        Ok(Html(How { frame: Frame::of(&state, "how"), digest: &state.digest, substance, gains }.render()?).into_response())
    })
    .await
}

/// Nothing is here.
pub(crate) async fn missing(State(state): State<AppState>) -> Response {
    WebError::NotFound.page(&state)
}

/// Nothing here is changed by asking.
pub(crate) async fn only_read(State(state): State<AppState>) -> Response {
    WebError::MethodNotAllowed.page(&state)
}

/// Runs a handler's body; what fails becomes a page.
pub(crate) async fn answer(state: &AppState, body: impl Future<Output = Result<Response, WebError>>) -> Response {
    match body.await {
        Ok(response) => response,
        Err(error) => error.page(state),
    }
}

/// Bytes with a validator; 304 without body where the client holds them (RFC 9110, section 13).
fn cached(headers: &HeaderMap, bytes: Vec<u8>, mime: &'static str) -> Response {
    // Weak, since the same bytes go out compressed or not.
    let tag = format!("W/\"{}\"", base64(&Sha256::digest(&bytes)[..18]));
    let same =
        headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|held| {
            held.split(',').any(|one| one.trim() == "*" || one.trim().trim_start_matches("W/") == tag.trim_start_matches("W/"))
        });
    let mut response = if same { StatusCode::NOT_MODIFIED.into_response() } else { bytes.into_response() };
    let headers = response.headers_mut();
    if !same {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(mime));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    response
}

/// The policy for a sealed page: as for all, and the one style that stands in the page, named by its hash, since the
/// page carries the style of the version that sealed it (CSP 3, section 2.3.1).
fn policy_for(html: &[u8]) -> HeaderValue {
    let style = std::str::from_utf8(html).ok().and_then(|html| {
        let (_, rest) = html.split_once("<style>")?;
        Some(rest.split_once("</style>")?.0)
    });
    let policy = style.map(|style| {
        let rest = POLICY.strip_prefix(POLICY_START).unwrap_or_default();
        format!("{POLICY_START} 'sha256-{}'{rest}", base64(&Sha256::digest(style.as_bytes())))
    });
    policy.and_then(|policy| HeaderValue::from_str(&policy).ok()).unwrap_or(HeaderValue::from_static(POLICY))
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let three = chunk.iter().fold(0u32, |three, byte| three << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            if place <= chunk.len() {
                text.push(char::from(SIGNS[(three >> (18 - 6 * place)) as usize & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_examples_of_rfc_4648() {
        for (text, wanted) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), wanted);
        }
    }

    #[test]
    fn only_the_first_style_is_allowed() {
        let policy = policy_for(b"<style>a{}</style><p>&lt;style&gt;<style>b{}</style>");
        let policy = policy.to_str().unwrap();
        assert_eq!(policy.matches("sha256-").count(), 1);
        assert!(policy.starts_with("default-src 'none'; style-src 'self' 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe"));
        assert_eq!(policy_for(b"<p>no style"), POLICY);
    }

    #[test]
    fn people_are_found_by_part_of_a_name_in_any_case() {
        let row = |name: &str| BuilderRow {
            slug: "s".into(),
            name: name.into(),
            category: Some("Serverless".into()),
            country: None,
            activities: Some(0),
            featured: 0,
            not_public: false,
            latest_at: None,
        };
        let found = |q: &str| matching(vec![row("Şükrü Özgür"), row("ＡＤＡ")], q).into_iter().map(|row| row.name).collect::<Vec<_>>();
        assert_eq!(found("özg server"), ["Şükrü Özgür"]);
        assert_eq!(found("ada"), ["ＡＤＡ"]);
        assert_eq!(found(" ").len(), 2);
        assert!(found("nobody").is_empty());
    }
}

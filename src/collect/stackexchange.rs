//! Answers on Stack Exchange: one question asks for those of up to a hundred people on one site.
//!
//! In: `site:number` of each person, and pages of answers. Out: answers, each with the source of its author. An answer
//! without votes is held until it has some. `backoff` and the limits that stand in the body of an error are obeyed. The
//! API's ordinary answer has no titles: where they are missing, a filter that adds them is made once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use serde_json::Value;
use url::form_urlencoded;

use super::discover::stack_exchange_host;
use super::json::{address, at, number, parse, text, truth};
use super::{Collector, Meaning, in_batches};
use crate::config::StackExchangeConfig;
use crate::model::{ActivityKind, Ask, Author, Counts, Document, Entry, ReadError, Reading, Request, Source, SourceKind, SourceState};
use crate::text::{collapse, decode, html_to_content};

const PLATFORM: &str = "Stack Exchange";
/// The most people that one question may be about.
const MOST_IDS: usize = 100;
const MAX_PAGES: u32 = 10;
/// For how long scores are read again.
const SCORES: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 15);
/// What is missing in the ordinary answer.
const FIELDS: &str = "answer.title;answer.link;answer.share_link;answer.tags;answer.body";

pub(super) struct StackExchange {
    api_url: String,
    key: Option<String>,
    min_score: i64,
    /// The filter in use, once there is one; empty where none could be made.
    filter: OnceLock<String>,
}

impl StackExchange {
    pub(super) fn new(config: &StackExchangeConfig) -> Self {
        let filter = OnceLock::new();
        if is_word(&config.filter) {
            filter.get_or_init(|| config.filter.clone());
        }
        Self {
            api_url: config.api_url.as_str().to_owned(),
            key: config.key.clone().filter(|key| !key.is_empty()),
            min_score: i64::from(config.min_score),
            filter,
        }
    }

    fn request(&self, path: &str) -> Request {
        let encoded = self.key.as_ref().map(|key| form_urlencoded::byte_serialize(key.as_bytes()).collect::<String>());
        let key = encoded.map(|key| format!("&key={key}")).unwrap_or_default();
        Request { accept: "application/json", ..Request::get(format!("{}/{path}{key}", self.api_url)) }
    }

    fn answers(&self, sources: &[Arc<Source>], after: Option<Timestamp>, page: u32) -> Option<Request> {
        let (site, _) = place(sources.first()?)?;
        let ids: Vec<&str> = sources.iter().filter_map(|source| place(source)).map(|(_, id)| id).collect();
        let since = after.map(|after| format!("&fromdate={}", after.as_second().max(0))).unwrap_or_default();
        let filter: String =
            self.filter.get().filter(|filter| !filter.is_empty()).map(|filter| format!("&filter={filter}")).unwrap_or_default();
        let request = self.request(&format!(
            "users/{}/answers?site={site}&order=desc&sort=creation&pagesize=100&page={page}{since}{filter}",
            ids.join(";")
        ));
        Some(Request { after, ..request })
    }

    fn answer(&self, site: &str, item: &Value) -> Option<Entry> {
        let id = number(item, &["answer_id"])?;
        let score = at(item, &["score"]).and_then(Value::as_i64);
        let accepted = truth(item, &["is_accepted"]) == Some(true);
        let owner = at(item, &["owner"]);
        let name = owner.and_then(|owner| text(owner, &["display_name"])).map(|name| plain(&name));
        Some(Entry {
            platform_key: Some(format!("se:{site}:a:{id}")),
            link: Some(format!("https://{}/a/{id}", stack_exchange_host(site))),
            title: text(item, &["title"]).map(|title| plain(&title)).filter(|title| !title.is_empty()),
            content: at(item, &["body"])
                .and_then(Value::as_str)
                .map(|body| html_to_content(body, None))
                .filter(|body| !body.text.is_empty()),
            authors: name
                .map(|name| Author {
                    name,
                    url: owner.and_then(|owner| address(owner, &["link"])),
                    id: owner.and_then(|owner| number(owner, &["user_id"])).map(|id| id.to_string()),
                })
                .into_iter()
                .collect(),
            published: seconds(item, "creation_date"),
            updated: seconds(item, "last_edit_date"),
            categories: at(item, &["tags"])
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(collapse)
                .collect(),
            kind: Some(ActivityKind::Answer),
            unproven: !accepted && score.is_some_and(|score| score < self.min_score),
            counts: Counts {
                likes: score.and_then(|score| u64::try_from(score).ok()),
                comments: number(item, &["comment_count"]),
                views: number(item, &["view_count"]),
                ..Counts::default()
            },
            ..Entry::default()
        })
    }

    fn read_answers(&self, ask: &Ask, document: &Document, value: &Value) -> Result<Vec<Reading>, ReadError> {
        let shape = || ReadError::Shape {
            platform: PLATFORM,
            detail: text(value, &["error_message"]).unwrap_or_else(|| "a list was expected".into()),
        };
        let items = at(value, &["items"]).and_then(Value::as_array).ok_or_else(shape)?;
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut readings: Vec<Reading> = Vec::new();
        for source in &ask.sources {
            if let Some((_, id)) = place(source) {
                places.insert(id, readings.len());
            }
            readings.push(Reading { source: Some(source.id), ..Reading::default() });
        }
        let Some((site, _)) = ask.sources.first().and_then(|source| place(source)) else { return Ok(readings) };
        let mut skipped = 0;
        let mut titled = items.is_empty();
        for item in items {
            let found = owner(item).and_then(|id| places.get(id.as_str()).copied());
            match (found, self.answer(site, item)) {
                (Some(place), Some(entry)) => {
                    titled |= entry.title.is_some();
                    readings[place].entries.push(entry);
                }
                // Nobody's, or of somebody whom nobody asked for: deleted accounts have no number.
                (None, Some(_)) => {}
                (_, None) => skipped += 1,
            }
        }
        let Some(first) = readings.first_mut() else { return Ok(readings) };
        first.skipped = skipped;
        first.wait_s = number(value, &["backoff"]);
        if number(value, &["quota_remaining"]) == Some(0) {
            // The day of the quota ends at midnight UTC.
            let left = 86_400 - document.received_at.as_second().rem_euclid(86_400);
            first.wait_s = first.wait_s.max(u64::try_from(left).ok());
        }
        if !titled && self.filter.get().is_none() {
            first.next.push(self.request(&format!("filters/create?base=default&include={FIELDS}&unsafe=false")));
        } else if truth(value, &["has_more"]) == Some(true) && ask.page < MAX_PAGES && !items.is_empty() {
            first.next.extend(self.answers(&ask.sources, ask.request.after, page_of(&ask.request.url) + 1));
        }
        Ok(readings)
    }
}

/// Somebody whose answers are asked for, and from when on.
type Member = (Arc<Source>, Option<Timestamp>);

impl Collector for StackExchange {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        // Those who were never read are asked for all of theirs, the rest for what may have changed.
        let mut groups: BTreeMap<(String, bool), Vec<Member>> = BTreeMap::new();
        for (source, state) in sources {
            if let Some((site, _)) = place(source) {
                let after = state.last_success_at.map(|at| at.saturating_sub(SCORES).unwrap_or(Timestamp::UNIX_EPOCH));
                groups.entry((site.to_owned(), after.is_some())).or_default().push((Arc::clone(source), after));
            }
        }
        let mut asks = Vec::new();
        for members in groups.into_values() {
            for members in in_batches(&members, MOST_IDS) {
                let after = members.iter().filter_map(|(_, after)| *after).min();
                let sources: Vec<Arc<Source>> = members.into_iter().map(|(source, _)| source).collect();
                if let Some(request) = self.answers(&sources, after, 1) {
                    asks.push(Ask { kind: SourceKind::StackExchange, request, sources, page: 1 });
                }
            }
        }
        asks
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        let value = parse(document, PLATFORM)?;
        if !ask.request.url.contains("/filters/create") {
            return self.read_answers(ask, document, &value);
        }
        let made = at(&value, &["items"]).and_then(Value::as_array).and_then(|items| items.first());
        let filter = made.and_then(|made| text(made, &["filter"])).filter(|filter| is_word(filter));
        let filter = self.filter.get_or_init(|| filter.unwrap_or_default());
        let mut reading = Reading { wait_s: number(&value, &["backoff"]), ..Reading::default() };
        if !filter.is_empty() {
            reading.next.extend(self.answers(&ask.sources, ask.request.after, 1));
        }
        Ok(super::for_source(ask, reading))
    }

    /// The answers of one person, without what the wrapper says of all.
    fn part(&self, ask: &Ask, document: &Document, source: &Source) -> Option<Vec<u8>> {
        let (_, id) = place(source).filter(|_| !ask.request.url.contains("/filters/create"))?;
        let value = parse(document, PLATFORM).ok()?;
        let items = at(&value, &["items"])?.as_array()?;
        let own: Vec<&Value> = items.iter().filter(|item| owner(item).as_deref() == Some(id)).collect();
        serde_json::to_vec(&serde_json::json!({ "items": own })).ok()
    }

    /// Later pages hold scores that are read again, known or not.
    fn wants(&self, _request: &Request, _told: &mut dyn Iterator<Item = &Entry>, _known: &HashSet<String>) -> bool {
        true
    }

    fn refused(&self, ask: &Ask, status: u16, body: &[u8]) -> Meaning {
        if ask.request.url.contains("/filters/create") {
            // Without one, answers have no titles, which is better than none.
            self.filter.get_or_init(String::new);
            return Meaning::AsItSays;
        }
        let Some(value) = super::json::value_of(body) else { return Meaning::AsItSays };
        let message = text(&value, &["error_message"]).unwrap_or_default();
        let message: String = message.chars().take(200).collect();
        match text(&value, &["error_name"]).as_deref() {
            Some("throttle_violation") => {
                Meaning::Wait(number_in(&message).or(Some(60)), format!("Stack Exchange asks us to wait ({status}): {message}"))
            }
            Some("temporarily_unavailable" | "internal_error") => {
                Meaning::Wait(None, format!("Stack Exchange is not available ({status})"))
            }
            _ => Meaning::AsItSays,
        }
    }

    fn fold(&self, reading: &mut Reading, _now: Timestamp) {
        // An answer that was asked for twice is the one with its title.
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut kept: Vec<Entry> = Vec::new();
        for entry in std::mem::take(&mut reading.entries) {
            let key = entry.platform_key.clone().unwrap_or_default();
            match places.get(&key) {
                Some(place) if kept[*place].title.is_none() => kept[*place] = entry,
                Some(_) => {}
                None => {
                    places.insert(key, kept.len());
                    kept.push(entry);
                }
            }
        }
        reading.entries = kept;
    }
}

/// The number of whoever wrote an answer.
fn owner(item: &Value) -> Option<String> {
    number(item, &["owner", "user_id"]).map(|id| id.to_string())
}

/// Site and number of a source: `stackoverflow:22656`.
fn place(source: &Source) -> Option<(&str, &str)> {
    let (site, id) = source.locator.rsplit_once(':')?;
    let fits = !site.is_empty()
        && site.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        && !id.is_empty()
        && id.bytes().all(|b| b.is_ascii_digit());
    fits.then_some((site, id))
}

fn page_of(url: &str) -> u32 {
    url.split_once("&page=").and_then(|(_, rest)| rest.split('&').next()?.parse().ok()).unwrap_or(1)
}

/// Titles and names come as HTML writes them.
fn plain(text: &str) -> String {
    collapse(&decode(text))
}

fn seconds(item: &Value, key: &str) -> Option<Timestamp> {
    Timestamp::from_second(at(item, &[key])?.as_i64()?).ok()
}

/// The first number in a sentence.
fn number_in(text: &str) -> Option<u64> {
    text.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}

/// What the API gives as the name of a filter.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= 100 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!*-_.()~$@".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::samples::{document, unasked};

    fn source(id: i64, locator: &str) -> (Arc<Source>, SourceState) {
        unasked(id, crate::model::SourceKind::StackExchange, locator)
    }

    fn collector() -> StackExchange {
        StackExchange::new(&crate::config::Config::default().stackexchange)
    }

    fn asks() -> Vec<Ask> {
        collector().plan(&[source(1, "stackoverflow:501"), source(2, "stackoverflow:502"), source(3, "devops:501")])
    }

    fn told(readings: &[Reading]) -> Vec<Vec<&str>> {
        readings.iter().map(|reading| reading.entries.iter().filter_map(|entry| entry.platform_key.as_deref()).collect()).collect()
    }

    #[test]
    fn one_question_is_about_up_to_a_hundred_people_of_one_site() {
        let asked = asks();
        assert_eq!(asked.len(), 2);
        assert_eq!(
            asked[1].request.url,
            "https://api.stackexchange.com/2.3/users/501;502/answers?site=stackoverflow&order=desc&sort=creation&pagesize=100&page=1"
        );
        let many: Vec<_> = (1..=250).map(|id| source(id, &format!("stackoverflow:{id}"))).collect();
        assert_eq!(collector().plan(&many).iter().map(|ask| ask.sources.len()).collect::<Vec<_>>(), [100, 100, 50]);
        // Those who were read before are asked for what may have changed since.
        let mut known = source(1, "stackoverflow:501");
        known.1.last_success_at = Some("2026-03-05T12:00:00Z".parse().unwrap());
        assert!(collector().plan(&[known])[0].request.url.ends_with("&fromdate=1771416000"));
        assert!(collector().plan(&[source(1, "stackoverflow:5;6"), source(2, "x"), source(3, ":7")]).is_empty());
    }

    #[test]
    fn each_answer_goes_to_its_author_and_titles_are_plain() {
        let collector = collector();
        let ask = asks().remove(1);
        let answers = document(include_str!("../../fixtures/stackexchange/answers.json"));
        let readings = collector.read(&ask, &answers).unwrap();
        assert_eq!(told(&readings), [vec!["se:stackoverflow:a:9001"], vec!["se:stackoverflow:a:9002", "se:stackoverflow:a:9003"]]);
        let first = &readings[0].entries[0];
        assert_eq!(first.title.as_deref(), Some("Why is my candle \"cold\" & dark? <wick>"));
        assert_eq!(first.link.as_deref(), Some("https://stackoverflow.com/a/9001"));
        assert_eq!(first.authors[0].name, "Ada & Loam");
        assert_eq!(first.published.unwrap().to_string(), "2026-03-04T04:53:20Z");
        assert!(!first.unproven, "accepted, although nobody voted");
        assert_eq!(readings[1].entries.iter().map(|entry| entry.unproven).collect::<Vec<_>>(), [false, true]);
        assert_eq!((readings[0].skipped, readings[0].wait_s), (2, Some(10)));
        assert!(readings[0].next[0].url.contains("&page=2"), "there are more");
        // What is kept as evidence speaks of one person, and reads as before.
        for (source, reading) in ask.sources.iter().zip(&readings) {
            let part = document(&String::from_utf8(collector.part(&ask, &answers, source).unwrap()).unwrap());
            let alone = Ask { sources: vec![Arc::clone(source)], ..ask.clone() };
            assert_eq!(collector.read(&alone, &part).unwrap()[0].entries, reading.entries);
        }
        let part = collector.part(&ask, &answers, &ask.sources[1]).unwrap();
        assert!(!String::from_utf8(part).unwrap().contains("9001"));
        assert!(collector.part(&ask, &document("<html>"), &ask.sources[1]).is_none());
    }

    #[test]
    fn an_answer_without_titles_is_asked_for_again_with_a_filter() {
        let collector = collector();
        let ask = asks().remove(1);
        let bare = "{\"items\":[{\"owner\":{\"user_id\":501},\"score\":1,\"answer_id\":1}],\"quota_remaining\":9}";
        let readings = collector.read(&ask, &document(bare)).unwrap();
        let create = readings[0].next[0].clone();
        assert!(create.url.starts_with("https://api.stackexchange.com/2.3/filters/create?base=default&include=answer.title;"));
        let create = Ask { request: create, ..ask.clone() };
        let made = collector.read(&create, &document("{\"items\":[{\"filter\":\"!abc)X\",\"filter_type\":\"safe\"}]}")).unwrap();
        assert!(made[0].next[0].url.ends_with("&filter=!abc)X"));
        assert!(collector.plan(&[source(1, "stackoverflow:501")])[0].request.url.ends_with("&filter=!abc)X"), "it is made once");
        let titled = bare.replace("\"answer_id\":1", "\"answer_id\":1,\"title\":\"Warm wax\"");
        let again = collector.read(&ask, &document(&titled)).unwrap();
        let mut reading = Reading { entries: [readings[0].entries.clone(), again[0].entries.clone()].concat(), ..Reading::default() };
        collector.fold(&mut reading, "2026-03-05T12:00:00Z".parse().unwrap());
        assert_eq!(reading.entries.len(), 1);
        assert_eq!(reading.entries[0].title.as_deref(), Some("Warm wax"));
    }

    #[test]
    fn limits_stand_in_the_answer() {
        let collector = collector();
        let ask = asks().remove(1);
        let throttled = "{\"error_id\":502,\"error_message\":\"too many requests from this IP, more requests available in 71 seconds\",\"error_name\":\"throttle_violation\"}";
        assert!(matches!(collector.refused(&ask, 400, throttled.as_bytes()), Meaning::Wait(Some(71), _)));
        assert!(matches!(collector.refused(&ask, 503, b"{\"error_name\":\"temporarily_unavailable\"}"), Meaning::Wait(None, _)));
        assert!(matches!(collector.refused(&ask, 400, b"{\"error_name\":\"bad_parameter\"}"), Meaning::AsItSays));
        assert!(matches!(collector.refused(&ask, 502, b"<html>"), Meaning::AsItSays));
        let spent = collector.read(&ask, &document("{\"items\":[],\"quota_remaining\":0}")).unwrap();
        assert_eq!(spent[0].wait_s, Some(12 * 3600), "until the day of the quota is over");
        assert_eq!(told(&spent), [vec![""; 0], vec![]], "nobody answered anything, which is no error");
    }

    #[test]
    fn other_shapes_are_told_by_name() {
        let collector = collector();
        let ask = asks().remove(1);
        let error = |text: &str| collector.read(&ask, &document(text)).unwrap_err();
        assert_eq!(error("<!doctype html>"), ReadError::Html);
        assert_eq!(error(" "), ReadError::Empty);
        assert_eq!(
            error("{\"error_message\":\"no such site\"}").to_string(),
            "the answer of Stack Exchange has an unknown shape: no such site"
        );
        assert!(matches!(error("[]"), ReadError::Shape { .. }));
    }
}

//! Twitch channels, by the Helix API, with the token of the operator's app.
//!
//! In: logins or numeric ids of channels, lists of videos, and whether a channel is live. Out: past broadcasts, highlights
//! and uploads. A login is looked up once; its id is asked for from then on, for logins change hands. A broadcast that still
//! runs is in the list already and grows: it is held back until it ended, or for a day.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::json::{address, id, list, number, parse, text, time};
use super::{Collector, ask_for, for_source};
use crate::config::TwitchConfig;
use crate::model::{ActivityKind, Ask, Auth, Author, Counts, Document, Entry, ReadError, Reading, Request, Source, SourceState};

const PLATFORM: &str = "Twitch";
/// Videos of one page; further ones are older.
const PAGE: usize = 100;
/// After so long a broadcast counts as it is, even if it still runs.
const LONGEST_HOLD: SignedDuration = SignedDuration::from_hours(24);

pub(super) struct Twitch {
    api_url: String,
}

impl Twitch {
    pub(super) fn new(config: &TwitchConfig) -> Self {
        Self { api_url: config.api_url.as_str().to_owned() }
    }

    fn request(&self, path: &str) -> Request {
        Request { accept: "application/json", auth: Auth::Twitch, ..Request::get(format!("{}/{path}", self.api_url)) }
    }

    fn videos(&self, user: &str) -> Request {
        self.request(&format!("videos?user_id={user}&first={PAGE}"))
    }

    fn read_user(&self, data: &[Value]) -> Result<Reading, ReadError> {
        let missing = || ReadError::Shape { platform: PLATFORM, detail: "there is no channel of that name".into() };
        let user = data.iter().find_map(|user| id(user, &["id"])).filter(|id| is_number(id)).ok_or_else(missing)?;
        Ok(Reading { next: vec![self.videos(&user)], stands_for: Some(user), ..Reading::default() })
    }

    fn read_videos(&self, data: &[Value], now: Timestamp) -> Reading {
        let mut reading = Reading { whole: data.len() < PAGE, ..Reading::default() };
        let mut running: Option<(Timestamp, usize, String)> = None;
        for video in data {
            let Some(entry) = video_of(video) else {
                reading.skipped += 1;
                continue;
            };
            if entry.kind == Some(ActivityKind::Livestream)
                && let (Some(at), Some(user)) = (entry.published, id(video, &["user_id"]).filter(|id| is_number(id)))
                && running.as_ref().is_none_or(|(newest, ..)| at > *newest)
            {
                running = Some((at, reading.entries.len(), user));
            }
            reading.entries.push(entry);
        }
        // Of all broadcasts only the newest can still run.
        if let Some((at, place, user)) = running.filter(|(at, ..)| now.duration_since(*at) < LONGEST_HOLD) {
            let entry = &mut reading.entries[place];
            entry.upcoming = true;
            let about = entry.platform_key.clone();
            // What it says of its length now is no length; told again with what says that it ended.
            let length = entry.duration_s.take();
            let length = length.map_or_else(String::new, |length| format!("#{length}"));
            reading.perishable = true;
            reading.next.push(Request { about, ..self.request(&format!("streams?user_id={user}{length}")) });
            tracing::debug!(started_at = %at, "a broadcast of a day ago or less: is it over?");
        }
        reading
    }

    /// Whether the channel is live. Where it is not, its newest broadcast is over, and its length is its length.
    fn read_streams(ask: &Ask, data: &[Value]) -> Reading {
        let live = data.iter().any(|stream| text(stream, &["type"]).is_none_or(|kind| kind == "live"));
        let length = ask.request.url.rsplit_once('#').and_then(|(_, length)| length.parse().ok());
        let entry =
            Entry { platform_key: ask.request.about.clone(), upcoming: live, duration_s: length.filter(|_| !live), ..Entry::default() };
        Reading { entries: vec![entry], details: true, ..Reading::default() }
    }
}

impl Collector for Twitch {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        let ask = |(source, state): &(Arc<Source>, SourceState)| {
            let known = state.stands_for.as_deref().or(Some(source.locator.as_str()).filter(|locator| is_number(locator)));
            let request = match known {
                Some(user) => self.videos(user),
                None => self.request(&format!("users?login={}", source.locator)),
            };
            ask_for(source, state, request)
        };
        sources.iter().map(ask).collect()
    }

    fn count(&self, source: &Arc<Source>, entry: &Entry) -> Option<Request> {
        // The list of videos is asked by the channel's id, which every video tells.
        let told = entry.authors.iter().find_map(|author| author.id.as_deref());
        let user = told.into_iter().chain([source.locator.as_str()]).find(|id| is_number(id))?;
        Some(self.videos(user))
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        let mut answer = parse(document, PLATFORM)?;
        let data = match answer.get_mut("data").map(Value::take) {
            Some(data) => list(data, PLATFORM)?,
            None => list(answer, PLATFORM)?,
        };
        let path = ask.request.url.strip_prefix(&self.api_url).unwrap_or_default();
        let reading = if path.starts_with("/users?") {
            self.read_user(&data)?
        } else if path.starts_with("/streams?") {
            Self::read_streams(ask, &data)
        } else {
            self.read_videos(&data, document.received_at)
        };
        Ok(for_source(ask, reading))
    }

    /// Everything: whether a broadcast is over is asked until it is.
    fn wants(&self, _request: &Request, _told: &mut dyn Iterator<Item = &Entry>, _known: &HashSet<String>) -> bool {
        true
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn video_of(video: &Value) -> Option<Entry> {
    let number_of = id(video, &["id"]).filter(|id| is_number(id))?;
    let login = text(video, &["user_login"]);
    Some(Entry {
        platform_key: Some(format!("twitch:{number_of}")),
        link: address(video, &["url"]).or_else(|| Some(format!("https://www.twitch.tv/videos/{number_of}"))),
        title: text(video, &["title"]),
        summary: text(video, &["description"]),
        authors: text(video, &["user_name"])
            .or_else(|| login.clone())
            .map(|name| Author {
                name,
                url: login.as_ref().map(|login| format!("https://www.twitch.tv/{login}")),
                id: id(video, &["user_id"]),
            })
            .into_iter()
            .collect(),
        published: time(video, &["published_at"]).or_else(|| time(video, &["created_at"])),
        // `other` is what Twitch says where it does not know.
        language: text(video, &["language"]).filter(|language| language != "other"),
        kind: Some(match text(video, &["type"]).as_deref() {
            Some("archive") => ActivityKind::Livestream,
            _ => ActivityKind::Video,
        }),
        duration_s: text(video, &["duration"]).and_then(|text| length(&text)),
        counts: Counts { views: number(video, &["view_count"]), ..Counts::default() },
        ..Entry::default()
    })
}

/// `2h14m5s` in seconds (Helix reference, `duration`).
fn length(text: &str) -> Option<u32> {
    let mut seconds = 0_u32;
    let mut digits = String::new();
    for c in text.trim().chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let factor = match c {
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(digits.parse::<u32>().ok()?.checked_mul(factor)?)?;
        digits.clear();
    }
    (digits.is_empty() && seconds > 0).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::samples::unasked;
    use crate::config::Config;
    use crate::model::SourceKind;

    fn twitch() -> Twitch {
        Twitch::new(&Config::default().twitch)
    }

    fn ask(locator: &str, state: SourceState) -> Ask {
        let (source, _) = unasked(1, SourceKind::TwitchChannel, locator);
        twitch().plan(&[(source, state)]).remove(0)
    }

    fn read(ask: &Ask, now: &str, body: &str) -> Result<Reading, ReadError> {
        twitch().read(ask, &Document::of_bytes("", body, now.parse().unwrap())).map(|mut readings| readings.remove(0))
    }

    const VIDEOS: &str = include_str!("../../fixtures/twitch/videos.json");

    #[test]
    fn a_login_is_looked_up_once_and_its_id_asked_from_then_on() {
        let by_name = ask("anvilcast", SourceState::default());
        assert_eq!(by_name.request.url, "https://api.twitch.tv/helix/users?login=anvilcast");
        let reading = read(&by_name, "2026-11-19T09:00:00Z", include_str!("../../fixtures/twitch/users.json")).unwrap();
        assert_eq!(reading.stands_for.as_deref(), Some("770000012"));
        let videos = "https://api.twitch.tv/helix/videos?user_id=770000012&first=100";
        assert_eq!(reading.next[0].url, videos);
        let state = SourceState { stands_for: reading.stands_for, ..SourceState::default() };
        assert_eq!(
            (ask("anvilcast", state).request.url.as_str(), ask("770000012", SourceState::default()).request.url.as_str()),
            (videos, videos)
        );
        assert!(read(&by_name, "2026-11-19T09:00:00Z", "{\"data\":[]}").unwrap_err().to_string().contains("no channel of that name"));
    }

    #[test]
    fn broadcasts_highlights_and_uploads_are_told_apart() {
        let reading = read(&ask("770000012", SourceState::default()), "2026-11-25T09:00:00Z", VIDEOS).unwrap();
        let told: Vec<_> = reading
            .entries
            .iter()
            .map(|entry| (entry.platform_key.as_deref().unwrap(), entry.kind.unwrap(), entry.duration_s, entry.upcoming))
            .collect();
        assert_eq!(
            told,
            [
                ("twitch:2610000003", ActivityKind::Livestream, Some(8_045), false),
                ("twitch:2610000002", ActivityKind::Video, Some(95), false),
                ("twitch:2610000001", ActivityKind::Livestream, None, false),
            ]
        );
        assert_eq!((reading.whole, reading.skipped, reading.next.len()), (true, 1, 0));
        assert_eq!(reading.entries[0].counts.views, Some(311));
        // Counts between polls: by the id that the video tells, whatever name the source goes by.
        for locator in ["anvilcast", "770000012"] {
            let (source, _) = unasked(1, SourceKind::TwitchChannel, locator);
            let request = twitch().count(&source, &reading.entries[0]).unwrap();
            assert_eq!(
                (request.url.as_str(), request.auth),
                ("https://api.twitch.tv/helix/videos?user_id=770000012&first=100", Auth::Twitch)
            );
            assert_eq!(twitch().count(&source, &Entry::default()).is_some(), is_number(locator));
        }
    }

    #[test]
    fn a_running_broadcast_is_held_until_it_ended_or_a_day_has_passed() {
        let videos = ask("770000012", SourceState::default());
        let reading = read(&videos, "2026-11-17T19:00:00Z", VIDEOS).unwrap();
        assert!(reading.entries[0].upcoming && reading.entries[0].duration_s.is_none() && reading.perishable);
        let [streams] = reading.next.as_slice() else { panic!("one question") };
        let streams = Ask { request: streams.clone(), ..videos.clone() };
        let live = read(&streams, "2026-11-17T19:00:00Z", "{\"data\":[{\"id\":\"4\",\"type\":\"live\"}]}").unwrap();
        assert!(live.details && live.entries[0].upcoming && live.entries[0].duration_s.is_none());
        let over = read(&streams, "2026-11-17T21:00:00Z", "{\"data\":[]}").unwrap();
        assert_eq!((over.entries[0].upcoming, over.entries[0].duration_s), (false, Some(8_045)));
        assert!(!read(&videos, "2026-11-18T18:00:01Z", VIDEOS).unwrap().entries[0].upcoming);
    }

    #[test]
    fn odd_answers_are_errors_in_words_or_nothing() {
        let videos = ask("770000012", SourceState::default());
        for (body, wanted) in [
            ("<!doctype html>", "a web page"),
            ("", "empty"),
            ("{\"error\":\"Bad Request\",\"status\":400,\"message\":\"Invalid user id\"}", "Invalid user id"),
            ("{\"data\":7}", "a list was expected"),
        ] {
            let error = read(&videos, "2026-11-19T09:00:00Z", body).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        let odd = "{\"data\":[null,{},{\"id\":\"x/y\"},{\"id\":\"5\",\"title\":null,\"type\":7,\"duration\":\"9\",\"url\":\"javascript:go()\",\"published_at\":\"soon\"}]}";
        let reading = read(&videos, "2026-11-19T09:00:00Z", odd).unwrap();
        assert_eq!((reading.entries.len(), reading.skipped), (1, 3));
        assert_eq!(reading.entries[0].link.as_deref(), Some("https://www.twitch.tv/videos/5"));
        for (text, wanted) in [
            ("2h14m5s", Some(8_045)),
            ("33s", Some(33)),
            ("1d1s", Some(86_401)),
            ("0s", None),
            ("h", None),
            ("5", None),
            ("99999999999h", None),
        ] {
            assert_eq!(length(text), wanted, "{text}");
        }
    }
}

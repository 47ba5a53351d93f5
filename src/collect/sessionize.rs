//! Speakers on Sessionize, by the id that a speaker makes for the API.
//!
//! In: one document a speaker. Out: talks, one for each event, dated by the event, also those that are still to come. The
//! list of sessions is a catalogue of what a speaker offers and no proof that it was given; it is left out. Nothing is
//! counted: talks have no counts there.

use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::json::{address, at, id, list, parse, text};
use super::{Collector, ask_for, for_source};
use crate::config::SessionizeConfig;
use crate::model::{ActivityKind, Ask, Author, Document, Entry, ReadError, Reading, Request, Source, SourceState};

const PLATFORM: &str = "Sessionize";

pub(super) struct Sessionize {
    api_url: String,
}

impl Sessionize {
    pub(super) fn new(config: &SessionizeConfig) -> Self {
        Self { api_url: config.api_url.as_str().to_owned() }
    }
}

impl Collector for Sessionize {
    fn plan(&self, sources: &[(Arc<Source>, SourceState)]) -> Vec<Ask> {
        let ask = |(source, state): &(Arc<Source>, SourceState)| {
            let request = Request { accept: "application/json", ..Request::get(format!("{}/{}", self.api_url, source.locator)) };
            ask_for(source, state, request)
        };
        sources.iter().map(ask).collect()
    }

    fn read(&self, ask: &Ask, document: &Document) -> Result<Vec<Reading>, ReadError> {
        let mut answer = parse(document, PLATFORM)?;
        let speaker = at(&answer, &["speaker"]).and_then(speaker_of);
        // An answer without events is one of a speaker who has none; anything else is no speaker at all.
        let events = match answer.get_mut("events").map(Value::take) {
            Some(Value::Null) => Vec::new(),
            None if at(&answer, &["speaker"]).is_some() => Vec::new(),
            Some(events) => list(events, PLATFORM)?,
            None => list(answer, PLATFORM)?,
        };
        let account = ask.sources.first().map_or("", |source| source.locator.as_str());
        let mut reading = Reading { title: speaker.as_ref().map(|speaker| speaker.name.clone()), whole: true, ..Reading::default() };
        for event in &events {
            match talk(event, account, speaker.as_ref()) {
                Some(entry) => reading.entries.push(entry),
                None => reading.skipped += 1,
            }
        }
        Ok(for_source(ask, reading))
    }
}

fn speaker_of(speaker: &Value) -> Option<Author> {
    let parts = [text(speaker, &["firstName"]), text(speaker, &["lastName"])];
    let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    (!name.is_empty()).then(|| Author { name, url: address(speaker, &["speakerProfileUrl"]), id: None })
}

fn talk(event: &Value, account: &str, speaker: Option<&Author>) -> Option<Entry> {
    let number = id(event, &["id"])?;
    let begins = text(event, &["eventStartDate"]);
    let starts_at = begins.as_deref().and_then(begin);
    Some(Entry {
        platform_key: Some(format!("sess:{account}:{number}")),
        link: address(event, &["website"]),
        // The site is the event's: everybody who spoke there has it.
        link_shared: true,
        title: text(event, &["name"]),
        summary: text(event, &["location"]),
        authors: speaker.cloned().into_iter().collect(),
        published: starts_at,
        published_raw: begins.map(|text| text.chars().take(100).collect()),
        zone_assumed: starts_at.is_some(),
        starts_at,
        kind: Some(ActivityKind::Talk),
        ..Entry::default()
    })
}

/// When an event begins. Sessionize gives days as midnights without a zone; noon in UTC is that day nearly everywhere.
fn begin(text: &str) -> Option<jiff::Timestamp> {
    if let Ok(instant) = text.parse() {
        return Some(instant);
    }
    let local: DateTime = text.parse().ok()?;
    let local = if local.time() == jiff::civil::Time::midnight() { local.date().at(12, 0, 0, 0) } else { local };
    local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::samples::unasked;
    use crate::config::Config;
    use crate::model::SourceKind;

    fn read(body: &str) -> Result<Reading, ReadError> {
        let sessionize = Sessionize::new(&Config::default().sessionize);
        let ask = sessionize.plan(&[unasked(1, SourceKind::SessionizeSpeaker, "q1w2e3r4t5")]).remove(0);
        assert_eq!(ask.request.url, "https://sessionize.com/api/speaker/json/q1w2e3r4t5");
        sessionize.read(&ask, &Document::of_bytes("", body, "2026-11-19T09:00:00Z".parse().unwrap())).map(|mut readings| readings.remove(0))
    }

    #[test]
    fn events_are_talks_dated_by_the_event_and_sessions_are_none() {
        let reading = read(include_str!("../../fixtures/sessionize/speaker.json")).unwrap();
        let told: Vec<_> = reading
            .entries
            .iter()
            .map(|entry| (entry.platform_key.as_deref().unwrap(), entry.starts_at.map(|at| at.to_string()), entry.link.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("sess:q1w2e3r4t5:31001", Some("2026-12-04T12:00:00Z".to_owned()), Some("https://loomconf.example/")),
                ("sess:q1w2e3r4t5:30007", Some("2026-05-12T08:30:00Z".to_owned()), None),
                ("sess:q1w2e3r4t5:30001", None, None),
            ]
        );
        assert!(reading.whole && reading.entries.iter().all(|entry| entry.link_shared && entry.kind == Some(ActivityKind::Talk)));
        assert_eq!((reading.title.as_deref(), reading.skipped), (Some("Tova Heddle"), 1));
        assert_eq!(reading.entries[0].authors[0].name, "Tova Heddle");
    }

    #[test]
    fn odd_answers_are_errors_in_words_or_nothing() {
        for (body, wanted) in [
            ("<!doctype html>", "a web page"),
            ("", "empty"),
            ("{\"message\":\"no such speaker\"}", "no such speaker"),
            ("{\"events\":{}}", "a list was expected"),
            ("[7", "unknown shape"),
        ] {
            let error = read(body).unwrap_err().to_string();
            assert!(error.contains(wanted), "{body}: {error}");
        }
        for body in ["{\"speaker\":{},\"events\":[]}", "{\"speaker\":{},\"events\":null}", "{\"speaker\":{\"firstName\":7}}"] {
            assert!(read(body).unwrap().entries.is_empty(), "{body}");
        }
    }
}

use super::*;
use crate::model::{BuilderId, Owner, SourceId, SourceKind};

fn source(author: Option<&str>) -> Source {
    Source {
        id: SourceId(9),
        kind: SourceKind::Ical,
        locator: "https://weavers.example/events.ics".into(),
        url: String::new(),
        owners: vec![Owner { builder: BuilderId(1), author: author.map(str::to_owned), filters: crate::model::Filters::default() }],
        paused: false,
        left: false,
    }
}

fn read_as(author: Option<&str>, now: &str, body: &str) -> Result<Reading, ReadError> {
    let ical = Ical::new(14);
    let ask = ical.plan(&[(Arc::new(source(author)), SourceState::default())]).remove(0);
    ical.read(&ask, &Document::of_bytes(ask.request.url.clone(), body, now.parse().unwrap())).map(|mut readings| readings.remove(0))
}

fn read(now: &str, body: &str) -> Reading {
    read_as(None, now, body).unwrap()
}

fn told(reading: &Reading) -> Vec<(&str, String)> {
    let one = |entry: &'_ Entry| entry.starts_at.map(|at| at.to_string()).unwrap_or_default();
    reading.entries.iter().map(|entry| (entry.platform_key.as_deref().unwrap(), one(entry))).collect()
}

const GROUP: &str = include_str!("../../../fixtures/ical/group.ics");

#[test]
fn events_are_dated_by_the_clocks_of_their_place() {
    let reading = read("2026-11-19T09:00:00Z", GROUP);
    let at = |text: &str| text.to_owned();
    assert_eq!(
        told(&reading),
        [
            ("ical:event_410000001@weavers.example", at("2026-11-26T17:00:00Z")),
            ("ical:event_410000002@weavers.example", at("2026-11-30T12:00:00Z")),
            ("ical:s9:7", at("2026-12-01T18:30:00Z")),
            ("ical:described-zone-0001@weavers.example", at("2026-07-01T16:00:00Z")),
            ("ical:described-zone-0002@weavers.example", at("2026-12-01T17:00:00Z")),
            ("ical:windows-zone-0001@weavers.example", at("2026-11-27T14:00:00Z")),
        ]
    );
    let first = &reading.entries[0];
    assert_eq!(first.title.as_deref(), Some("November: shuttles, threads and tea"));
    assert_eq!(first.link.as_deref(), Some("https://weavers.example/events/410000001/"));
    assert_eq!((first.duration_s, first.kind, first.zone_assumed), (Some(9_000), Some(ActivityKind::Event), false));
    assert!(first.summary.as_deref().unwrap().contains("Speakers: Tova Heddle"));
    let day = &reading.entries[1];
    assert!(day.zone_assumed && day.duration_s.is_none(), "a day is a day, not a midnight");
    assert_eq!(reading.withdrawn, ["ical:event_410000003@weavers.example", "ical:event_410000003@weavers.example:*"]);
    assert_eq!((reading.title.as_deref(), reading.skipped, reading.perishable), (Some("Weavers of the Cloud"), 2, false));
}

#[test]
fn whoever_claims_a_calendar_by_name_is_credited_where_the_event_names_them() {
    let authors = |name: &str| -> Vec<usize> {
        read_as(Some(name), "2026-11-19T09:00:00Z", GROUP).unwrap().entries.iter().map(|entry| entry.authors.len()).collect()
    };
    assert_eq!(authors("tova heddle"), [1, 0, 0, 0, 0, 0]);
    assert_eq!(authors("Somebody Else"), [0; 6]);
}

fn series(more: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:series-00000001@weavers.example\r\nSUMMARY:Tuesday loom\r\n\
         DTSTART;TZID=/Europe/Stockholm:20260106T190000\r\nRRULE:FREQ=WEEKLY;BYDAY=TU\r\n{more}END:VEVENT\r\n"
    )
}

#[test]
fn a_series_is_taken_apart_near_the_present_only() {
    let whole = series("EXDATE;TZID=Europe/Stockholm:20261124T190000\r\n")
        + "BEGIN:VEVENT\r\nUID:series-00000001@weavers.example\r\nRECURRENCE-ID:20261201T180000Z\r\nSUMMARY:Moved\r\nDTSTART:20261202T180000Z\r\nEND:VEVENT\r\n\
           BEGIN:VEVENT\r\nUID:series-00000001@weavers.example\r\nRECURRENCE-ID:20261110T180000Z\r\nSTATUS:CANCELLED\r\nDTSTART:20261110T180000Z\r\nEND:VEVENT\r\n\
           END:VCALENDAR\r\n";
    let reading = read("2026-11-19T09:00:00Z", &whole);
    let key = |date: &str| format!("ical:series-00000001@weavers.example:{date}");
    let keys: Vec<_> = reading.entries.iter().map(|entry| entry.platform_key.clone().unwrap()).collect();
    assert_eq!(keys, [key("20261117T180000Z"), key("20261201T180000Z")]);
    assert_eq!(reading.entries[1].starts_at.unwrap().to_string(), "2026-12-02T18:00:00Z");
    assert_eq!(reading.withdrawn, [key("20261124T180000Z"), key("20261110T180000Z")]);
    assert!(reading.perishable, "time alone brings the next ones");
    let off = read("2026-11-19T09:00:00Z", &(series("STATUS:CANCELLED\r\n") + "END:VCALENDAR"));
    assert_eq!((off.entries.len(), off.withdrawn.len()), (0, 2));
}

#[test]
fn of_two_tellings_the_later_counts_and_a_cancelling_message_calls_all_off() {
    let event = |sequence: u32, title: &str| {
        format!("BEGIN:VEVENT\nUID:twice-0000001@x.example\nSEQUENCE:{sequence}\nSUMMARY:{title}\nDTSTART:20261126T180000Z\nEND:VEVENT\n")
    };
    let text = format!("BEGIN:VCALENDAR\n{}{}{}END:VCALENDAR", event(2, "New"), event(10, "Newest"), event(1, "Old"));
    assert_eq!(read("2026-11-19T09:00:00Z", &text).entries[0].title.as_deref(), Some("Newest"));
    let off = read("2026-11-19T09:00:00Z", &text.replace("BEGIN:VCALENDAR", "BEGIN:VCALENDAR\nMETHOD:CANCEL"));
    assert_eq!((off.entries.len(), off.withdrawn.len()), (0, 2));
}

#[test]
fn what_is_no_calendar_is_told_in_words() {
    for (body, wanted) in [("<html>", "a web page"), ("", "empty"), ("{}", "holds no calendar")] {
        assert!(read_as(None, "2026-11-19T09:00:00Z", body).unwrap_err().to_string().contains(wanted), "{body}");
    }
    assert!(read("2026-11-19T09:00:00Z", "BEGIN:VCALENDAR\nEND:VCALENDAR").entries.is_empty());
}

proptest::proptest! {
    #[test]
    fn no_rule_breaks_it(rule in "(FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)|COUNT=[0-9]{1,6}|INTERVAL=[0-9]{1,6}|BYDAY=-?[0-9]{0,2}(MO|SU)|BYMONTH=-?[0-9]{1,2}|BYMONTHDAY=-?[0-9]{1,3}|BYSETPOS=-?[0-9]{1,9}|UNTIL=[0-9]{8}|WKST=(SU|XX)|;){1,12}", start in "[0-9]{8}(T[0-9]{6}Z?)?") {
        let text = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:x\nDTSTART:{start}\nRRULE:{rule}\nEND:VEVENT\nEND:VCALENDAR");
        let reading = read("2026-11-19T09:00:00Z", &text);
        proptest::prop_assert!(reading.entries.len() <= 100);
    }
}

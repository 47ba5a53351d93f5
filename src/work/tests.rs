use proptest::prelude::*;

use super::*;
use crate::model::{Basis, BuilderId, Credit, DateTrust, EntryKey, Role, Sighting, SourceId, Substance};

/// An activity of builder 1, shown by source `source`.
fn piece(id: &str, source: i64, url: &str, canonical: Option<&str>, title: &str, day: i64) -> Activity {
    let at = Timestamp::from_second(1_772_000_000 + day * 86_400).unwrap();
    Activity {
        self_reported: false,
        id: ActivityId(id.into()),
        kind: ActivityKind::Article,
        url: Some(url.into()),
        canonical_url: canonical.map(str::to_owned),
        title: title.into(),
        summary: None,
        language: None,
        tags: Vec::new(),
        published_at: Some(at),
        published_trust: DateTrust::Stated,
        effective_at: at,
        first_seen_at: at,
        revised_at: None,
        held_until: None,
        backfill: false,
        paywalled: false,
        unproven: false,
        left: false,
        substance: Substance::default(),
        links: Vec::new(),
        excerpt: String::new(),
        credits: vec![Credit { builder: BuilderId(1), role: Role::Author, basis: Basis::Owner }],
        filtered: None,
        sightings: vec![Sighting { source: SourceId(source), key: EntryKey(id.into()), first_seen_at: at, left_at: None }],
    }
}

fn groups(activities: &[Activity], decisions: &[DecisionKind]) -> Vec<String> {
    cluster(activities, decisions)
        .iter()
        .map(|work| work.members.iter().map(|member| member.activity.0.as_str()).collect::<Vec<_>>().join(" "))
        .collect()
}

fn split(one: &str, other: &str) -> DecisionKind {
    DecisionKind::Split { one: ActivityId(one.into()), other: ActivityId(other.into()) }
}

fn merge(one: &str, other: &str) -> DecisionKind {
    DecisionKind::Merge { one: ActivityId(one.into()), other: ActivityId(other.into()) }
}

#[test]
fn copies_join_the_original_that_they_name_and_it_stands_for_them() {
    let own = "https://own.example.org/pipes/";
    let activities = [
        piece("a", 1, "https://dev.to/ada/pipes-1", Some(own), "Pipes", 0),
        piece("b", 2, own, None, "Something else by now", 5),
        piece("c", 3, "https://ada.hashnode.dev/pipes", Some("http://www.own.example.org/pipes"), "Tubes", 1),
        piece("d", 3, "https://ada.hashnode.dev/other", Some("https://own.example.org/"), "Other", 1),
        piece("e", 1, "https://dev.to/ada/other-2", Some("https://own.example.org/"), "Home", 1),
    ];
    let works = cluster(&activities, &[]);
    assert_eq!(groups(&activities, &[]), ["a b c", "d", "e"], "a site's root is nobody's original");
    assert_eq!(works[0].primary.as_str(), "b");
    let told: Vec<_> = works[0].members.iter().map(|member| (member.rule, member.joined_to.as_ref().map(ActivityId::as_str))).collect();
    assert_eq!(told, [(MergeRule::SameCanonical, Some("b")), (MergeRule::Alone, None), (MergeRule::SameCanonical, Some("b"))]);
}

#[test]
fn copies_of_an_original_that_nobody_collects_are_one_work_all_the_same() {
    let activities = [
        piece("a", 1, "https://dev.to/ada/pipes-1", Some("https://own.example.org/pipes"), "Pipes", 0),
        piece("b", 2, "https://medium.com/@ada/pipes-0123456789ab", Some("https://own.example.org/pipes"), "Pipes", 0),
    ];
    assert_eq!(groups(&activities, &[]), ["a b"]);
}

#[test]
fn an_address_that_one_source_shows_for_many_pieces_joins_none() {
    let show = "https://show.example.org/listen";
    let activities = [piece("a", 1, show, None, "One", 0), piece("b", 1, show, None, "Two", 1), piece("c", 2, show, None, "One", 2)];
    assert_eq!(groups(&activities, &[]).len(), 3);
    let twice = [piece("a", 1, show, None, "One", 0), piece("c", 2, "http://show.example.org/listen/?utm_source=x", None, "One", 2)];
    assert_eq!(cluster(&twice, &[])[0].members[1].rule, MergeRule::SameAddress);
}

#[test]
fn what_people_decide_goes_before_every_rule() {
    let activities = [
        piece("a", 1, "https://dev.to/ada/pipes", Some("https://own.example.org/pipes"), "Pipes", 0),
        piece("b", 2, "https://own.example.org/pipes", None, "Pipes", 0),
        piece("c", 2, "https://own.example.org/c", None, "Unlike", 0),
    ];
    assert_eq!(groups(&activities, &[split("b", "a")]), ["a", "b", "c"]);
    assert_eq!(groups(&activities, &[split("b", "a"), merge("a", "b")]), ["a b", "c"], "the later word counts");
    assert_eq!(groups(&activities, &[merge("a", "c")]), ["a b c"]);
    assert_eq!(groups(&activities, &[merge("a", "c"), split("b", "c")]), ["a c", "b"], "a rule does not undo a split by a detour");
}

#[test]
fn a_cross_post_is_told_by_its_title_and_a_series_is_not() {
    for (one, other, same) in [
        ("Draining a queue without losing a message", "Draining a Queue, Without Losing a Message!", true),
        ("Draining a queue, part 2", "Draining a queue, part 3", false),
        ("Draining a queue, part II", "Draining a queue, part III", false),
        ("Our March bill, explained in five graphs", "Our April bill, explained in five graphs", false),
        ("Filas sem perder mensagens no fim de semana", "Filas sem perder mensagens no fim de semana", true),
        ("味噌とラムダで作る温かいキャッシュの話", "味噌とラムダで作る温かいキャッシュの話", true),
        ("第3回 温かいキャッシュの話をしよう", "第4回 温かいキャッシュの話をしよう", false),
        ("Draining a queue without losing a message", "Filling a queue without losing patience", false),
    ] {
        let pair = [piece("a", 1, "https://own.example.org/1", None, one, 0), piece("b", 2, "https://dev.to/ada/1", None, other, 3)];
        assert_eq!(groups(&pair, &[]).len() == 1, same, "{one} / {other}");
        let late = [pair[0].clone(), piece("b", 2, "https://dev.to/ada/1", None, other, 31)];
        assert_eq!(groups(&late, &[]).len(), 2, "too far apart: {one}");
        let here = [pair[0].clone(), piece("b", 2, "https://own.example.org/2", None, other, 3)];
        assert_eq!(groups(&here, &[]).len(), 2, "never on one host: {one}");
        let mut theirs = pair.clone();
        theirs[1].credits[0].builder = BuilderId(2);
        assert_eq!(groups(&theirs, &[]).len(), 2, "never of two builders: {one}");
    }
}

#[test]
fn one_host_does_not_come_twice_into_a_work_by_likeness() {
    let title = "Draining a queue without losing a message";
    let activities = [
        piece("a", 1, "https://own.example.org/1", None, title, 0),
        piece("b", 2, "https://dev.to/ada/1", None, title, 1),
        piece("c", 1, "https://own.example.org/2", None, title, 2),
    ];
    let found = groups(&activities, &[]);
    assert_eq!(found, ["a b", "c"]);
}

#[test]
fn a_renamed_copy_is_told_by_its_text() {
    let text = (0..60).map(|n| format!("word{n}")).collect::<Vec<_>>().join(" ");
    let mut pair = [
        piece("a", 1, "https://own.example.org/1", None, "How we drained it", 0),
        piece("b", 2, "https://dev.to/ada/1", None, "Queues: a story", 3),
    ];
    for piece in &mut pair {
        piece.excerpt = text.clone();
    }
    assert_eq!(cluster(&pair, &[])[0].members[1].rule, MergeRule::SameText);
    pair[1].excerpt = text.chars().rev().collect();
    assert_eq!(groups(&pair, &[]).len(), 2);
}

#[test]
fn the_same_words_join_over_years_and_a_greeting_joins_nothing() {
    let text = |first: &str| format!("{first} {}", (0..70).map(|n| format!("word{n}")).collect::<Vec<_>>().join(" "));
    let told = |id: &str, source: i64, n: i64, day: i64, words: &str| {
        let mut piece = piece(id, source, &format!("https://h{source}.example.org/{n}"), None, &format!("Title of {id}"), day);
        piece.excerpt = text(words);
        piece
    };
    let pair = [told("a", 1, 1, 0, "hello"), told("b", 2, 1, 700, "hello")];
    assert_eq!(cluster(&pair, &[])[0].members[1].rule, MergeRule::SameText);
    let greeting: Vec<Activity> =
        (0..5).map(|n| told(&format!("a{n}"), 1, n, 90 * n, "hello")).chain([told("b", 2, 1, 700, "hello")]).collect();
    assert_eq!(groups(&greeting, &[]).len(), 6);
    // A sentence before the text makes it no other text.
    let led_in =
        [told("a", 1, 1, 0, "hello"), told("b", 2, 1, 3, "this first stood on my own site a week ago and before that in a letter hello")];
    assert_eq!(groups(&led_in, &[]).len(), 1);
}

#[test]
fn like_titles_with_another_word_or_another_text_are_left_to_a_person() {
    let title = "How we built our kiln control in Rust over a winter";
    let mut pair = [
        piece("a", 1, "https://own.example.org/1", None, title, 0),
        piece("b", 2, "https://dev.to/ada/1", None, "How we built our kiln control in Python over a winter", 3),
    ];
    assert_eq!((groups(&pair, &[]).len(), suggestions(&pair).len()), (2, 1));
    pair[1].title = title.into();
    assert_eq!((groups(&pair, &[]).len(), suggestions(&pair).len()), (1, 0));
    for (piece, first) in pair.iter_mut().zip(["ash", "slip"]) {
        piece.excerpt = (0..60).map(|n| format!("{first}{n}")).collect::<Vec<_>>().join(" ");
    }
    assert_eq!((groups(&pair, &[]).len(), suggestions(&pair).len()), (2, 1));
    pair[1].kind = ActivityKind::Video;
    assert_eq!(groups(&pair, &[]).len(), 1, "a description is no article");
}

#[test]
fn companions_are_told_by_links_and_not_by_links_alone() {
    let article = piece("a", 1, "https://own.example.org/slow", None, "Slow firing in a small kiln", 0);
    let video = |id: &str, title: &str, links: &[&str]| {
        let mut video = piece(id, 2, &format!("https://www.youtube.com/watch?v=video0000{id}"), None, title, 1);
        video.kind = ActivityKind::Video;
        video.links = links.iter().map(|link| (*link).to_owned()).collect();
        video
    };
    let link = "http://www.own.example.org/slow/?utm_source=yt";
    let works = cluster(&[article.clone(), video("b1", "Small kiln, slow firing", &[link])], &[]);
    assert_eq!(works[0].members[1].rule, MergeRule::Companion);
    assert_eq!(works[0].primary.as_str(), "a");
    for (title, links, same) in [
        ("Small kiln, slow firing", &[][..], 2),
        ("A tour of my desk", &[link], 2),
        ("Slow firing in a small kiln, part 2", &["https://own.example.org/other"], 2),
    ] {
        assert_eq!(groups(&[article.clone(), video("b1", title, links)], &[]).len(), same, "{title}");
    }
    let mut mutual = article.clone();
    mutual.links = vec!["https://youtu.be/video0000b1".into()];
    assert_eq!(groups(&[mutual, video("b1", "A tour of my desk", &[link])], &[]).len(), 1, "both link");
    let two = [article, video("b1", "Small kiln, slow firing", &[link]), video("b2", "Slow firing, small kiln", &[link])];
    assert_eq!(groups(&two, &[]).len(), 3, "which of the two is for a person to say");
}

#[test]
fn what_is_only_rather_alike_is_suggested_and_not_merged() {
    let pair = [
        piece("a", 1, "https://own.example.org/1", None, "Draining a queue without losing a message", 0),
        piece("b", 2, "https://dev.to/ada/1", None, "Draining a queue without losing any messages at all", 3),
    ];
    assert_eq!(groups(&pair, &[]).len(), 2);
    assert_eq!(suggestions(&pair).len(), 1);
}

proptest! {
    /// Activities on a few hosts with a few titles and canonical addresses, given in any order, whole or in parts.
    #[test]
    fn the_order_and_the_batches_change_nothing(
        shapes in proptest::collection::vec((0_i64..4, 0_u8..5, proptest::option::of(0_u8..5), 0_usize..5, 0_i64..70, (0_usize..4, 0_u8..12, 1_i64..3)), 1..14),
        seed in any::<u64>(),
        rulings in proptest::collection::vec((0_usize..14, 0_usize..14, any::<bool>()), 0..3),
    ) {
        const TITLES: [&str; 5] =
            ["Draining a queue in one night", "Draining a queue in 2 nights", "Draining a queue in one nigth", "Wax", "Draining a queue"];
        let text = |n: usize| (0..60).map(|word| format!("word{}", word + 40 * n)).collect::<Vec<_>>().join(" ");
        let activities: Vec<Activity> = shapes
            .iter()
            .enumerate()
            .map(|(n, (source, page, canonical, title, day, (body, link, builder)))| {
                let canonical = canonical.map(|page| format!("https://h{}.example.org/{page}", page % 3));
                let url = format!("https://h{source}.example.org/{page}");
                let mut piece = piece(&format!("{n:02}"), *source, &url, canonical.as_deref(), TITLES[*title], *day);
                // Three in four have a text; every third is a recording, and some link to a page, a recording's or a text's.
                piece.excerpt = if *body < 3 { text(*body) } else { String::new() };
                piece.kind = if link % 3 == 0 { ActivityKind::Video } else { ActivityKind::Article };
                piece.links = if *link < 8 { vec![format!("https://h{}.example.org/{}?at=/watch", link % 4, link % 5)] } else { Vec::new() };
                piece.links.extend((*link < 6).then(|| format!("https://h{}.example.org/{}", link % 4, link % 5)));
                piece.credits[0].builder = BuilderId(*builder);
                piece
            })
            .collect();
        let decisions: Vec<DecisionKind> = rulings
            .iter()
            .map(|(one, other, merged)| {
                let (one, other) = (format!("{one:02}"), format!("{other:02}"));
                if *merged { merge(&one, &other) } else { split(&one, &other) }
            })
            .collect();
        let usual = cluster(&activities, &decisions);
        let mut shuffled = activities.clone();
        let mut state = seed;
        for index in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(index, usize::try_from(state >> 33).unwrap_or(0) % (index + 1));
        }
        prop_assert_eq!(&usual, &cluster(&shuffled, &decisions));
        // What shares a key or a decision, directly or over others, is settled alone as it is among all.
        let mut part: Vec<Activity> = activities.iter().take(1).cloned().collect();
        loop {
            let keys: BTreeSet<String> = part.iter().flat_map(|activity| Neighborhood::of(activity).keys).collect();
            let alike = alike(&part, &activities);
            let decided: BTreeSet<&ActivityId> = decisions.iter().filter_map(|decision| match decision {
                DecisionKind::Merge { one, other } if part.iter().any(|member| member.id == *one || member.id == *other) => Some([one, other]),
                _ => None,
            }).flatten().collect();
            let grown: Vec<Activity> = activities
                .iter()
                .zip(alike)
                .filter(|(activity, alike)| {
                    *alike || decided.contains(&activity.id) || part.contains(activity) || Neighborhood::of(activity).keys.iter().any(|key| keys.contains(key))
                })
                .map(|(activity, _)| activity.clone())
                .collect();
            if grown.len() == part.len() { break; }
            part = grown;
        }
        let of_part = cluster(&part, &decisions);
        let among_all: Vec<&Work> =
            usual.iter().filter(|work| work.members.iter().any(|member| part.iter().any(|activity| activity.id == member.activity))).collect();
        prop_assert_eq!(of_part.iter().collect::<Vec<_>>(), among_all);
        for (one, other, merged) in &rulings {
            if *merged || one == other { continue; }
            let undone = rulings.iter().rev().find(|(a, b, _)| (a, b) == (one, other) || (b, a) == (one, other)).is_some_and(|(_, _, merged)| *merged);
            let pair = [format!("{one:02}"), format!("{other:02}")];
            let together = usual.iter().any(|work| pair.iter().all(|id| work.members.iter().any(|member| member.activity.0 == *id)));
            prop_assert!(undone || !together);
        }
    }
}

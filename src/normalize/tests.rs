use proptest::strategy::Strategy as _;

use super::*;
use crate::model::{ActivityKind, Author, Basis, BuilderId, Content, Counts, DateTrust, Media, Role, Source};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn source(id: i64, kind: SourceKind) -> Source {
    Source::new(SourceId(id), kind, "", "")
}

fn owner(builder: i64, name: &str, author: Option<&str>) -> OwnerFacts {
    OwnerFacts {
        owner: Owner { builder: BuilderId(builder), author: author.map(str::to_owned), filters: crate::model::Filters::default() },
        name: name.into(),
        former_names: Vec::new(),
        handles: BTreeMap::new(),
    }
}

fn entry(id: &str, link: &str, title: &str, published: Option<&str>) -> Entry {
    Entry { id: Some(id.into()), link: Some(link.into()), title: Some(title.into()), published: published.map(at), ..Entry::default() }
}

/// Nobody but the claimants is known.
fn activity(seen: &[Seen<'_>]) -> Activity {
    super::activity(seen, &People::default())
}

/// A sighting with all that a test does not care for.
struct Sight {
    source: Source,
    owners: Vec<OwnerFacts>,
    entry: Entry,
    key: EntryKey,
    keys: Vec<String>,
    first_seen_at: Timestamp,
    arrival: Arrival,
    left_at: Option<Timestamp>,
    aired_at: Option<Timestamp>,
}

impl Sight {
    fn new(source_id: i64, kind: SourceKind, entry: Entry, first_seen_at: &str) -> Self {
        let source = source(source_id, kind);
        let key = entry_keys(&source, std::slice::from_ref(&entry)).remove(0);
        let keys = identity_keys(source.id, &key, &entry);
        let owners = vec![owner(1, "Ada Lovelace", None)];
        Self {
            source,
            owners,
            entry,
            key,
            keys,
            first_seen_at: at(first_seen_at),
            arrival: Arrival::default(),
            left_at: None,
            aired_at: None,
        }
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            source: self.source.id,
            kind: self.source.kind,
            account: None,
            locator: &self.source.locator,
            owners: &self.owners,
            key: &self.key,
            identity_keys: &self.keys,
            first_seen_at: self.first_seen_at,
            entry: &self.entry,
            first_published: published(&self.entry),
            aired_at: self.aired_at,
            revised_at: None,
            left_at: self.left_at,
            arrival: self.arrival,
        }
    }

    fn activity(&self) -> Activity {
        activity(&[self.seen()])
    }
}

fn rss(entry: Entry) -> Sight {
    Sight::new(1, SourceKind::Rss, entry, "2026-03-04T10:00:00Z")
}

fn keys(entries: &[Entry]) -> Vec<String> {
    entry_keys(&source(1, SourceKind::Rss), entries).into_iter().map(|key| key.0).collect()
}

#[test]
fn a_move_to_https_makes_nothing_new() {
    let before = entry("http://quill.example.org/?p=3", "http://quill.example.org/three", "Three", None);
    let after = entry("https://quill.example.org/?p=3", "https://quill.example.org/three", "Three", None);
    assert_eq!(keys(std::slice::from_ref(&before)), keys(std::slice::from_ref(&after)));
    assert_eq!(fingerprint(SourceKind::Rss, &before), fingerprint(SourceKind::Rss, &after));
}

#[test]
fn an_id_on_every_entry_names_none_of_them() {
    let entries: Vec<Entry> = (0..5)
        .map(|n| entry("https://c.example.org/feed-item", &format!("https://c.example.org/{n}"), &format!("Item {n}"), None))
        .collect();
    assert!(ids_not_unique(&entries));
    assert_eq!(keys(&entries).into_iter().collect::<BTreeSet<_>>().len(), 5);
    // The home page is no id even where one entry is all that is left in the feed.
    let alone = entry("https://c.example.org/", "https://c.example.org/4", "Item 4", None);
    assert_eq!(keys(&[alone]), ["url:c.example.org/4"]);
    // The same item told twice keeps its id.
    let twice = [entry("7", "https://c.example.org/7", "Seven", None), entry("7", "https://c.example.org/7", "Seven", None)];
    assert!(!ids_not_unique(&twice));
}

#[test]
fn a_corrected_address_takes_the_place_of_the_old_one_and_a_series_does_not() {
    let told = |slug: &str, title: &str, text: String| Entry {
        content: Some(Content { words: 120, text, ..Content::default() }),
        ..entry(slug, &format!("https://b.example.org/{slug}"), title, Some("2026-03-01T10:00:00Z"))
    };
    let text = |n: usize| format!("words {n} ").repeat(60);
    let before = told("build-a-your-own-lamp", "Build a your own lamp", text(1));
    let after = told("build-your-own-lamp", "Build your own lamp", text(1));
    let (seven, eight) = (told("7", "Lamp log 7", text(7)), told("8", "Lamp log 8", text(8)));
    assert_eq!(successors(&[&before, &seven], &[&eight, &after]), [(0, 1)]);
    assert_eq!(successors(&[&before], &[&after, &after.clone()]), [], "where several fit, none is taken");
}

#[test]
fn a_token_in_links_without_ids_changes_neither_key_nor_fingerprint() {
    let told = |token: &str| {
        let link = format!("https://d.example.org/a/17?v={token}");
        Entry { id: None, ..entry("", &link, "Seventeen", Some("2026-03-01T10:00:00Z")) }
    };
    assert_eq!(keys(&[told("aa")]), keys(&[told("bb")]));
    assert_eq!(fingerprint(SourceKind::Rss, &told("aa")), fingerprint(SourceKind::Rss, &told("bb")));
    let other = Entry { title: Some("Eighteen".into()), ..told("aa") };
    assert_ne!(keys(&[told("aa")]), keys(&[other]));
}

#[test]
fn counts_and_the_hour_of_an_update_are_no_change_and_words_are() {
    let video = |views, updated: &str, title: &str| Entry {
        counts: Counts { views: Some(views), ..Counts::default() },
        updated: Some(at(updated)),
        ..entry("yt:video:x", "https://youtu.be/abcdefghijk", title, None)
    };
    let youtube = |entry: &Entry| fingerprint(SourceKind::YoutubeChannel, entry);
    assert_eq!(youtube(&video(1, "2026-03-01T00:00:00Z", "A")), youtube(&video(9, "2026-03-09T00:00:00Z", "A")));
    assert_ne!(youtube(&video(1, "2026-03-01T00:00:00Z", "A")), youtube(&video(1, "2026-03-01T00:00:00Z", "B")));
    let rss = |entry: &Entry| fingerprint(SourceKind::Rss, entry);
    assert_eq!(rss(&video(1, "2026-03-01T01:00:00Z", "A")), rss(&video(1, "2026-03-01T02:00:00Z", "A")));
    assert_ne!(rss(&video(1, "2026-03-01T01:00:00Z", "A")), rss(&video(1, "2026-03-02T01:00:00Z", "A")), "an edit on another day shows");
}

#[test]
fn one_article_in_two_feeds_is_one_activity_credited_to_its_author_whoever_was_asked_first() {
    let link = "https://team.example.org/p/amber";
    let mut own = rss(entry("own-1", link, "Amber", Some("2026-03-03T09:00:00Z")));
    own.owners = vec![owner(1, "Ada Lovelace", None)];
    let mut team = Sight::new(
        2,
        SourceKind::Rss,
        entry("team-9", &format!("{link}/?utm_source=team"), "Amber", Some("2026-03-03T09:00:00Z")),
        "2026-03-03T12:00:00Z",
    );
    team.owners = vec![owner(2, "Ben Bitdiddle", None)];
    team.entry.authors = vec![Author { name: "ADA  Lovelace".into(), ..Author::default() }];
    let one = activity(&[own.seen(), team.seen()]);
    assert_eq!(one, activity(&[team.seen(), own.seen()]));
    assert_eq!(one.sightings.len(), 2);
    assert_eq!(one.credits, [crate::model::Credit { builder: BuilderId(1), role: Role::Author, basis: Basis::Entry }]);
    assert_eq!(one.id, team.activity().id, "known by the key under which it was first seen");
}

#[test]
fn filters_names_and_accounts_decide_whose_it_is() {
    let by = |name: &str, id: Option<&str>| Author { name: name.into(), id: id.map(str::to_owned), url: None };
    let credited = |kind: SourceKind, locator: &str, owners: &[OwnerFacts], authors: &[Author]| -> Vec<i64> {
        let mut sight = Sight::new(1, kind, entry("1", "https://x.example.org/1", "One", None), "2026-03-04T10:00:00Z");
        sight.source.locator = locator.into();
        sight.owners = owners.to_vec();
        sight.entry.authors = authors.to_vec();
        sight.activity().credits.iter().map(|credit| credit.builder.0).collect()
    };
    let (ada, ben) = (owner(1, "Ada Lovelace", None), owner(2, "Şükrü Özgür", None));
    let both = [ada.clone(), ben.clone()];
    let feed = SourceKind::Rss;
    assert_eq!(credited(feed, "", &both, &[]), [1, 2], "each who registered it");
    assert_eq!(credited(feed, "", &both, &[by("şükrü özgür", None)]), [2], "whom it names");
    assert_eq!(credited(feed, "", &both, &[by("Somebody", None)]), [1, 2]);
    assert_eq!(credited(feed, "", &both, &[by("Ada Lovelace", None), by("Şükrü Özgür", None)]), [1, 2]);
    let filtered = [owner(1, "Ada Lovelace", Some("A. Lovelace"))];
    assert_eq!(credited(feed, "", &filtered, &[by("a. lovelace", None)]), [1]);
    assert_eq!(credited(feed, "", &filtered, &[by("Somebody", None)]), [0_i64; 0]);
    let devto = SourceKind::Devto;
    assert_eq!(credited(devto, "adal", std::slice::from_ref(&ada), &[by("Countess", Some("AdaL"))]), [1]);
    assert_eq!(credited(devto, "guild", &both, &[by("Ada Lovelace", Some("adal"))]), [1]);
    assert_eq!(
        credited(devto, "guild", &both, &[by("Visitor", Some("visitor"))]),
        [0_i64; 0],
        "an organization's list is not its claimers'"
    );
    let handle = OwnerFacts { handles: BTreeMap::from([("devto".to_owned(), "@visitor".to_owned())]), ..ada.clone() };
    assert_eq!(credited(devto, "guild", &[handle], &[by("V.", Some("visitor"))]), [1]);
    assert_eq!(credited(SourceKind::GithubUser, "adal", std::slice::from_ref(&ada), &[]), [0_i64; 0], "a deleted account is nobody");
}

#[test]
fn the_first_date_stays_and_the_future_waits() {
    for (published, wanted, trust, effective) in [
        (Some("2026-03-04T09:00:00Z"), Some("2026-03-04T09:00:00Z"), DateTrust::Stated, "2026-03-04T09:00:00Z"),
        (Some("2026-03-04T15:00:00Z"), Some("2026-03-04T15:00:00Z"), DateTrust::Stated, "2026-03-04T10:00:00Z"),
        (Some("2026-04-30T00:00:00Z"), Some("2026-04-30T00:00:00Z"), DateTrust::Future, "2026-03-04T10:00:00Z"),
        (Some("2099-01-01T00:00:00Z"), Some("2099-01-01T00:00:00Z"), DateTrust::Future, "2026-03-04T10:00:00Z"),
        (Some("1970-01-01T00:00:00Z"), None, DateTrust::Unknown, "2026-03-04T10:00:00Z"),
        (None, None, DateTrust::Unknown, "2026-03-04T10:00:00Z"),
    ] {
        let activity = rss(entry("1", "https://e.example.org/1", "One", published)).activity();
        assert_eq!(activity.published_at, wanted.map(at), "{published:?}");
        assert_eq!(activity.published_trust, trust, "{published:?}");
        assert_eq!(activity.effective_at, at(effective), "{published:?}");
    }
}

#[test]
fn an_old_post_that_is_touched_does_not_become_new() {
    let mut sight = Sight::new(1, SourceKind::Rss, entry("1", "https://e.example.org/1", "One", None), "2024-03-04T10:00:00Z");
    sight.entry.updated = Some(at("2026-03-02T00:00:00Z"));
    let touched = activity(&[Seen {
        first_published: Some(at("2024-03-01T00:00:00Z")),
        revised_at: Some(at("2026-03-02T00:00:00Z")),
        ..sight.seen()
    }]);
    assert_eq!(touched.effective_at, at("2024-03-01T00:00:00Z"));
    assert_eq!(touched.revised_at, Some(at("2026-03-02T00:00:00Z")));
}

#[test]
fn first_contact_is_not_news() {
    let window = Some(at("2026-02-16T00:00:00Z"));
    let first = |crowd| Arrival { first_poll: true, unseen: 100, crowd, window_start: window, ..Arrival::default() };
    let later = |stale| Arrival { unseen: stale + 1, stale, ..Arrival::default() };
    for (published, arrival, backfill) in [
        (Some("2026-03-03T00:00:00Z"), first(1), false),
        (Some("2026-02-15T23:59:59Z"), first(1), true),
        (None, first(0), true),
        (Some("2026-05-01T00:00:00Z"), first(1), true),
        (Some("2026-03-04T09:30:00Z"), first(100), true),
        (Some("2026-03-04T09:30:00Z"), first(4), false),
        (None, later(4), false),
        (None, later(5), true),
        (Some("2025-12-01T00:00:00Z"), later(5), true),
        (Some("2026-03-01T00:00:00Z"), later(5), false),
        (Some("2025-12-01T00:00:00Z"), later(1), false),
        (Some("2026-03-03T00:00:00Z"), Arrival { fetched_back: true, ..Arrival::default() }, true),
    ] {
        let mut sight = rss(entry("1", "https://e.example.org/1", "One", published));
        sight.arrival = arrival;
        assert_eq!(sight.activity().backfill, backfill, "{published:?} {arrival:?}");
    }
    let mut old = rss(entry("1", "https://e.example.org/1", "One", None));
    old.arrival = first(0);
    let ordinary = Sight::new(2, SourceKind::Rss, old.entry.clone(), "2026-03-05T10:00:00Z");
    assert!(!activity(&[old.seen(), ordinary.seen()]).backfill, "any ordinary sighting makes it ordinary");
}

#[test]
fn what_is_announced_is_held_and_counts_from_when_it_was_out() {
    let mut premiere = Sight::new(
        1,
        SourceKind::YoutubeChannel,
        entry("yt:video:abcdefghijk", "https://youtu.be/abcdefghijk", "Soon", Some("2026-03-03T08:00:00Z")),
        "2026-03-03T10:00:00Z",
    );
    premiere.entry.upcoming = true;
    assert_eq!(premiere.activity().held_until, Some(at("2026-03-17T10:00:00Z")));
    premiere.entry.upcoming = false;
    premiere.aired_at = Some(at("2026-03-06T18:30:00Z"));
    let aired = premiere.activity();
    assert_eq!((aired.held_until, aired.effective_at), (None, at("2026-03-06T18:30:00Z")));
    assert_eq!(aired.published_at, Some(at("2026-03-03T08:00:00Z")), "what the source said first stays");
    premiere.aired_at = Some(at("2026-03-03T11:00:00Z"));
    assert_eq!(premiere.activity().effective_at, at("2026-03-03T08:00:00Z"), "an hour without views is no premiere");
}

#[test]
fn kinds_follow_the_platforms_word_and_then_what_is_there() {
    let kind = |change: &dyn Fn(&mut Entry)| {
        let mut entry = entry("1", "https://e.example.org/1", "One", None);
        change(&mut entry);
        rss(entry).activity().kind
    };
    let enclosure = |mime: &str, length| Media { url: "https://e.example.org/a".into(), mime: Some(mime.into()), length, duration_s: None };
    assert_eq!(kind(&|_| {}), ActivityKind::Article);
    assert_eq!(kind(&|entry| entry.media = vec![enclosure("audio/mpeg", Some(9))]), ActivityKind::PodcastEpisode);
    assert_eq!(kind(&|entry| entry.media = vec![enclosure("image/png", Some(0))]), ActivityKind::Article, "a cover");
    assert_eq!(kind(&|entry| entry.media = vec![enclosure("video/mp4", None)]), ActivityKind::Article, "a film on the page");
    assert_eq!(kind(&|entry| entry.duration_s = Some(60)), ActivityKind::PodcastEpisode);
    assert_eq!(kind(&|entry| entry.link = Some("https://medium.com/@a/thanks-0123456789ab".into())), ActivityKind::Reply);
    assert_eq!(kind(&|entry| entry.id = Some("https://medium.com/p/0123456789ab".into())), ActivityKind::Reply, "on a domain of its own");
    let story = |entry: &mut Entry| {
        entry.link = Some("https://medium.com/@a/oil-0123456789ab".into());
        entry.categories = vec!["oil".into()];
    };
    assert_eq!(kind(&story), ActivityKind::Article);
    assert_eq!(kind(&|entry| entry.link = Some("https://github.com/a/b/releases/tag/v1".into())), ActivityKind::Release);
    assert_eq!(kind(&|entry| entry.link = Some("https://www.youtube.com/shorts/abcdefghijk".into())), ActivityKind::Short);
    let toot = |entry: &mut Entry| {
        entry.title = None;
        entry.link = Some("https://social.example.org/@a/112233445566".into());
    };
    assert_eq!(kind(&toot), ActivityKind::Post);
    assert_eq!(kind(&|entry| entry.kind = Some(ActivityKind::Talk)), ActivityKind::Talk);
}

#[test]
fn a_title_is_made_of_the_text_where_there_is_none() {
    let body = "A lamp that burns all night needs more than oil, it needs somebody who looks after the wick and the glass.";
    let mut sight = rss(Entry { title: None, ..entry("1", "https://e.example.org/1", "", None) });
    sight.entry.content = Some(Content { text: body.into(), words: 22, ..Content::default() });
    let activity = sight.activity();
    assert_eq!(activity.title, "A lamp that burns all night needs more than oil, it needs somebody who looks");
    assert_eq!(activity.summary.as_deref(), Some(body));
    assert_eq!(activity.substance.summary_chars, 0, "the body's beginning is no summary of the author's");
    assert_eq!(rss(Entry { title: None, ..entry("1", "https://e.example.org/1", "", None) }).activity().title, "https://e.example.org/1");
}

#[test]
fn the_beginning_of_a_list_reads_like_sentences() {
    let notes = "What changed\nWaits a little before it asks again\nReads in batches!\n長い説明の文がここにあります";
    assert_eq!(sentences(notes), "Waits a little before it asks again. Reads in batches! 長い説明の文がここにあります ");
    assert_eq!(sentences("Fixes #40"), "Fixes #40. ");
}

#[test]
fn texts_are_cut_between_words_and_never_within_a_character() {
    for (text, most, wanted) in [
        ("one two three", 8, "one two"),
        ("one two three", 7, "one two"),
        ("one two", 7, "one two"),
        ("味噌汁の作り方を説明します", 5, "味噌汁の作"),
        ("ab 👩‍👩‍👧‍👦 cd", 6, "ab"),
    ] {
        assert_eq!(cut(text, most), wanted, "{text}");
    }
}

#[test]
fn the_original_speaks_whichever_source_was_asked_first() {
    let piece = "https://ada.example.org/kiln";
    let at_home = |title: &str, date: &str, seen: &str| {
        let mut sight = Sight::new(1, SourceKind::Rss, entry("1", piece, title, Some(date)), seen);
        sight.source.locator = "https://www.ada.example.org/feed.xml".into();
        sight
    };
    let elsewhere = |title: &str, date: &str, seen: &str| {
        let mut sight = Sight::new(2, SourceKind::Rss, entry("x", &format!("{piece}?utm_source=b"), title, Some(date)), seen);
        sight.source.locator = "https://planet.example/all.xml".into();
        sight
    };
    let (early, late) = ("2026-03-01T10:00:00Z", "2026-03-01T12:00:00Z");
    for (one, other) in [("2026-03-04T10:00:00Z", "2026-03-04T11:00:00Z"), ("2026-03-04T11:00:00Z", "2026-03-04T10:00:00Z")] {
        // The site where the piece lives, whatever the dates; between strangers, the earliest publication.
        let (home, guest) = (at_home("Kiln", late, one), elsewhere("Ada: Kiln", early, other));
        assert_eq!(activity(&[guest.seen(), home.seen()]).title, "Kiln");
        let mut repost = at_home("Kiln (repost)", late, one);
        repost.source.locator = "https://other.example/feed".into();
        assert_eq!(activity(&[repost.seen(), elsewhere("Kiln", early, other).seen()]).title, "Kiln");
    }
}

#[test]
fn substance_says_what_is_known_and_leaves_open_what_is_not() {
    let mut sight = rss(entry("1", "https://e.example.org/1", "One", None));
    sight.entry.summary = Some("Short, with https://docs.aws.amazon.com/lambda/latest/dg/welcome.html.".into());
    let brief = sight.activity().substance;
    assert_eq!((brief.words, brief.shows_work, brief.cites_source, brief.canonical), (None, None, Some(true), Some(true)));
    sight.entry.content = Some(Content { text: "All of it".into(), words: 700, code_blocks: 2, ..Content::default() });
    sight.entry.canonical_url = Some("https://own.example.org/1".into());
    let full = sight.activity();
    assert_eq!((full.substance.words, full.substance.shows_work, full.substance.canonical), (Some(700), Some(true), Some(false)));
    assert_eq!(full.canonical_url.as_deref(), Some("https://own.example.org/1"));
}

#[test]
fn entries_that_share_a_link_stay_apart() {
    let page = source(1, SourceKind::Rss);
    let shared = |id: &str| Entry { link_shared: true, ..entry(id, "https://show.example.org/", id, None) };
    let (one, two) = (shared("e1"), shared("e2"));
    let ids = entry_keys(&page, &[one.clone(), two.clone()]);
    assert_ne!(identity_keys(page.id, &ids[0], &one), identity_keys(page.id, &ids[1], &two));
}

proptest::proptest! {
    #[test]
    fn the_order_of_sightings_changes_nothing(order in proptest::sample::subsequence(vec![0usize, 1, 2, 3], 4).prop_shuffle()) {
        let sights = [
            rss(entry("a", "https://e.example.org/1", "One", Some("2026-03-04T00:00:00Z"))),
            Sight::new(2, SourceKind::Rss, entry("b", "https://e.example.org/1", "One!", Some("2026-03-03T00:00:00Z")), "2026-03-04T10:00:00Z"),
            Sight::new(3, SourceKind::Devto, entry("c", "https://e.example.org/1", "Uno", None), "2026-03-04T11:00:00Z"),
            Sight::new(1, SourceKind::Rss, entry("d", "https://e.example.org/1", "Eins", Some("2099-03-03T00:00:00Z")), "2026-03-04T10:00:00Z"),
        ];
        let usual: Vec<_> = sights.iter().map(Sight::seen).collect();
        let other: Vec<_> = order.iter().map(|index| sights[*index].seen()).collect();
        proptest::prop_assert_eq!(activity(&usual), activity(&other));
    }
}

fn by(name: &str) -> Entry {
    let author = Author { name: name.into(), ..Author::default() };
    Entry { authors: vec![author], ..entry("1", "https://a.example/1", "A", None) }
}

/// Who is credited for a byline in a feed that Ada and Bo registered, each with an author filter.
fn credited(byline: &str, members: &[(i64, &str)]) -> Vec<(i64, Role)> {
    let mut sight = rss(by(byline));
    sight.owners = vec![owner(1, "Ada Nwosu", Some("Ada Nwosu")), owner(2, "Bo Lind", Some("Bo Lind"))];
    let builders: Vec<crate::model::Builder> = members
        .iter()
        .map(|(id, name)| {
            serde_json::from_value(serde_json::json!({
                "id": id, "slug": format!("m{id}"), "name": name, "categories": [], "handles": {}, "switches": {},
            }))
            .unwrap()
        })
        .collect();
    let activity = super::activity(&[sight.seen()], &People::of(builders.iter()));
    activity.credits.iter().map(|credit| (credit.builder.0, credit.role)).collect()
}

#[test]
fn all_whom_one_byline_names_are_kept_the_first_as_author() {
    let both = [(1, Role::Author), (2, Role::CoAuthor)];
    for byline in ["Ada Nwosu and Bo Lind", "Ada Nwosu, Bo Lind", "ADA NWOSU & Bo Lind", "Ada Nwosu; Lind, Bo", "by Ada Nwosu with Bo Lind"]
    {
        assert_eq!(credited(byline, &[]), both, "{byline}");
    }
    assert_eq!(credited("Bo Lind und Ada Nwosu", &[]), [(1, Role::CoAuthor), (2, Role::Author)]);
    assert_eq!(credited("Zed Quill, Bo Lind and others", &[]), [(2, Role::Author)]);
    assert_eq!(credited("Ada Nwosu, Fern Loam and Bo Lind", &[(3, "Fern Loam")]).len(), 3, "a member whom nobody registered here");
    assert!(credited("Zed Quill and Adaeze Nwosu", &[]).is_empty());
}

#[test]
fn a_name_that_is_somebodys_is_never_cut() {
    let members = [(3, "Ash and Loam"), (4, "Loam, Fern"), (5, "Spencer")];
    assert_eq!(credited("Ash and Loam", &members), [(3, Role::Author)]);
    assert_eq!(credited("Ash and Loam and Bo Lind", &members), [(2, Role::CoAuthor), (3, Role::Author)]);
    assert_eq!(credited("Loam, Fern, Ada Nwosu", &members), [(1, Role::CoAuthor), (4, Role::Author)]);
    assert!(credited("Marks & Spencer", &members).is_empty(), "a word of a company's name is no person");
}

#[test]
fn a_name_that_a_member_had_before_is_still_theirs_unless_another_has_it_now() {
    let member = |id: i64, name: &str, before: &[&str]| -> crate::model::Builder {
        serde_json::from_value(serde_json::json!({
            "id": id, "slug": format!("m{id}"), "name": name, "former_names": before, "categories": [], "handles": {}, "switches": {},
        }))
        .unwrap()
    };
    let sight = Sight { owners: vec![owner(2, "Bo Lind", None)], ..rss(by("Ada Nwosu")) };
    let credits = |members: &[crate::model::Builder]| {
        let activity = super::activity(&[sight.seen()], &People::of(members.iter()));
        activity.credits.iter().map(|credit| credit.builder.0).collect::<Vec<_>>()
    };
    let renamed = member(1, "Ada N. Obi", &["Ada Nwosu"]);
    assert_eq!(credits(std::slice::from_ref(&renamed)), [1]);
    assert_eq!(credits(&[renamed, member(3, "Ada Nwosu", &[])]), [3]);
    let told = member(1, "Ada Nwosu", &[]).succeeding(&member(1, "Ada N. Obi", &["Ada Nwosu"]));
    assert_eq!(told.former_names, ["Ada N. Obi"], "a name that is taken up again is none that was given up");
}

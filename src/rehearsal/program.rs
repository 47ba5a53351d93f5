//! The invented program: its members, where they publish, and what they publish when.
//!
//! In: a seed and the week that a digest is to be made of. Out: members, places and some twelve weeks of items up to that
//! week, and two weeks after it. What is visible at a simulated instant follows from that instant alone.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use crate::config::{AddressRange, BaseUrl, Config, Period};
use crate::model::{SourceKind, Week};
use crate::registry::guard_formula;

use super::number::Numbers;
use super::words::{self, TOPICS, Topic, Writing};

/// How many loopback addresses an origin listens on where it can: 127.0.0.1 to 127.0.0.8.
pub const HOSTS: usize = 8;
/// Of these, the ones that feeds are spread over; the last three are the platforms'.
const FEED_HOSTS: usize = 5;

/// A member.
#[derive(Debug, Clone)]
pub struct Member {
    pub slug: &'static str,
    pub name: &'static str,
    pub country: &'static str,
    pub timezone: &'static str,
    pub language: &'static str,
    /// A category key of the built-in ones.
    pub category: &'static str,
    pub cohort: u16,
    pub show_place: bool,
    pub not_featured: bool,
    pub not_public: bool,
    /// In how many of a hundred weeks they publish.
    rate: u64,
    /// How many people look at most.
    audience: u64,
}

/// The form of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Rss,
    Atom,
    JsonFeed,
    /// An API or a feed of a platform's own.
    Platform,
}

/// What is odd about a place, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// Ampersands stand in the feed as they are.
    StrayAmpersand,
    /// Answers 404.
    Missing,
    /// The first request gets 429 with Retry-After, later ones an answer.
    BusyOnce,
    /// Takes a second to answer.
    Slow,
    /// The address in the roster redirects for good to another one.
    Moved,
}

/// A place to publish.
#[derive(Debug, Clone)]
pub struct Place {
    pub kind: SourceKind,
    pub form: Form,
    /// A slug, login, channel id or user name: what the platform knows the place by.
    pub key: String,
    pub title: String,
    pub language: &'static str,
    /// Members, each with the author filter that the roster gives; most often one without.
    pub owners: Vec<(usize, Option<String>)>,
    pub oddity: Option<Oddity>,
    /// The path of the roster's address, for feeds.
    pub path: String,
    /// The root of the addresses of its pages, for feeds: under `.example`.
    pub site: String,
}

/// What kind of thing an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Article,
    Video,
    Short,
    Release {
        repository: String,
        tag: String,
    },
    Repository {
        repository: String,
    },
    /// A pull request merged in somebody else's repository.
    Contribution {
        repository: String,
        number: u64,
    },
    /// Pushes and stars, which are nothing to record.
    Noise {
        repository: String,
    },
}

/// One thing at one place.
#[derive(Debug, Clone)]
pub struct Item {
    pub place: usize,
    pub author: usize,
    pub piece: Piece,
    /// Unique among all items; what platforms number theirs with.
    pub number: u64,
    /// The guid, or the id of a video.
    pub key: String,
    pub title: String,
    pub summary: String,
    /// HTML, or Markdown for what is on GitHub.
    pub body: String,
    pub tags: Vec<&'static str>,
    pub language: &'static str,
    /// Where people read it.
    pub address: String,
    /// The address that the platform calls canonical, where it says so.
    pub canonical: Option<String>,
    pub published: Timestamp,
    /// Whether the place tells when it was published.
    pub is_dated: bool,
    /// When it got another title, and which.
    pub edited: Option<(Timestamp, String)>,
    /// When it was taken down.
    pub gone: Option<Timestamp>,
    /// Items of one number are one work: copies, or a video and its article.
    pub work: usize,
    appeal: u64,
}

impl Item {
    /// Whether the place shows it at that instant.
    pub fn is_visible(&self, now: Timestamp) -> bool {
        self.published <= now && self.gone.is_none_or(|gone| now < gone)
    }

    /// The title at that instant.
    pub fn title_at(&self, now: Timestamp) -> &str {
        match &self.edited {
            Some((at, title)) if *at <= now => title,
            _ => &self.title,
        }
    }

    /// When it last changed, counts aside.
    pub fn updated_at(&self, now: Timestamp) -> Timestamp {
        self.edited.as_ref().map(|(at, _)| *at).filter(|at| *at <= now).unwrap_or(self.published)
    }

    /// How often it was looked at: grows with age, fast at first.
    pub fn views(&self, now: Timestamp) -> u64 {
        let hours = u64::try_from(now.duration_since(self.published).as_hours()).unwrap_or(0);
        1 + self.appeal * hours / (hours + 48)
    }

    /// Likes, reactions, stars.
    pub fn reactions(&self, now: Timestamp) -> u64 {
        self.views(now) / 23
    }

    /// Answers to it.
    pub fn comments(&self, now: Timestamp) -> u64 {
        self.views(now) / 170
    }

    /// Whether it is something that a record of the member's work holds.
    pub fn counts(&self) -> bool {
        !matches!(self.piece, Piece::Noise { .. })
    }
}

/// The whole invention.
#[derive(Debug, Clone)]
pub struct Program {
    pub seed: u64,
    /// The week that a digest is to be made of.
    pub week: Week,
    pub members: Vec<Member>,
    pub places: Vec<Place>,
    /// In order of publication.
    pub items: Vec<Item>,
}

impl Program {
    /// The invention of that seed around that week. The same two give the same program.
    pub fn new(seed: u64, week: Week) -> Self {
        let members = members(seed);
        let places = places(&members);
        let mut program = Self { seed, week, members, places, items: Vec::new() };
        let mut items = Vec::new();
        for member in 0..program.members.len() {
            Author::of(&program, member).publish(&mut items);
        }
        program.items = items;
        program.items.sort_by_key(|item| (item.published, item.number));
        program.make_odd();
        program
    }

    /// When the digest of the week is due: the Monday after it, 06:00 UTC.
    pub fn cut_off_at(&self) -> Timestamp {
        later(self.week.end(), 6)
    }

    /// What a place shows at an instant, newest first: at most as many items as its kind does.
    pub fn shown(&self, place: usize, now: Timestamp) -> Vec<&Item> {
        let most = match (self.places[place].kind, self.places[place].form) {
            (SourceKind::YoutubeChannel, _) => 15,
            (SourceKind::Rss, _) => 20,
            _ => 100,
        };
        self.items.iter().rev().filter(|item| item.place == place && item.is_visible(now)).take(most).collect()
    }

    /// The address of a place as the roster gives it; `bases` are those of an origin.
    pub fn address_of(&self, place: usize, bases: &[String]) -> String {
        let Place { kind, key, path, .. } = &self.places[place];
        match kind {
            SourceKind::GithubUser => format!("https://github.com/{key}"),
            SourceKind::YoutubeChannel => format!("https://www.youtube.com/channel/{key}"),
            SourceKind::Devto => format!("https://dev.to/{key}"),
            // All other places of the rehearsal are plain feeds.
            _ => format!("{}{path}", base(bases, place % FEED_HOSTS)),
        }
    }

    /// The roster in CSV; `bases` are those of an origin, such as `http://127.0.0.1:8400`.
    pub fn roster_csv(&self, bases: &[String]) -> String {
        let header = [
            "builder",
            "name",
            "kind",
            "url",
            "author",
            "email",
            "country",
            "category",
            "cohort",
            "timezone",
            "language",
            "github",
            "not_featured",
            "not_public",
            "show_place",
        ];
        let mut writer = csv::Writer::from_writer(Vec::new());
        // A memory buffer takes every record, and all have the same length.
        let mut write = |cells: &[String]| {
            let _ = writer.write_record(cells.iter().map(|cell| guard_formula(cell)));
        };
        write(&header.map(str::to_owned));
        let yes = |on: bool| if on { "yes".to_owned() } else { String::new() };
        for (index, member) in self.members.iter().enumerate() {
            let mut is_first = true;
            for (place, spot) in self.places.iter().enumerate() {
                let Some((_, author)) = spot.owners.iter().find(|(owner, _)| *owner == index) else { continue };
                // The address of a platform's profile says what it is; now and then the roster leaves the kind to it.
                let kind = if spot.kind != SourceKind::Rss && index % 2 == 0 { "" } else { spot.kind.as_str() };
                let mut cells = vec![member.slug.to_owned(), String::new(), kind.to_owned(), self.address_of(place, bases)];
                cells.push(author.clone().unwrap_or_default());
                if is_first {
                    member.name.clone_into(&mut cells[1]);
                    cells.extend([
                        format!("{}@mail.example", member.slug),
                        member.country.to_owned(),
                        member.category.to_owned(),
                        member.cohort.to_string(),
                        member.timezone.to_owned(),
                        member.language.to_owned(),
                        login(member.slug),
                        yes(member.not_featured),
                        yes(member.not_public),
                        yes(member.show_place),
                    ]);
                } else {
                    cells.resize(header.len(), String::new());
                }
                write(&cells);
                is_first = false;
            }
        }
        String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
    }

    /// Sets what a configuration needs so that the same code polls this program: the platforms' addresses, loopback
    /// allowed, hardly a gap between requests, no waiting between approval and publication, a name.
    pub fn configure(&self, config: &mut Config, bases: &[String]) {
        let at = |host: usize, path: &str| format!("{}{path}", base(bases, host)).parse::<BaseUrl>();
        if let Ok(url) = at(FEED_HOSTS, "/github") {
            config.github.api_url = url;
        }
        if let Ok(url) = at(FEED_HOSTS + 1, "/youtube/feeds/videos.xml") {
            config.youtube.feed_url = url;
        }
        if let Ok(url) = at(FEED_HOSTS + 2, "/devto/api") {
            config.devto.api_url = url;
        }
        config.github.token_file = None;
        config.network.allow = "127.0.0.0/8".parse::<AddressRange>().into_iter().collect();
        config.network.min_gap = Period(std::time::Duration::from_millis(2));
        config.digest.cooling_off = Period::seconds(0);
        config.program.name = "Harbor Lights Builders".into();
        config.program.tagline = "An invented community, to show what a week looks like.".into();
        config.program.contact = "editors@harbor-lights.example".into();
        config.program.postal = "Harbor Lights, 1 Quay Street, Nowhere".into();
    }

    /// Chooses items that are undated, edited and taken down; which ones follows from the seed.
    fn make_odd(&mut self) {
        let week = self.week;
        let places = &self.places;
        let in_week: Vec<usize> = (0..self.items.len())
            .filter(|index| {
                let item = &self.items[*index];
                let place = &places[item.place];
                place.kind == SourceKind::Rss && place.oddity.is_none() && Week::of(item.published) == week
            })
            .collect();
        let mut odd = in_week.iter().copied();
        if let Some(item) = odd.next().map(|index| &mut self.items[index]) {
            item.is_dated = false;
        }
        if let Some(item) = odd.next().map(|index| &mut self.items[index]) {
            let at = later(item.published, 5);
            item.edited = Some((at, format!("{} (corrected)", item.title)));
        }
        if let Some(item) = odd.next().map(|index| &mut self.items[index]) {
            item.gone = Some(later(week.end(), 48));
        }
    }
}

/// The base of that number; hosts that could not be had share the others' addresses.
fn base(bases: &[String], host: usize) -> &str {
    if bases.is_empty() { "http://127.0.0.1" } else { &bases[host % bases.len()] }
}

fn later(at: Timestamp, hours: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_hours(hours)).unwrap_or(at)
}

/// A login that nobody real is likely to have.
fn login(slug: &str) -> String {
    format!("{slug}-rehearsal")
}

#[rustfmt::skip]
const PEOPLE: &[(&str, &str, &str, &str, &str, &str)] = &[
    ("amara-eze", "Amara Eze", "NG", "Africa/Lagos", "en", "app_dev"),
    ("alotaibi", "محمد العتيبي", "SA", "Asia/Riyadh", "ar", "security"),
    ("wang-xiaoming", "王小明", "TW", "Asia/Taipei", "en", "containers"),
    ("tanaka", "田中 太郎", "JP", "Asia/Tokyo", "ja", "databases"),
    ("minh-khai", "Nguyễn Thị Minh Khai", "VN", "Asia/Ho_Chi_Minh", "en", "ai_ml"),
    ("sukru-ozgur", "Şükrü Özgür", "TR", "Europe/Istanbul", "en", "devops"),
    ("oconnor", "Síle O’Connor", "IE", "Europe/Dublin", "en", "networking"),
    ("mwangi", "Mwangi", "KE", "Africa/Nairobi", "sw", "app_dev"),
    ("priya-raman", "Priya Raman 🚀", "IN", "Asia/Kolkata", "en", "ai_ml"),
    ("conceicao", "Maria da Conceição Albuquerque de Vasconcelos e Sá Pereira Coutinho do Espírito Santo Luís", "PT", "Europe/Lisbon", "pt", "architecture"),
    ("joao-tavares", "João Tavares", "BR", "America/Sao_Paulo", "pt-BR", "containers"),
    ("lucia-ferrer", "Lucía Ferrer", "ES", "Europe/Madrid", "es", "databases"),
    ("mateo-quispe", "Mateo Quispe", "PE", "America/Lima", "es", "app_dev"),
    ("camille-dufour", "Camille Dufour", "FR", "Europe/Paris", "fr", "devops"),
    ("awa-diallo", "Awa Diallo", "SN", "Africa/Dakar", "fr", "analytics"),
    ("grace-oduya", "Grace Oduya", "UG", "Africa/Kampala", "en", "security"),
    ("neema-mushi", "Neema Mushi", "TZ", "Africa/Dar_es_Salaam", "sw", "iot_edge"),
    ("yuki-arai", "新井 ゆき", "JP", "Asia/Tokyo", "ja", "containers"),
    ("layla-haddad", "ليلى حداد", "JO", "Asia/Amman", "ar", "ai_ml"),
    ("omar-farouk", "Omar Farouk", "EG", "Africa/Cairo", "ar", "networking"),
    ("hanna-lind", "Hanna Lind", "SE", "Europe/Stockholm", "en", "app_dev"),
    ("pekka-salo", "Pekka Salo", "FI", "Europe/Helsinki", "en", "storage"),
    ("greta-vogel", "Greta Vogel", "DE", "Europe/Berlin", "en", "databases"),
    ("tomasz-wilk", "Tomasz Wilk", "PL", "Europe/Warsaw", "en", "devops"),
    ("elena-petrova", "Елена Петрова", "BG", "Europe/Sofia", "en", "analytics"),
    ("nikos-vasilas", "Νίκος Βασιλάς", "GR", "Europe/Athens", "en", "security"),
    ("dana-mizrahi", "דנה מזרחי", "IL", "Asia/Jerusalem", "en", "ai_ml"),
    ("anjali-shrestha", "अञ्जली श्रेष्ठ", "NP", "Asia/Kathmandu", "en", "app_dev"),
    ("rafiq-islam", "Rafiq Islam", "BD", "Asia/Dhaka", "en", "containers"),
    ("somchai", "สมชาย ใจดี", "TH", "Asia/Bangkok", "en", "storage"),
    ("dewi-lestari-putri", "Dewi Putri", "ID", "Asia/Jakarta", "en", "devops"),
    ("jun-park", "박준", "KR", "Asia/Seoul", "en", "networking"),
    ("maria-santos", "Maria Liwayway Santos", "PH", "Asia/Manila", "en", "app_dev"),
    ("kofi-mensah", "Kofi Mensah", "GH", "Africa/Accra", "en", "architecture"),
    ("thandi-nkosi", "Thandi Nkosi", "ZA", "Africa/Johannesburg", "en", "databases"),
    ("youssef-alami", "Youssef Alami", "MA", "Africa/Casablanca", "fr", "app_dev"),
    ("abebe-tadesse", "Abebe Tadesse", "ET", "Africa/Addis_Ababa", "en", "analytics"),
    ("valentina-rojas", "Valentina Rojas", "CO", "America/Bogota", "es", "ai_ml"),
    ("diego-paredes", "Diego Paredes", "AR", "America/Argentina/Buenos_Aires", "es", "security"),
    ("ximena-luna", "Ximena Luna", "MX", "America/Mexico_City", "es", "iot_edge"),
    ("marcus-bell", "Marcus Bell", "JM", "America/Jamaica", "en", "devops"),
    ("olivia-hart", "Olivia Hart", "US", "America/Chicago", "en", "architecture"),
    ("noah-tremblay", "Noé Tremblay", "CA", "America/Toronto", "fr", "networking"),
    ("ruby-walker", "Ruby Walker", "AU", "Australia/Sydney", "en", "storage"),
    ("aroha-ngata", "Aroha Ngata", "NZ", "Pacific/Auckland", "en", "containers"),
    ("li-na", "Li Na Chen", "SG", "Asia/Singapore", "en", "analytics"),
    ("beatriz-moura", "Beatriz Moura", "BR", "America/Recife", "pt-BR", "databases"),
    ("ivan-horvat", "Ivan Horvat", "HR", "Europe/Zagreb", "en", "app_dev"),
];

fn members(seed: u64) -> Vec<Member> {
    PEOPLE
        .iter()
        .enumerate()
        .map(|(index, &(slug, name, country, timezone, language, category))| {
            let mut numbers = Numbers::of(seed, "member", index);
            Member {
                slug,
                name,
                country,
                timezone,
                language,
                category,
                cohort: 2022 + u16::try_from(numbers.below(5)).unwrap_or(0),
                show_place: index % 6 != 5,
                not_featured: index == 24,
                not_public: index == 39,
                rate: [20, 35, 50, 65, 85][numbers.index(5)],
                // A few are read by very many.
                audience: 60 << numbers.below(11),
            }
        })
        .collect()
}

/// Where the members publish. Who is where does not depend on the seed, so that every oddity is always there.
fn places(members: &[Member]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for (index, member) in members.iter().enumerate() {
        let blog = |form: Form| {
            let file = match form {
                Form::Atom => "atom.xml",
                Form::JsonFeed => "feed.json",
                _ => "rss.xml",
            };
            Place {
                kind: SourceKind::Rss,
                form,
                key: member.slug.to_owned(),
                title: format!("{} writes", member.name),
                language: member.language,
                owners: vec![(index, None)],
                oddity: None,
                path: format!("/feed/{}/{file}", member.slug),
                site: format!("https://{}.example", member.slug),
            }
        };
        let platform = |kind: SourceKind, key: String| Place {
            kind,
            form: Form::Platform,
            key,
            title: member.name.to_owned(),
            language: member.language,
            owners: vec![(index, None)],
            oddity: None,
            path: String::new(),
            site: String::new(),
        };
        let github = || platform(SourceKind::GithubUser, login(member.slug));
        let devto = || platform(SourceKind::Devto, login(member.slug).replace('-', "_"));
        // The ids of channels are the same for every seed, so that a roster can be kept.
        let youtube = || platform(SourceKind::YoutubeChannel, format!("UC{}", Numbers::of(0, "channel", index).letters(22)));
        match index % 10 {
            0 | 1 => places.extend([blog(Form::Rss), github()]),
            2 => places.push(blog(Form::Rss)),
            3 => places.extend([blog(Form::Atom), youtube()]),
            4 => places.push(blog(Form::JsonFeed)),
            5 => places.extend([blog(Form::JsonFeed), devto()]),
            6 => places.push(youtube()),
            7 => places.extend([devto(), github()]),
            8 => places.extend([blog(Form::Atom), github(), youtube()]),
            _ => places.extend([blog(Form::Rss), devto()]),
        }
    }
    let feeds: Vec<usize> = (0..places.len()).filter(|index| places[*index].form == Form::Rss).collect();
    let oddities = [(2, Oddity::StrayAmpersand), (4, Oddity::BusyOnce), (6, Oddity::Slow), (8, Oddity::Moved)];
    for (nth, oddity) in oddities {
        if let Some(index) = feeds.get(nth) {
            places[*index].oddity = Some(oddity);
        }
    }
    // One member gave an address that is no more, beside one that is; three share a blog, told apart by the author.
    let extra = |key: &str, form: Form, file: &str| Place {
        kind: SourceKind::Rss,
        form,
        key: key.to_owned(),
        title: "Three at the pier".to_owned(),
        language: "en",
        owners: Vec::new(),
        oddity: None,
        path: format!("/feed/{key}/{file}"),
        site: format!("https://{key}.example"),
    };
    let team = [20, 22, 23].map(|member| (member, Some(members[member].name.to_owned())));
    places.push(Place { owners: vec![(6, None)], oddity: Some(Oddity::Missing), ..extra("old-notes", Form::Rss, "rss.xml") });
    places.push(Place { owners: team.to_vec(), ..extra("three-at-the-pier", Form::Atom, "atom.xml") });
    places
}

/// One member at the desk.
struct Author<'a> {
    program: &'a Program,
    member: usize,
    numbers: Numbers,
    /// Items made so far, for numbers and works of their own.
    made: usize,
    works: usize,
    /// The titles used so far, as runs of letters.
    titles: Vec<HashSet<[char; 3]>>,
}

impl<'a> Author<'a> {
    fn of(program: &'a Program, member: usize) -> Self {
        Self { program, member, numbers: Numbers::of(program.seed, "author", member), made: 0, works: 0, titles: Vec::new() }
    }

    fn places(&self, kind: SourceKind) -> Vec<usize> {
        let is_mine = |place: &Place| place.owners.iter().any(|(owner, _)| *owner == self.member);
        let places = self.program.places.iter().enumerate();
        places
            .filter(|(_, place)| place.kind == kind && is_mine(place) && place.oddity != Some(Oddity::Missing))
            .map(|(index, _)| index)
            .collect()
    }

    /// Twelve weeks up to the program's week, and two after it.
    fn publish(mut self, items: &mut Vec<Item>) {
        let who = &self.program.members[self.member];
        let blogs = self.places(SourceKind::Rss);
        let github = self.places(SourceKind::GithubUser).first().copied();
        let youtube = self.places(SourceKind::YoutubeChannel).first().copied();
        let devto = self.places(SourceKind::Devto).first().copied();
        let ways: Vec<usize> = blogs.iter().copied().chain(github).chain(youtube).chain(devto).collect();
        let mut week = self.program.week;
        for _ in 0..11 {
            week = week.previous();
        }
        for _ in 0..14 {
            let tries = if who.rate > 80 { 2 } else { 1 };
            for _ in 0..tries {
                if ways.is_empty() || !self.numbers.percent(who.rate) {
                    continue;
                }
                let way = ways[self.numbers.index(ways.len())];
                let topic = self.topic();
                let at = self.instant(week);
                match self.program.places[way].kind {
                    SourceKind::GithubUser => self.code(items, way, topic, at),
                    SourceKind::YoutubeChannel => self.film(items, way, topic, at),
                    SourceKind::Devto => {
                        let writing = self.writing(topic);
                        self.works += 1;
                        self.on_devto(items, way, &writing, topic, at, None);
                    }
                    _ => self.blog(items, way, topic, at, devto, youtube),
                }
            }
            if let Some(github) = github {
                self.noise(items, github, week);
            }
            week = week.next();
        }
    }

    fn topic(&mut self) -> &'static Topic {
        let own = self.program.members[self.member].category;
        let fitting: Vec<&Topic> = TOPICS.iter().filter(|topic| topic.category == own).collect();
        if self.numbers.percent(75) { self.numbers.pick(&fitting) } else { &TOPICS[self.numbers.index(TOPICS.len())] }
    }

    fn instant(&mut self, week: Week) -> Timestamp {
        let minutes = self.numbers.below(7) * 1_440 + 300 + self.numbers.below(1_000);
        let offset = SignedDuration::from_mins(i64::try_from(minutes).unwrap_or(0));
        week.start().saturating_add(offset).unwrap_or_else(|_| week.start())
    }

    /// A piece with a title that the member has not used before.
    fn writing(&mut self, topic: &Topic) -> Writing {
        let language = self.program.members[self.member].language;
        // Some who speak another language write in English now and then.
        let language = if self.numbers.percent(25) { "en" } else { language };
        let sentences = [6, 14, 26, 40, 52][self.numbers.index(5)];
        let titles = &self.titles;
        let writing = words::write(&mut self.numbers, language, topic, sentences, |title| {
            let runs = runs(title);
            titles.iter().any(|other| is_alike(&runs, other))
        });
        self.titles.push(runs(&writing.title));
        writing
    }

    fn item(&mut self, place: usize, piece: Piece, writing: &Writing, topic: &Topic, at: Timestamp) -> Item {
        let who = &self.program.members[self.member];
        self.made += 1;
        // Room for 1,000 items of one member, all numbers in the range that the platforms' own have.
        let number = 910_000_000 + (self.member * 1_000 + self.made) as u64;
        let appeal = 20 + who.audience * (30 + self.numbers.below(170)) / 100;
        let mut tags = topic.tags.to_vec();
        tags.insert(0, "aws");
        Item {
            place,
            author: self.member,
            piece,
            number,
            key: String::new(),
            title: writing.title.clone(),
            summary: writing.summary.clone(),
            body: writing.body.clone(),
            tags,
            language: writing.language,
            address: String::new(),
            canonical: None,
            published: at,
            is_dated: true,
            edited: None,
            gone: None,
            work: self.member * 1_000 + self.works,
            appeal,
        }
    }

    /// An article on the own blog; often with a copy on dev.to or a video beside it.
    fn blog(&mut self, items: &mut Vec<Item>, place: usize, topic: &Topic, at: Timestamp, devto: Option<usize>, youtube: Option<usize>) {
        let writing = self.writing(topic);
        self.works += 1;
        let mut item = self.item(place, Piece::Article, &writing, topic, at);
        let site = &self.program.places[place].site;
        item.address = format!("{site}/posts/{}", address_part(&writing.title, item.number));
        // Some blogs use the address as identity, some a name that never changes.
        item.key = if self.member.is_multiple_of(3) { format!("{site}/?p={}", item.number) } else { item.address.clone() };
        let address = item.address.clone();
        items.push(item);
        if let Some(devto) = devto
            && self.numbers.percent(65)
        {
            let copied = later(at, i64::try_from(4 + self.numbers.below(60)).unwrap_or(4));
            // One copy in five does not say what it is a copy of.
            let canonical = (!self.numbers.percent(20)).then_some(address.as_str());
            self.on_devto(items, devto, &writing, topic, copied, canonical);
        }
        if let Some(youtube) = youtube
            && self.numbers.percent(50)
        {
            let shown = later(at, i64::try_from(2 + self.numbers.below(30)).unwrap_or(2));
            let summary = format!(
                "{}\n\nThe article: {address}\nCode: https://github.com/{}",
                writing.summary,
                login(self.program.members[self.member].slug)
            );
            self.on_youtube(items, youtube, &Writing { summary, ..writing }, topic, shown, Piece::Video);
        }
    }

    fn on_devto(&mut self, items: &mut Vec<Item>, place: usize, writing: &Writing, topic: &Topic, at: Timestamp, canonical: Option<&str>) {
        let mut item = self.item(place, Piece::Article, writing, topic, at);
        let user = &self.program.places[place].key;
        item.address = format!("https://dev.to/{user}/{}", address_part(&writing.title, item.number));
        item.canonical = canonical.map(str::to_owned);
        item.key = item.number.to_string();
        items.push(item);
    }

    fn film(&mut self, items: &mut Vec<Item>, place: usize, topic: &Topic, at: Timestamp) {
        let writing = self.writing(topic);
        self.works += 1;
        let piece = if self.numbers.percent(12) { Piece::Short } else { Piece::Video };
        self.on_youtube(items, place, &writing, topic, at, piece);
    }

    fn on_youtube(&mut self, items: &mut Vec<Item>, place: usize, writing: &Writing, topic: &Topic, at: Timestamp, piece: Piece) {
        let mut item = self.item(place, piece, writing, topic, at);
        item.key = Numbers::of(self.program.seed, "video", usize::try_from(item.number).unwrap_or(0)).letters(11);
        item.address = match item.piece {
            Piece::Short => format!("https://www.youtube.com/shorts/{}", item.key),
            _ => format!("https://www.youtube.com/watch?v={}", item.key),
        };
        item.body = String::new();
        items.push(item);
    }

    /// A release, a new repository, or a pull request merged elsewhere.
    fn code(&mut self, items: &mut Vec<Item>, place: usize, topic: &Topic, at: Timestamp) {
        self.works += 1;
        let (name, description) = words::repository(&mut self.numbers, topic);
        let owner = self.program.places[place].key.clone();
        let lines = 2 + self.numbers.index(7);
        let notes = words::notes(&mut self.numbers, topic, lines);
        let writing = |title: String, body: String| Writing { title, summary: description.clone(), body, language: "en" };
        let nth = self.made + 1;
        let item = match self.numbers.below(10) {
            0..5 => {
                let repository = format!("{owner}/{name}");
                let tag = format!("v{}.{}.0", nth / 10, nth % 10);
                let piece = Piece::Release { repository: repository.clone(), tag: tag.clone() };
                let mut item = self.item(place, piece, &writing(format!("{name} {tag}"), notes), topic, at);
                item.address = format!("https://github.com/{repository}/releases/tag/{tag}");
                item
            }
            5..7 => {
                // A repository is new once.
                let repository = format!("{owner}/{name}-{nth}");
                let piece = Piece::Repository { repository: repository.clone() };
                let mut item = self.item(place, piece, &writing(format!("{name}-{nth}: {description}"), String::new()), topic, at);
                item.address = format!("https://github.com/{repository}");
                item
            }
            _ => {
                let repository = format!("pier-nine-rehearsal/{name}");
                let number = 40 + self.member as u64 * 100 + nth as u64;
                let piece = Piece::Contribution { repository: repository.clone(), number };
                let title = format!("Handle slow {} answers in {name}", topic.short);
                let mut item = self.item(place, piece, &writing(title, notes), topic, at);
                item.address = format!("https://github.com/{repository}/pull/{number}");
                item
            }
        };
        items.push(Item { key: item.number.to_string(), ..item });
    }

    fn noise(&mut self, items: &mut Vec<Item>, place: usize, week: Week) {
        let topic = self.topic();
        let (name, description) = words::repository(&mut self.numbers, topic);
        let at = self.instant(week);
        let piece = Piece::Noise { repository: format!("{}/{name}", self.program.places[place].key) };
        let writing = Writing { title: String::new(), summary: description, body: String::new(), language: "en" };
        let item = self.item(place, piece, &writing, topic, at);
        items.push(Item { key: item.number.to_string(), ..item });
    }
}

/// The runs of three letters in a text.
fn runs(text: &str) -> HashSet<[char; 3]> {
    let letters: Vec<char> = text.to_lowercase().chars().collect();
    letters.windows(3).map(|run| [run[0], run[1], run[2]]).collect()
}

/// Whether two titles could be taken for one: three in five of their runs are the same.
fn is_alike(one: &HashSet<[char; 3]>, other: &HashSet<[char; 3]>) -> bool {
    let shared = one.intersection(other).count();
    shared * 5 >= (one.len() + other.len() - shared) * 3
}

/// The last part of an address: the title in plain letters, or the number alone.
fn address_part(title: &str, number: u64) -> String {
    let mut part = String::new();
    for c in title.chars() {
        if c.is_ascii_alphanumeric() {
            part.push(c.to_ascii_lowercase());
        } else if !part.is_empty() && !part.ends_with('-') && part.len() < 60 {
            part.push('-');
        }
    }
    let part = part.trim_matches('-');
    let tail = number % 1_000_000;
    if title.is_ascii() && !part.is_empty() { format!("{part}-{tail}") } else { format!("post-{tail}") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::registry::{RosterFormat, read};

    fn program(seed: u64) -> Program {
        Program::new(seed, "2026-W47".parse().unwrap())
    }

    #[test]
    fn everything_follows_from_the_seed_and_the_week() {
        assert_eq!(format!("{:?}", program(1)), format!("{:?}", program(1)));
        assert_ne!(format!("{:?}", program(1).items), format!("{:?}", program(2).items));
    }

    #[test]
    fn the_roster_is_read_without_complaint() {
        let program = program(1);
        let roster = read(program.roster_csv(&["http://127.0.0.1:1".into()]).as_bytes(), RosterFormat::Csv).unwrap();
        assert_eq!(roster.refused, []);
        let builders: BTreeSet<_> = roster.lines.iter().map(|line| line.builder.as_str().to_owned()).collect();
        assert_eq!(builders.len(), 48);
        assert!(roster.lines.len() > 75, "{}", roster.lines.len());
        assert_eq!(program.members.iter().map(|member| member.name.chars().count()).max(), Some(90));
    }

    #[test]
    fn the_week_has_enough_to_choose_from_and_every_oddity() {
        for seed in 0..8 {
            let program = program(seed);
            let in_week: Vec<&Item> =
                program.items.iter().filter(|item| item.counts() && Week::of(item.published) == program.week).collect();
            let authors: HashSet<usize> = in_week.iter().map(|item| item.author).collect();
            assert!(authors.len() >= 14, "seed {seed}: {} authors", authors.len());
            assert!(program.items.iter().any(|item| !item.is_dated), "seed {seed}");
            assert!(program.items.iter().any(|item| item.edited.is_some()), "seed {seed}");
            assert!(program.items.iter().any(|item| item.gone.is_some()), "seed {seed}");
            for oddity in [Oddity::StrayAmpersand, Oddity::Missing, Oddity::BusyOnce, Oddity::Slow, Oddity::Moved] {
                assert!(program.places.iter().any(|place| place.oddity == Some(oddity)), "{oddity:?}");
            }
        }
    }

    #[test]
    fn addresses_and_numbers_are_each_somebodys_own() {
        let program = program(3);
        let addresses: HashSet<&str> = program.items.iter().filter(|item| item.counts()).map(|item| item.address.as_str()).collect();
        assert_eq!(addresses.len(), program.items.iter().filter(|item| item.counts()).count());
        let numbers: HashSet<u64> = program.items.iter().map(|item| item.number).collect();
        assert_eq!(numbers.len(), program.items.len());
    }

    /// So that the truth about works is the truth: nothing of one member reads like a copy unless it is one.
    #[test]
    fn only_copies_read_alike() {
        let program = program(5);
        let runs_of_words = |item: &Item| -> HashSet<Vec<String>> {
            let words: Vec<String> =
                item.body.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
            words.windows(5).map(<[String]>::to_vec).collect()
        };
        let articles: Vec<(&Item, HashSet<Vec<String>>)> =
            program.items.iter().filter(|item| item.piece == Piece::Article).map(|item| (item, runs_of_words(item))).collect();
        for (index, (one, one_runs)) in articles.iter().enumerate() {
            for (other, other_runs) in articles[index + 1..].iter().filter(|(other, _)| other.author == one.author) {
                let shared = one_runs.intersection(other_runs).count();
                let all = one_runs.union(other_runs).count().max(1);
                if one.work == other.work {
                    assert_eq!(one.title, other.title);
                } else {
                    assert!(!is_alike(&runs(&one.title), &runs(&other.title)), "{} / {}", one.title, other.title);
                    assert!(shared * 100 < all * 50, "{} / {}: {shared} of {all}", one.title, other.title);
                }
            }
        }
    }

    #[test]
    fn counts_only_grow() {
        let program = program(1);
        let item = &program.items[0];
        let mut last = 0;
        for hours in [0, 1, 24, 48, 72, 168, 1_000] {
            let views = item.views(later(item.published, hours));
            assert!(views > last || hours == 0);
            last = views;
        }
    }
}

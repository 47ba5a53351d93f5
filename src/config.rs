//! Every setting, its default, and its check.
//!
//! In: one TOML file. Out: a [`Config`] whose values can be relied on, or one error that names the key and the line.
//! Handed out in sections; no step sees the whole. `config.example.toml` is the manual, and a test keeps it true.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use url::Url;

/// The manual: every key at its default with what it does. Parses to [`Config::default`].
pub const EXAMPLE: &str = include_str!("../config.example.toml");

/// All settings.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub program: ProgramConfig,
    pub store: StoreConfig,
    pub network: NetworkConfig,
    pub schedule: ScheduleConfig,
    pub github: GithubConfig,
    pub youtube: YoutubeConfig,
    pub devto: DevtoConfig,
    pub podcast: PodcastConfig,
    pub medium: MediumConfig,
    pub vimeo: VimeoConfig,
    pub twitch: TwitchConfig,
    pub sessionize: SessionizeConfig,
    pub stackexchange: StackExchangeConfig,
    pub bluesky: BlueskyConfig,
    pub digest: DigestConfig,
    pub editing: EditingConfig,
    pub social: SocialConfig,
    pub delivery: Vec<DeliveryConfig>,
    pub web: WebConfig,
    pub log: LogConfig,
}

/// What the community program is called.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProgramConfig {
    /// The name on pages and digests.
    pub name: String,
    /// One sentence under it.
    pub tagline: String,
    /// Whom readers ask; shown at the end of each digest.
    pub contact: String,
    /// The postal line at the end of mails.
    pub postal: String,
}

impl Default for ProgramConfig {
    fn default() -> Self {
        Self {
            name: "Community Builders".into(),
            tagline: "What our members made this week.".into(),
            contact: String::new(),
            postal: String::new(),
        }
    }
}

/// Where the state lives.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// The database file; relative to the configuration file.
    pub path: PathBuf,
    /// How long poll records are kept.
    pub keep_polls: Period,
    /// How long the documents that changed something are kept.
    pub keep_evidence: Period,
    /// The most bytes that they take, packed.
    pub max_evidence: Bytes,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { path: "clarion.db".into(), keep_polls: Period::days(30), keep_evidence: Period::days(365), max_evidence: Bytes(2 << 30) }
    }
}

/// How the outside is reached.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Inner address ranges that may be reached although they are not public.
    pub allow: Vec<AddressRange>,
    /// The least time between the starts of two requests to one host.
    pub min_gap: Period,
    /// The most requests open at once, over all hosts.
    pub concurrency: usize,
    /// An address in the User-Agent where a site's owner can reach the operator.
    pub contact: String,
    /// The whole of one request, from look-up to last byte.
    pub timeout: Period,
    /// The most bytes of one answer after decompression.
    pub max_body: Bytes,
    /// The most bytes of answers held in memory at once, over all requests.
    pub max_in_flight: Bytes,
    pub max_redirects: u32,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            min_gap: Period::seconds(1),
            concurrency: 32,
            contact: String::new(),
            timeout: Period::seconds(30),
            max_body: Bytes(10 << 20),
            max_in_flight: Bytes(64 << 20),
            max_redirects: 5,
        }
    }
}

/// How often one kind of source is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    pub min: Period,
    pub default: Period,
    pub max: Period,
}

/// When sources are polled and when the week is cut off.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleConfig {
    /// When the draft of the week before is made: minute hour day month weekday.
    pub cut_off: String,
    /// The IANA time zone that `cut_off` is meant in.
    pub zone: String,
    pub feeds: Pace,
    /// Medium, Substack, Hashnode.
    pub slow_hosts: Pace,
    pub youtube: Pace,
    pub github: Pace,
    pub devto: Pace,
    /// Calendars and speakers' events.
    pub calendars: Pace,
    /// Mastodon, Bluesky, Stack Exchange and GitLab.
    pub social: Pace,
    /// What GitHub has to be searched for: pull requests merged by others. Only `default` is used as the gap between two.
    pub github_search: Pace,
    /// When links of works that may be featured are looked at.
    pub links: String,
    /// When counts are asked for that ordinary polls missed.
    pub engagement: String,
    /// When the database is checked and old poll records are dropped.
    pub upkeep: String,
    /// The longest that one run of a timed task may take.
    pub run_limit: Period,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        let pace = |min, default, max| Pace { min: Period::minutes(min), default: Period::minutes(default), max: Period::minutes(max) };
        Self {
            cut_off: "0 6 * * MON".into(),
            zone: "UTC".into(),
            feeds: pace(30, 120, 720),
            slow_hosts: pace(180, 360, 1440),
            youtube: pace(30, 60, 360),
            github: pace(15, 60, 360),
            devto: pace(30, 120, 720),
            calendars: pace(360, 720, 1440),
            social: pace(30, 120, 720),
            github_search: pace(360, 720, 1440),
            links: "20 * * * *".into(),
            engagement: "5,35 * * * *".into(),
            upkeep: "30 3 * * *".into(),
            run_limit: Period::minutes(60),
        }
    }
}

/// GitHub.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GithubConfig {
    pub api_url: BaseUrl,
    /// A file that holds one fine-grained personal token without any permission.
    pub token_file: Option<PathBuf>,
    /// Accounts that are automation although their names do not end in `[bot]`.
    pub bots: Vec<String>,
    /// Pre-releases are recorded too.
    pub prereleases: bool,
    /// How many members one question to the GraphQL interface is about; it is asked only with a token.
    pub batch: u32,
}

impl Default for GithubConfig {
    fn default() -> Self {
        Self {
            api_url: BaseUrl::of("https://api.github.com"),
            token_file: None,
            bots: vec!["renovate-bot".into(), "github-actions".into(), "dependabot".into()],
            prereleases: false,
            batch: 15,
        }
    }
}

/// YouTube.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct YoutubeConfig {
    /// The feed endpoint, to which `?channel_id=` or `?playlist_id=` is added.
    pub feed_url: BaseUrl,
    /// The root of the Data API, asked only with a key.
    pub api_url: BaseUrl,
    /// A file that holds one key of the Data API.
    pub key_file: Option<PathBuf>,
}

impl Default for YoutubeConfig {
    fn default() -> Self {
        Self {
            feed_url: BaseUrl::of("https://www.youtube.com/feeds/videos.xml"),
            api_url: BaseUrl::of("https://www.googleapis.com/youtube/v3"),
            key_file: None,
        }
    }
}

/// dev.to and other Forem sites.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DevtoConfig {
    /// The root of the API; `/articles?username=` is added.
    pub api_url: BaseUrl,
}

impl Default for DevtoConfig {
    fn default() -> Self {
        Self { api_url: BaseUrl::of("https://dev.to/api") }
    }
}

/// Podcasts.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PodcastConfig {
    /// The look-up of Apple's directory, to which `?id=` is added.
    pub lookup_url: BaseUrl,
}

impl Default for PodcastConfig {
    fn default() -> Self {
        Self { lookup_url: BaseUrl::of("https://itunes.apple.com/lookup") }
    }
}

/// Medium.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct MediumConfig {
    /// Accounts, publications or hosts whose stories without tags are articles, not replies.
    pub untagged_stories: Vec<String>,
}

/// Vimeo.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct VimeoConfig {
    /// The oEmbed endpoint, to which `?url=` is added: asked for titles that a feed leaves empty.
    pub oembed_url: BaseUrl,
}

impl Default for VimeoConfig {
    fn default() -> Self {
        Self { oembed_url: BaseUrl::of("https://vimeo.com/api/oembed.json") }
    }
}

/// Twitch.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TwitchConfig {
    /// The root of the API.
    pub api_url: BaseUrl,
    /// Where an app gets its token.
    pub token_url: BaseUrl,
    /// A file that holds the app's client id.
    pub client_id_file: Option<PathBuf>,
    /// A file that holds the app's client secret.
    pub client_secret_file: Option<PathBuf>,
}

impl Default for TwitchConfig {
    fn default() -> Self {
        Self {
            api_url: BaseUrl::of("https://api.twitch.tv/helix"),
            token_url: BaseUrl::of("https://id.twitch.tv/oauth2/token"),
            client_id_file: None,
            client_secret_file: None,
        }
    }
}

/// Sessionize.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionizeConfig {
    /// The speakers' part of the API, to which `/{id}` is added.
    pub api_url: BaseUrl,
}

impl Default for SessionizeConfig {
    fn default() -> Self {
        Self { api_url: BaseUrl::of("https://sessionize.com/api/speaker/json") }
    }
}

/// Stack Exchange.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StackExchangeConfig {
    /// The root of the API; `/users/{ids}/answers` is added.
    pub api_url: BaseUrl,
    /// The key of a registered application; no secret, it only raises the daily number of requests.
    pub key: Option<String>,
    /// The filter that adds titles and links to answers.
    pub filter: String,
    /// The score from which on an answer may be featured; one that was accepted always may.
    pub min_score: u32,
}

impl Default for StackExchangeConfig {
    fn default() -> Self {
        Self { api_url: BaseUrl::of("https://api.stackexchange.com/2.3"), key: None, filter: String::new(), min_score: 1 }
    }
}

/// Bluesky.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlueskyConfig {
    /// The root of the public view; `/xrpc/…` is added.
    pub api_url: BaseUrl,
}

impl Default for BlueskyConfig {
    fn default() -> Self {
        Self { api_url: BaseUrl::of("https://public.api.bsky.app") }
    }
}

/// A category of the program.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// The short key used in rosters and the log.
    pub key: String,
    /// The name shown.
    pub name: String,
    /// Tags, services and words that speak for it.
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub services: Vec<String>,
    #[serde(default)]
    pub words: Vec<String>,
    /// The first and the day after the last on which it is used, `2026-01-01`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// A region: a set of countries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    pub key: String,
    pub name: String,
    /// ISO 3166-1 alpha-2.
    #[serde(default)]
    pub countries: Vec<String>,
    /// The first and the day after the last on which it is used, `2026-01-01`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// What changes of the digest's settings from a day on; what is not named stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DigestChange {
    /// The first day, `2027-01-04`: digests of weeks that begin on it or later are made so.
    pub from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub places: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cool_down: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_weeks: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_weeks: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance_weeks: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
    /// Points by name, as in the table of weights.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<String, i64>,
}

/// The points of DIGEST.md section 4, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Weights {
    pub on_topic: i64,
    pub substantial: i64,
    pub shows_work: i64,
    pub described: i64,
    pub canonical: i64,
    pub cites_source: i64,
    pub fresh: i64,
    pub turn: i64,
    pub category: i64,
    pub region: i64,
    pub new_service: i64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            on_topic: 300,
            substantial: 200,
            shows_work: 200,
            described: 100,
            canonical: 100,
            cites_source: 100,
            fresh: 50,
            turn: 150,
            category: 200,
            region: 200,
            new_service: 50,
        }
    }
}

/// How the weekly digest is chosen.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DigestConfig {
    /// Places in the digest (K).
    pub places: u32,
    /// How many days before the cut-off a work may have come out.
    pub window_days: u32,
    /// For how many digests after one with them a builder pauses.
    pub cool_down: u32,
    /// The least quality, 0 to 1000.
    pub floor: i64,
    /// The least substance of an earlier work to be compared with.
    pub floor_substance: i64,
    /// How many weeks until a featured builder's turn counts in full again.
    pub turn_weeks: i64,
    /// How many weeks until a builder may lead again.
    pub lead_weeks: i64,
    /// How many digests are looked at for balance, this one included.
    pub balance_weeks: u32,
    /// How late, in days after publication, a find may still go to the late shelf.
    pub late_days: u32,
    /// Kinds of activity that may be featured.
    pub kinds: Vec<String>,
    /// Between approval and publication.
    pub cooling_off: Period,
    pub weights: Weights,
    /// The program's categories; an empty list takes the built-in ones.
    pub categories: Vec<Category>,
    /// The program's regions; an empty list takes the built-in ones.
    pub regions: Vec<Region>,
    /// What changes from a day on.
    pub changes: Vec<DigestChange>,
}

impl Default for DigestConfig {
    fn default() -> Self {
        let kinds = ["article", "video", "livestream", "podcast_episode", "talk", "release", "repository", "contribution", "answer"];
        Self {
            places: 12,
            window_days: 14,
            cool_down: 4,
            floor: 350,
            floor_substance: 350,
            turn_weeks: 26,
            lead_weeks: 26,
            balance_weeks: 12,
            late_days: 60,
            kinds: kinds.map(str::to_owned).to_vec(),
            cooling_off: Period::minutes(30),
            weights: Weights::default(),
            categories: Vec::new(),
            regions: Vec::new(),
            changes: Vec::new(),
        }
    }
}

/// How drafts are looked over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EditingConfig {
    /// Who looks at works of a topic when a review is asked for.
    pub reviewers: Vec<Reviewer>,
    /// Whether each pick wants a tick that its author told whether a machine wrote it.
    pub ask_machine_written: bool,
}

/// Somebody who knows a topic.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reviewer {
    /// The key of a category, or the name of a service.
    pub topic: String,
    pub person: String,
}

/// Drafts of posts on social networks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SocialConfig {
    /// The networks on which links say where they were followed.
    pub utm: Vec<String>,
    /// The longest post that the Mastodon server takes.
    pub mastodon_limit: u32,
}

impl Default for SocialConfig {
    fn default() -> Self {
        Self { utm: Vec::new(), mastodon_limit: 500 }
    }
}

/// How a published digest is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// Mail through a server of your own.
    Smtp,
    /// A signed POST of the digest's JSON.
    Webhook,
    Slack,
    Discord,
    Teams,
    /// Files in a folder.
    Files,
}

impl ChannelKind {
    /// The name in settings, tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Teams => "teams",
            Self::Files => "files",
        }
    }

    /// The kind of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Smtp, Self::Webhook, Self::Slack, Self::Discord, Self::Teams, Self::Files].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How the way to a mail server is kept private.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// Plain at first, then TLS; without it nothing is sent.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// None at all.
    None,
}

/// One place that published digests are sent to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryConfig {
    /// The name in commands and in the log; never reused for another place.
    pub name: String,
    pub kind: ChannelKind,
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Mail: `host` or `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    #[serde(default)]
    pub security: Security,
    /// Mail: authorities to believe beside the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Mail: `Name <address>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Mail: the list's addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsubscribe: Vec<String>,
    /// Mail: links say that they were followed there.
    #[serde(default)]
    pub utm: bool,
    /// Webhooks and chats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// Files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<String>,
}

/// The formats that a folder may get.
const FORMATS: [&str; 10] = ["html", "eml", "md", "txt", "json", "atom", "slack", "discord", "teams", "social"];

fn yes() -> bool {
    true
}

impl DeliveryConfig {
    /// The mail server's host and port.
    pub fn host_and_port(&self) -> Option<(String, u16)> {
        let server = self.server.as_deref()?.trim();
        let usual = match self.security {
            Security::Starttls => 587,
            Security::Tls => 465,
            Security::None => 25,
        };
        let literal = server.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (host, port) = match literal {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => match server.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (server, None),
            },
        };
        let port = port.map_or(Some(usual), |port| port.parse().ok().filter(|port| *port != 0))?;
        let plain =
            !host.is_empty() && host.len() <= 253 && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':'));
        plain.then(|| (host.to_owned(), port))
    }

    /// What holds between values: the key at fault and a sentence.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let fault = |key: &'static str, message: &str| Err((key, format!("{message} (channel `{}`)", self.name)));
        if !(1..=40).contains(&self.name.len())
            || !self.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
        {
            return fault("name", "must be 1 to 40 of a-z, 0-9, '-' and '_'");
        }
        match self.kind {
            ChannelKind::Smtp => self.check_mail(),
            ChannelKind::Webhook | ChannelKind::Slack | ChannelKind::Discord | ChannelKind::Teams => {
                match (&self.url, &self.url_file) {
                    (Some(_), Some(_)) => return fault("url", "give `url` or `url_file`, not both"),
                    (None, None) => return fault("url", "a channel of this kind needs `url` or, better, `url_file`"),
                    (Some(url), None) => {
                        let fits = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
                        if !fits {
                            return fault("url", "must be an absolute http or https address");
                        }
                    }
                    (None, Some(_)) => {}
                }
                if self.kind == ChannelKind::Webhook && self.secret_file.is_none() {
                    return fault("secret_file", "a webhook is signed: name a file that holds the secret");
                }
                Ok(())
            }
            ChannelKind::Files => {
                if self.folder.is_none() {
                    return fault("folder", "must name the folder that files are written to");
                }
                match self.formats.iter().find(|format| !FORMATS.contains(&format.as_str())) {
                    Some(format) => fault("formats", &format!("unknown format `{format}`; known are {}", FORMATS.join(", "))),
                    None => Ok(()),
                }
            }
        }
    }

    fn check_mail(&self) -> Result<(), (&'static str, String)> {
        let fault = |key: &'static str, message: String| Err((key, format!("{message} (channel `{}`)", self.name)));
        let Some((host, _)) = self.host_and_port() else {
            return fault("server", "must be a host, or a host and a port: `smtp.example.org:587`".into());
        };
        let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if self.user.is_some() != self.password_file.is_some() {
            return fault("password_file", "`user` and `password_file` go together".into());
        }
        if self.security == Security::None && self.user.is_some() && !here {
            return fault("security", "a password is never sent without TLS".into());
        }
        if self.to.is_empty() {
            return fault("to", "must name at least one address: clarion keeps no list of subscribers".into());
        }
        for address in &self.to {
            if !address.is_ascii() || address.parse::<lettre::Address>().is_err() {
                return fault("to", format!("`{address}` is no mail address in ASCII"));
            }
        }
        if let Some(from) = &self.from
            && !from.parse::<lettre::message::Mailbox>().is_ok_and(|from| from.email.to_string().is_ascii())
        {
            return fault("from", format!("`{from}` is no sender: write `Name <address>`"));
        }
        let token =
            |text: &str| (1..=500).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b','));
        if let Some(id) = self.list_id.as_deref().filter(|id| !token(id)) {
            return fault("list_id", format!("`{id}` is no list id: write `weekly.example.org`"));
        }
        let link = |text: &str| token(text) && (text.starts_with("https://") || text.starts_with("mailto:"));
        if let Some(address) = self.unsubscribe.iter().find(|address| !link(address)) {
            return fault("unsubscribe", format!("`{address}` must begin with https:// or mailto:"));
        }
        Ok(())
    }
}

/// Pages and metrics.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebConfig {
    /// Where pages are served. Beyond loopback, people need to come by https and to sign in.
    pub listen: SocketAddr,
    /// The address under which readers reach the pages; absolute links are made from it.
    pub public_url: BaseUrl,
    /// Reverse proxies whose word on a visitor's address, and on who they are, counts.
    pub proxies: Vec<AddressRange>,
    /// The header in which those proxies tell whom they signed in; unset, nobody is asked but clarion's own sign-in.
    pub proxy_user_header: Option<String>,
    /// Who may read the metrics without signing in.
    pub metrics_from: Vec<AddressRange>,
}

impl WebConfig {
    /// Whether people reach the pages by https, so that a cookie can be kept to it.
    pub fn is_https(&self) -> bool {
        self.public_url.as_str().starts_with("https://")
    }

    /// Whether the address of the pages is this machine's own.
    pub fn is_local(&self) -> bool {
        self.listen.ip().is_loopback()
            && Url::parse(self.public_url.as_str()).is_ok_and(|url| match url.host() {
                Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
                Some(url::Host::Ipv4(address)) => address.is_loopback(),
                Some(url::Host::Ipv6(address)) => address.is_loopback(),
                None => false,
            })
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        if !self.listen.ip().is_loopback() && !self.is_https() {
            let text = format!(
                "{} is not a loopback address: others reach the pages there, so set `web.public_url` to the https address of a reverse proxy",
                self.listen
            );
            return Err(("listen", text));
        }
        if let Some(header) = &self.proxy_user_header {
            let fits = !header.is_empty() && header.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if !fits {
                return Err(("proxy_user_header", format!("`{header}` is no name of a header")));
            }
        }
        Ok(())
    }
}

impl Default for WebConfig {
    fn default() -> Self {
        let host = |text: &'static str| text.parse().expect("a built-in address is an address");
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8484)),
            public_url: BaseUrl::of("http://127.0.0.1:8484"),
            proxies: Vec::new(),
            proxy_user_header: None,
            metrics_from: vec![host("127.0.0.1/32"), host("::1/128")],
        }
    }
}

/// What is told of the running program.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `text` or `json`.
    pub format: LogFormat,
    /// A tracing filter: `info`, `clarion=debug,warn`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".into() }
    }
}

/// How lines about the running program are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

/// A span of time: a number of seconds, or a text such as `90s`, `30m`, `2h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl Period {
    /// So many seconds.
    pub const fn seconds(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }

    /// So many minutes.
    pub const fn minutes(n: u64) -> Self {
        Self::seconds(n * 60)
    }

    /// So many days.
    pub const fn days(n: u64) -> Self {
        Self::seconds(n * 86_400)
    }

    /// Whole seconds.
    pub fn as_secs(self) -> u64 {
        self.0.as_secs()
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || format!("`{text}` is not a span of time: write `500ms`, `30s`, `15m`, `2h` or `7d`");
        let text_only = text.trim();
        let split = text_only.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
        let (number, unit) = text_only.split_at(split);
        let number: u64 = number.parse().map_err(|_| error())?;
        let millis = match unit.trim() {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(error()),
        };
        number.checked_mul(millis).map(|ms| Self(Duration::from_millis(ms))).ok_or_else(error)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        match units.into_iter().find(|(size, _)| ms > 0 && ms.is_multiple_of(*size)) {
            Some((size, unit)) => write!(f, "{}{unit}", ms / size),
            None if ms == 0 => f.write_str("0s"),
            None => write!(f, "{ms}ms"),
        }
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PeriodVisitor;
        impl Visitor<'_> for PeriodVisitor {
            type Value = Period;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a span of time such as `30s`, `15m` or `2h`, or a number of seconds")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Period, E> {
                u64::try_from(seconds).map(Period::seconds).map_err(|_| E::custom("a span of time cannot be negative"))
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Period, E> {
                Ok(Period::seconds(seconds))
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Period, E> {
                Duration::try_from_secs_f64(seconds).map(Period).map_err(|_| E::custom("a span of time cannot be negative"))
            }
        }
        deserializer.deserialize_any(PeriodVisitor)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A size in bytes: a number, or a text such as `512KiB`, `10MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || format!("`{text}` is not a size: write `512KiB`, `10MiB` or a number of bytes");
        let text_only = text.trim();
        let split = text_only.find(|c: char| !c.is_ascii_digit()).unwrap_or(text_only.len());
        let (number, unit) = text_only.split_at(split);
        let number: u64 = number.parse().map_err(|_| error())?;
        let factor = match unit.trim() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(error()),
        };
        number.checked_mul(factor).map(Self).ok_or_else(error)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.into_iter().find(|(size, _)| self.0 > 0 && self.0.is_multiple_of(*size)) {
            Some((size, unit)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a size such as `10MiB`, or a number of bytes")]
        enum Raw {
            Number(u64),
            Text(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Number(bytes) => Ok(Self(bytes)),
            Raw::Text(text) => text.parse().map_err(de::Error::custom),
        }
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An absolute http(s) address without trailing slash, query or fragment, that paths are added to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    fn of(text: &'static str) -> Self {
        text.parse().expect("a built-in address is an address")
    }

    /// The address, without trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || format!("`{text}` is not an address: write an absolute http or https address without query");
        let url = Url::parse(text.trim()).map_err(|_| error())?;
        let fits = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if fits { Ok(Self(url.as_str().trim_end_matches('/').to_owned())) } else { Err(error()) }
    }
}

impl<'de> Deserialize<'de> for BaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for BaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A range of addresses: `127.0.0.1`, `10.1.2.0/24`, `fd00:1::/64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    address: IpAddr,
    prefix: u8,
}

impl AddressRange {
    /// Whether the address is in the range. A v4 address mapped into v6 counts as the v4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(range), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                u32::from(range) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(range), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                u128::from(range) & mask == u128::from(address) & mask
            }
            _ => false,
        }
    }
}

impl FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || format!("`{text}` is not an address range: write `127.0.0.1` or `10.1.2.0/24`");
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.trim_start_matches('[').trim_end_matches(']').parse().map_err(|_| error())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u8 = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| error())?,
            None => width,
        };
        if prefix > width {
            return Err(error());
        }
        if prefix < 8 {
            return Err(format!("`{text}` is too wide: name single inner ranges, /8 at most"));
        }
        let range = Self { address, prefix };
        // Addresses where clouds hand out credentials are never reached, whatever a setting says.
        let metadata: [IpAddr; 3] =
            [IpAddr::from([169, 254, 169, 254]), IpAddr::from([100, 100, 100, 200]), IpAddr::from([0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254])];
        if metadata.iter().any(|address| range.contains(*address)) {
            return Err(format!("`{text}` holds an address where clouds keep credentials; it cannot be allowed"));
        }
        Ok(range)
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl<'de> Deserialize<'de> for AddressRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for AddressRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a configuration cannot be used. Carries file, line and key where they are known.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("no configuration at {path}: `clarion init` writes one, --config or CLARION_CONFIG names another place")]
    Missing { path: PathBuf },
    #[error("cannot read the configuration {path}: {reason}")]
    Unreadable { path: PathBuf, reason: std::io::Error },
    #[error("the configuration {path} is empty: `clarion init` in another folder writes a sample")]
    Empty { path: PathBuf },
    #[error("{path}: {message}")]
    Syntax { path: PathBuf, message: String },
    #[error("{path}: line {line}: {key}: {message}")]
    Value { path: PathBuf, line: usize, key: String, message: String },
}

impl Config {
    /// Reads and checks the file. Paths in it are taken relative to its folder.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(ConfigError::Missing { path: path.into() }),
            Err(reason) => return Err(ConfigError::Unreadable { path: path.into(), reason }),
        };
        if text.trim().is_empty() {
            return Err(ConfigError::Empty { path: path.into() });
        }
        let mut config = Self::parse(&text, path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.store.path = folder.join(&config.store.path);
        for file in [
            &mut config.github.token_file,
            &mut config.youtube.key_file,
            &mut config.twitch.client_id_file,
            &mut config.twitch.client_secret_file,
        ] {
            *file = file.take().map(|file| folder.join(file));
        }
        for channel in &mut config.delivery {
            for file in
                [&mut channel.ca_file, &mut channel.password_file, &mut channel.url_file, &mut channel.secret_file, &mut channel.folder]
            {
                *file = file.take().map(|file| folder.join(file));
            }
        }
        Ok(config)
    }

    /// Reads and checks a text; `path` is for messages alone.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| told(text, path, &error))?;
        match config.check() {
            Ok(()) => Ok(config),
            Err((key, message)) => Err(ConfigError::Value { path: path.into(), line: line_of_key(text, &key), key, message }),
        }
    }

    /// What holds between values: the key at fault and a sentence.
    fn check(&self) -> Result<(), (String, String)> {
        let fault = |key: &str, message: String| Err((key.to_owned(), message));
        if self.store.path.file_name().is_none() {
            return fault("store.path", "must name a file, such as `clarion.db`".into());
        }
        if self.network.concurrency == 0 || self.network.concurrency > 1024 {
            return fault("network.concurrency", "must be 1 to 1024".into());
        }
        if self.network.timeout.0.is_zero() {
            return fault("network.timeout", "must be more than 0".into());
        }
        if self.network.max_body.0 == 0 {
            return fault("network.max_body", "must be more than 0".into());
        }
        if self.network.max_in_flight < self.network.max_body {
            return fault("network.max_in_flight", format!("must be at least network.max_body, {}", self.network.max_body));
        }
        if self.network.max_redirects > 20 {
            return fault("network.max_redirects", "must be 20 or less".into());
        }
        let paces = [
            ("feeds", self.schedule.feeds),
            ("slow_hosts", self.schedule.slow_hosts),
            ("youtube", self.schedule.youtube),
            ("github", self.schedule.github),
            ("devto", self.schedule.devto),
            ("calendars", self.schedule.calendars),
            ("social", self.schedule.social),
            ("github_search", self.schedule.github_search),
        ];
        for (name, pace) in paces {
            if pace.min.0 < Duration::from_mins(1) {
                return fault(&format!("schedule.{name}"), "`min` must be a minute or more".into());
            }
            if !(pace.min <= pace.default && pace.default <= pace.max) {
                return fault(&format!("schedule.{name}"), "must hold min ≤ default ≤ max".into());
            }
        }
        if !(1..=20).contains(&self.github.batch) {
            return fault("github.batch", "must be 1 to 20".into());
        }
        if let Err(error) = time_zone(&self.schedule.zone) {
            return fault("schedule.zone", format!("`{}` is no IANA time zone ({error})", self.schedule.zone));
        }
        for (key, cron) in [
            ("schedule.cut_off", &self.schedule.cut_off),
            ("schedule.links", &self.schedule.links),
            ("schedule.engagement", &self.schedule.engagement),
            ("schedule.upkeep", &self.schedule.upkeep),
        ] {
            if let Err(message) = check_cron(cron, &self.schedule.zone) {
                return fault(key, message);
            }
        }
        if self.schedule.run_limit.0.is_zero() {
            return fault("schedule.run_limit", "must be more than 0".into());
        }
        if self.twitch.client_id_file.is_some() != self.twitch.client_secret_file.is_some() {
            return fault("twitch.client_id_file", "needs `twitch.client_secret_file` beside it, and the other way round".into());
        }
        if let Err((key, message)) = self.digest.check() {
            return fault(&format!("digest.{key}"), message);
        }
        let mut names = BTreeSet::new();
        for channel in &self.delivery {
            if let Err((key, message)) = channel.check() {
                return fault(&format!("delivery.{key}"), message);
            }
            if !names.insert(&channel.name) {
                return fault("delivery.name", format!("the name `{}` stands twice", channel.name));
            }
        }
        if let Some(name) = self.social.utm.iter().find(|name| !matches!(name.as_str(), "x" | "bluesky" | "mastodon" | "linkedin")) {
            return fault("social.utm", format!("unknown network `{name}`; known are x, bluesky, mastodon, linkedin"));
        }
        if !(300..=100_000).contains(&self.social.mastodon_limit) {
            return fault("social.mastodon_limit", "must be 300 to 100000".into());
        }
        if let Err((key, message)) = self.web.check() {
            return fault(&format!("web.{key}"), message);
        }
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&self.log.filter) {
            return fault("log.filter", error.to_string());
        }
        Ok(())
    }
}

/// The points of that name.
fn points_mut<'a>(weights: &'a mut Weights, name: &str) -> Option<&'a mut i64> {
    Some(match name {
        "on_topic" => &mut weights.on_topic,
        "substantial" => &mut weights.substantial,
        "shows_work" => &mut weights.shows_work,
        "described" => &mut weights.described,
        "canonical" => &mut weights.canonical,
        "cites_source" => &mut weights.cites_source,
        "fresh" => &mut weights.fresh,
        "turn" => &mut weights.turn,
        "category" => &mut weights.category,
        "region" => &mut weights.region,
        "new_service" => &mut weights.new_service,
        _ => return None,
    })
}

impl DigestConfig {
    /// The settings for a week that begins on that day: all changes up to it made, in order of their days. A day that
    /// cannot be read changes nothing; loading refuses it.
    #[must_use]
    pub fn effective(&self, monday: jiff::civil::Date) -> Self {
        let mut effective = Self { changes: Vec::new(), ..self.clone() };
        let day = |change: &DigestChange| change.from.parse::<jiff::civil::Date>().ok();
        let mut changes: Vec<&DigestChange> = self.changes.iter().filter(|change| day(change).is_some_and(|from| from <= monday)).collect();
        changes.sort_by_key(|change| day(change));
        for change in changes {
            change.make(&mut effective);
        }
        effective
    }

    /// What holds between values: the key at fault within the section, and a sentence.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let within = |key: &'static str, value: i64, least: i64, most: i64| {
            if (least..=most).contains(&value) { Ok(()) } else { Err((key, format!("must be {least} to {most}"))) }
        };
        within("places", self.places.into(), 1, 100)?;
        within("window_days", self.window_days.into(), 1, 366)?;
        within("cool_down", self.cool_down.into(), 0, 520)?;
        within("floor", self.floor, 0, 1_000)?;
        within("floor_substance", self.floor_substance, 0, 1_000)?;
        within("turn_weeks", self.turn_weeks, 1, 520)?;
        within("lead_weeks", self.lead_weeks, 0, 520)?;
        within("balance_weeks", self.balance_weeks.into(), 1, 520)?;
        within("late_days", self.late_days.into(), 0, 3_660)?;
        let weights = &self.weights;
        for (key, points) in [
            ("weights.on_topic", weights.on_topic),
            ("weights.substantial", weights.substantial),
            ("weights.shows_work", weights.shows_work),
            ("weights.described", weights.described),
            ("weights.canonical", weights.canonical),
            ("weights.cites_source", weights.cites_source),
            ("weights.fresh", weights.fresh),
            ("weights.turn", weights.turn),
            ("weights.category", weights.category),
            ("weights.region", weights.region),
            ("weights.new_service", weights.new_service),
        ] {
            within(key, points, 0, 10_000)?;
        }
        if self.kinds.is_empty() {
            return Err(("kinds", "names no kind: nothing could ever be chosen".into()));
        }
        for kind in &self.kinds {
            if crate::model::ActivityKind::parse(kind).is_none() {
                let known: Vec<_> = crate::model::ActivityKind::ALL.iter().map(|kind| kind.as_str()).collect();
                return Err(("kinds", format!("unknown kind `{kind}`; known are {}", known.join(", "))));
            }
        }
        for change in &self.changes {
            if change.from.parse::<jiff::civil::Date>().is_err() {
                return Err(("changes", format!("`{}` is no day: write `from` as 2026-01-31", change.from)));
            }
            if let Some(name) = change.weights.keys().find(|name| points_mut(&mut Weights::default(), name).is_none()) {
                return Err(("changes", format!("there are no points named `{name}`")));
            }
            let mut changed = Self { changes: Vec::new(), ..self.clone() };
            change.make(&mut changed);
            if let Err((key, message)) = changed.check() {
                return Err(("changes", format!("from {}: {key} {message}", change.from)));
            }
        }
        for region in &self.regions {
            for day in [&region.from, &region.until].into_iter().flatten() {
                if day.parse::<jiff::civil::Date>().is_err() {
                    return Err(("regions", format!("`{day}` of `{}` is no day: write it as 2026-01-31", region.key)));
                }
            }
        }
        let mut keys = BTreeSet::new();
        for category in &self.categories {
            for day in [&category.from, &category.until].into_iter().flatten() {
                if day.parse::<jiff::civil::Date>().is_err() {
                    return Err(("categories", format!("`{day}` of `{}` is no day: write it as 2026-01-31", category.key)));
                }
            }
            if category.name.trim().is_empty() || category.key.trim().is_empty() {
                return Err(("categories", format!("`{}` needs a key and a name", category.key)));
            }
            if !keys.insert(&category.key) {
                return Err(("categories", format!("the key `{}` stands twice", category.key)));
            }
        }
        let mut keys = BTreeSet::new();
        for region in &self.regions {
            if let Some(code) = region.countries.iter().find(|code| code.len() != 2 || !code.bytes().all(|b| b.is_ascii_uppercase())) {
                return Err(("regions", format!("`{code}` of `{}` is no country code: write two capital letters", region.key)));
            }
            if !keys.insert(&region.key) {
                return Err(("regions", format!("the key `{}` stands twice", region.key)));
            }
        }
        Ok(())
    }
}

impl DigestChange {
    fn make(&self, config: &mut DigestConfig) {
        let DigestConfig {
            places, window_days, cool_down, floor, turn_weeks, lead_weeks, balance_weeks, late_days, kinds, weights, ..
        } = config;
        for (to, change) in [
            (places, self.places),
            (window_days, self.window_days),
            (cool_down, self.cool_down),
            (balance_weeks, self.balance_weeks),
            (late_days, self.late_days),
        ] {
            *to = change.unwrap_or(*to);
        }
        for (to, change) in [(floor, self.floor), (turn_weeks, self.turn_weeks), (lead_weeks, self.lead_weeks)] {
            *to = change.unwrap_or(*to);
        }
        if let Some(changed) = &self.kinds {
            kinds.clone_from(changed);
        }
        for (name, points) in &self.weights {
            if let Some(to) = points_mut(weights, name) {
                *to = *points;
            }
        }
    }
}

/// The IANA time zone of that name. UTC is known without looking through the system's zones, which takes longer than the
/// rest of a start.
pub fn time_zone(name: &str) -> Result<TimeZone, jiff::Error> {
    if name.eq_ignore_ascii_case("UTC") { Ok(TimeZone::UTC) } else { TimeZone::get(name) }
}

/// Checks a schedule of five fields: minute hour day month weekday.
/// A pattern that can be read and falls due some day. From which day on it is looked for makes no difference: what falls
/// due at all does so within a leap year's cycle.
fn check_cron(pattern: &str, zone: &str) -> Result<(), String> {
    let cron = croner::parser::CronParser::builder()
        .seconds(croner::parser::Seconds::Disallowed)
        .build()
        .parse(pattern)
        .map_err(|error| format!("`{pattern}` is no schedule of five fields, minute hour day month weekday ({error})"))?;
    let from = jiff::Timestamp::UNIX_EPOCH.to_zoned(time_zone(zone).map_err(|error| error.to_string())?);
    cron.find_next_occurrence(&from, false).map(|_| ()).map_err(|_| format!("`{pattern}` never falls due: there is no such day"))
}

/// What the TOML reader complains of, with the line and, where there is one, the key.
fn told(text: &str, path: &Path, error: &toml::de::Error) -> ConfigError {
    let message = error.message().trim().replace('\n', ", ");
    let Some(span) = error.span() else { return ConfigError::Syntax { path: path.into(), message } };
    let line = line_at(text, span.start);
    let Some(key) = key_at(text, span.start) else {
        return ConfigError::Syntax { path: path.into(), message: format!("line {line}: {message}") };
    };
    // serde speaks of fields, people who edit a file speak of keys.
    let message = match message.strip_prefix("unknown field ") {
        Some(rest) => {
            format!("unknown key {}", rest.replace(", expected one of ", "; known here are ").replace(", expected ", "; known here is "))
        }
        None => plainly(&message),
    };
    ConfigError::Value { path: path.into(), line, key, message }
}

/// What serde says of a value's type, in the words of those who edit the file.
fn plainly(message: &str) -> String {
    if message == "invalid socket address syntax" {
        return "is no address with a port: write `127.0.0.1:8484`".into();
    }
    if let Some(key) = message.strip_prefix("missing field ") {
        return format!("{key} is missing");
    }
    let Some((given, wanted)) = message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected ")) else {
        return message.to_owned();
    };
    let wanted = match wanted {
        "a sequence" => "a list in brackets is wanted, such as `[\"one\", \"two\"]`",
        "socket address" => "an address with a port is wanted, in quotes, such as `\"127.0.0.1:8484\"`",
        "a boolean" => "`true` or `false` is wanted",
        "a string" | "string" | "path string" | "a borrowed string" => "a text in quotes is wanted",
        wanted if wanted.split(' ').any(is_whole) => "a whole number is wanted",
        wanted if wanted.starts_with("struct ") || wanted == "a map" => "a table of keys is wanted, such as `{ key = \"value\" }`",
        wanted => return format!("{wanted} is wanted, not {given}"),
    };
    format!("{wanted}, not {given}")
}

/// Whether it is the name of a type of whole numbers.
fn is_whole(name: &str) -> bool {
    name.strip_prefix(['i', 'u']).is_some_and(|size| size == "size" || (!size.is_empty() && size.bytes().all(|b| b.is_ascii_digit())))
}

/// The line, from 1, that a byte is on.
fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// The dotted key that a byte is part of, in name or value; `None` outside of all, and where the text is no TOML.
fn key_at(text: &str, offset: usize) -> Option<String> {
    fn search(table: &toml::de::DeTable<'_>, above: &str, offset: usize, best: &mut Option<(usize, String)>) {
        for (key, value) in table {
            let path = if above.is_empty() { key.get_ref().to_string() } else { format!("{above}.{}", key.get_ref()) };
            for span in [key.span(), value.span()] {
                let is_better = best.as_ref().is_none_or(|(length, _)| span.len() <= *length);
                if (span.start..=span.end).contains(&offset) && is_better {
                    *best = Some((span.len(), path.clone()));
                }
            }
            match value.get_ref() {
                toml::de::DeValue::Table(inner) => search(inner, &path, offset, best),
                toml::de::DeValue::Array(items) => {
                    items.iter().filter_map(|item| item.get_ref().as_table()).for_each(|inner| search(inner, &path, offset, best));
                }
                _ => {}
            }
        }
    }
    let document = toml::de::DeTable::parse(text).ok()?;
    let mut best = None;
    search(document.get_ref(), "", offset, &mut best);
    best.map(|(_, key)| key)
}

/// The line, from 1, on which a dotted key is set, or as much of it as is; 1 when nothing of it is.
fn line_of_key(text: &str, key: &str) -> usize {
    let Ok(document) = toml::de::DeTable::parse(text) else { return 1 };
    let mut table = Some(document.get_ref());
    let mut at = 0;
    for part in key.split('.') {
        let Some((name, value)) = table.and_then(|table| table.get_key_value(part)) else { break };
        at = name.span().start;
        table = value.get_ref().as_table();
    }
    line_at(text, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("clarion.toml"))
    }

    /// The example with every setting that is commented out put in.
    fn example_in_full() -> String {
        let uncomment = |line: &str| match line.strip_prefix('#') {
            Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned() + "\n",
            _ => line.to_owned() + "\n",
        };
        EXAMPLE.lines().map(uncomment).collect()
    }

    /// A configuration in which nothing is left out when it is written.
    fn full() -> Config {
        let mut config = Config::default();
        config.github.token_file = Some("github-token".into());
        config.youtube.key_file = Some("youtube-key".into());
        config.twitch.client_id_file = Some("twitch-client-id".into());
        config.twitch.client_secret_file = Some("twitch-client-secret".into());
        config.stackexchange.key = Some("...".into());
        config.web.proxy_user_header = Some("X-Forwarded-User".into());
        config.digest.categories = vec![Category {
            key: "k".into(),
            name: "n".into(),
            tags: Vec::new(),
            services: Vec::new(),
            words: Vec::new(),
            from: Some("2026-01-01".into()),
            until: Some("2027-01-01".into()),
        }];
        let mail = DeliveryConfig {
            name: "list".into(),
            kind: ChannelKind::Smtp,
            enabled: true,
            server: Some("smtp.example.org".into()),
            security: Security::Starttls,
            ca_file: Some("ca.pem".into()),
            user: Some("u".into()),
            password_file: Some("p".into()),
            from: Some("A <a@example.org>".into()),
            to: vec!["list@example.org".into()],
            list_id: Some("list.example.org".into()),
            unsubscribe: vec!["https://example.org/u".into()],
            utm: false,
            url: None,
            url_file: None,
            secret_file: None,
            folder: None,
            formats: Vec::new(),
        };
        let others = DeliveryConfig {
            name: "files".into(),
            kind: ChannelKind::Files,
            folder: Some("f".into()),
            formats: vec!["html".into()],
            secret_file: Some("s".into()),
            url_file: Some("u".into()),
            url: Some("https://a.example/".into()),
            ..mail.clone()
        };
        config.delivery = vec![mail, others];
        config.digest.regions = vec![Region {
            key: "k".into(),
            name: "n".into(),
            countries: Vec::new(),
            from: Some("2026-01-01".into()),
            until: Some("2027-01-01".into()),
        }];
        config.digest.changes = vec![DigestChange {
            from: "2027-01-04".into(),
            places: Some(10),
            window_days: Some(14),
            cool_down: Some(4),
            floor: Some(350),
            turn_weeks: Some(26),
            lead_weeks: Some(26),
            balance_weeks: Some(12),
            late_days: Some(60),
            kinds: Some(vec!["article".into()]),
            weights: [("turn".to_owned(), 200)].into(),
        }];
        config
    }

    /// The dotted keys of all values that are no tables.
    fn keys(value: &toml::Value, above: &str, found: &mut Vec<String>) {
        match value {
            toml::Value::Table(table) => {
                for (key, value) in table {
                    keys(value, &if above.is_empty() { key.clone() } else { format!("{above}.{key}") }, found);
                }
            }
            toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
                for item in items {
                    keys(item, above, found);
                }
            }
            _ => found.push(above.to_owned()),
        }
    }

    fn keys_of(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        keys(&toml::from_str(text).unwrap(), "", &mut found);
        found.sort();
        // A list may have several examples.
        found.dedup();
        found
    }

    #[test]
    fn the_example_is_the_default_in_every_key() {
        assert_eq!(parse(EXAMPLE).unwrap(), Config::default());
        assert!(parse(&example_in_full()).is_ok());
    }

    #[test]
    fn the_example_misses_no_key() {
        assert_eq!(keys_of(&example_in_full()), keys_of(&toml::to_string(&full()).unwrap()));
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(parse(&toml::to_string(&full()).unwrap()).unwrap(), full());
        assert_eq!(parse("").unwrap(), Config::default());
    }

    #[test]
    fn a_wrong_type_names_its_key_and_its_line() {
        let full = example_in_full();
        let mut section = String::new();
        let mut tried = 0;
        for (index, line) in full.lines().enumerate() {
            if let Some(header) = line.strip_prefix('[') {
                section = header.trim_matches(['[', ']']).to_owned();
            }
            let Some((name, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) else { continue };
            let wrong: String = full
                .lines()
                .enumerate()
                .map(|(at, line)| if at == index { format!("{name} = {{ nonsense = 1979-05-27 }}\n") } else { format!("{line}\n") })
                .collect();
            let key = format!("{section}.{name}");
            match parse(&wrong) {
                Err(ConfigError::Value { line, key: named, message, .. }) => {
                    assert_eq!(line, index + 1, "{key}: {message}");
                    assert!(named == key || named == format!("{key}.nonsense"), "{key} is named {named}: {message}");
                    assert!(!message.is_empty() && !message.contains('\n'), "{key}: {message}");
                }
                other => panic!("{key}: {other:?}"),
            }
            tried += 1;
        }
        assert!(tried > 60, "{tried}");
    }

    #[test]
    fn unknown_keys_are_refused_by_name_with_their_line() {
        for (text, message) in [
            ("\n[network]\nmin_gpa = \"1s\"\n", "clarion.toml: line 3: network.min_gpa: unknown key `min_gpa`; known here are `allow`"),
            ("[netwrok]\nmin_gap = \"1s\"\n", "clarion.toml: line 1: netwrok: unknown key `netwrok`; known here are `program`"),
            ("[schedule]\nfeeds = { min = 60, default = 60, maxx = 60 }\n", "clarion.toml: line 2: schedule.feeds.maxx: unknown key"),
            ("[web]\nlisten = \n", "clarion.toml: line 2: "),
            ("[web\n", "clarion.toml: line 1: "),
        ] {
            let told = parse(text).unwrap_err().to_string();
            assert!(told.starts_with(message), "{told}");
        }
    }

    #[test]
    fn a_wrong_type_is_told_in_words_that_say_what_to_write() {
        for (text, says) in [
            ("[network]\nallow = \"127.0.0.0/8\"\n", "a list in brackets is wanted"),
            ("[network]\nconcurrency = \"many\"\n", "a whole number is wanted"),
            ("[web]\nlisten = 8484\n", "an address with a port is wanted"),
            ("[web]\nlisten = \"127.0.0.1\"\n", "write `127.0.0.1:8484`"),
            ("[program]\nname = 7\n", "a text in quotes is wanted, not integer `7`"),
            ("[schedule]\nfeeds = { min = \"1h\" }\n", "`default` is missing"),
        ] {
            let told = parse(text).unwrap_err().to_string();
            assert!(told.starts_with("clarion.toml: line 2: ") && told.contains(says), "{text}{told}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_names_its_key_and_its_line() {
        for (key, value) in [
            ("store.keep_polls", "\"30 moons\""),
            ("store.keep_polls", "-1"),
            ("network.allow", "[\"0.0.0.0/0\"]"),
            ("network.allow", "[\"127.0.0.1\", \"169.254.0.0/16\"]"),
            ("network.allow", "[\"localhost\"]"),
            ("network.min_gap", "\"soon\""),
            ("network.concurrency", "0"),
            ("network.concurrency", "1025"),
            ("network.timeout", "\"0s\""),
            ("network.max_body", "\"0MiB\""),
            ("network.max_body", "\"10 parsecs\""),
            ("network.max_in_flight", "\"1MiB\""),
            ("network.max_redirects", "21"),
            ("schedule.cut_off", "\"every monday\""),
            ("schedule.cut_off", "\"0 0 6 * * MON\""),
            ("schedule.cut_off", "\"0 0 31 2 *\""),
            ("digest.kinds", "[]"),
            ("schedule.zone", "\"Mars/Olympus\""),
            ("schedule.feeds", "{ min = \"1s\", default = \"2h\", max = \"12h\" }"),
            ("schedule.github", "{ min = \"3h\", default = \"2h\", max = \"12h\" }"),
            ("schedule.devto", "{ min = \"3h\", default = \"4h\" }"),
            ("schedule.upkeep", "\"\""),
            ("schedule.run_limit", "\"0s\""),
            ("github.api_url", "\"ftp://api.example\""),
            ("youtube.feed_url", "\"https://a.example/?x=1\""),
            ("devto.api_url", "\"/api\""),
            ("digest.places", "0"),
            ("digest.window_days", "0"),
            ("digest.floor", "1001"),
            ("digest.floor_substance", "-1"),
            ("digest.turn_weeks", "0"),
            ("digest.lead_weeks", "-1"),
            ("digest.balance_weeks", "0"),
            ("digest.kinds", "[\"haiku\"]"),
            ("digest.weights.turn", "-5"),
            ("digest.categories", "[{ key = \"a\", name = \"A\" }, { key = \"a\", name = \"B\" }]"),
            ("digest.categories", "[{ key = \"a\", name = \"A\", from = \"soon\" }]"),
            ("digest.changes", "[{ from = \"soon\" }]"),
            ("digest.changes", "[{ from = \"2027-01-04\", places = 0 }]"),
            ("digest.changes", "[{ from = \"2027-01-04\", weights = { luck = 5 } }]"),
            ("digest.regions", "[{ key = \"a\", name = \"A\", until = \"soon\" }]"),
            ("digest.regions", "[{ key = \"a\", name = \"A\" }, { key = \"a\", name = \"B\" }]"),
            ("digest.regions", "[{ key = \"a\", name = \"A\", countries = [\"Kenya\"] }]"),
            ("delivery", "[{ name = \"Bad Name\", kind = \"files\", folder = \"f\" }]"),
            ("delivery", "[{ name = \"a\", kind = \"pigeon\" }]"),
            ("delivery", "[{ name = \"a\", kind = \"files\" }]"),
            ("delivery", "[{ name = \"a\", kind = \"files\", folder = \"f\", formats = [\"pdf\"] }]"),
            ("delivery", "[{ name = \"a\", kind = \"files\", folder = \"f\" }, { name = \"a\", kind = \"files\", folder = \"f\" }]"),
            ("delivery", "[{ name = \"a\", kind = \"slack\" }]"),
            ("delivery", "[{ name = \"a\", kind = \"slack\", url = \"ftp://a.example\" }]"),
            ("delivery", "[{ name = \"a\", kind = \"webhook\", url = \"https://a.example\" }]"),
            ("delivery", "[{ name = \"a\", kind = \"smtp\", to = [\"a@example.org\"] }]"),
            ("delivery", "[{ name = \"a\", kind = \"smtp\", server = \"mail.example\" }]"),
            ("delivery", "[{ name = \"a\", kind = \"smtp\", server = \"mail.example\", to = [\"nobody\"] }]"),
            ("delivery", "[{ name = \"a\", kind = \"smtp\", server = \"mail.example\", to = [\"a@example.org\"], user = \"u\" }]"),
            (
                "delivery",
                "[{ name = \"a\", kind = \"smtp\", server = \"mail.example\", to = [\"a@example.org\"], user = \"u\", password_file = \"p\", security = \"none\" }]",
            ),
            (
                "delivery",
                "[{ name = \"a\", kind = \"smtp\", server = \"mail.example\", to = [\"a@example.org\"], unsubscribe = [\"http://a.example\"] }]",
            ),
            ("social.utm", "[\"myspace\"]"),
            ("social.mastodon_limit", "20"),
            ("web.listen", "\"0.0.0.0:80\""),
            ("web.listen", "\"localhost\""),
            ("web.proxies", "[\"0.0.0.0/0\"]"),
            ("web.proxy_user_header", "\"X User\""),
            ("web.public_url", "\"example.org\""),
            ("log.format", "\"xml\""),
            ("log.filter", "\"a=b=c\""),
        ] {
            let Some((section, name)) = key.rsplit_once('.') else {
                let told = parse(&format!("{key} = {value}\n"));
                assert!(
                    matches!(&told, Err(ConfigError::Value { line: 1, key: named, .. }) if named.starts_with(key)),
                    "{value}: {told:?}"
                );
                continue;
            };
            for text in [format!("# ours\n\n[{section}]\n{name} = {value}\n"), format!("\n\n\n{key} = {value}\n")] {
                match parse(&text) {
                    Err(ConfigError::Value { line: 4, key: named, .. }) if named.starts_with(key) => {}
                    other => panic!("{key} = {value}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clarion.toml");
        assert!(matches!(Config::load(&file), Err(ConfigError::Missing { .. })));
        std::fs::write(&file, "\n").unwrap();
        assert!(matches!(Config::load(&file), Err(ConfigError::Empty { .. })));
        std::fs::write(&file, "[github]\ntoken_file = \"secret\"\n").unwrap();
        let config = Config::load(&file).unwrap();
        assert_eq!(config.store.path, folder.path().join("clarion.db"));
        assert_eq!(config.github.token_file, Some(folder.path().join("secret")));
    }

    #[test]
    fn spans_sizes_and_ranges_are_written_as_they_are_read() {
        for text in ["0s", "500ms", "90s", "15m", "2h", "7d"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        for text in ["0", "1023", "512KiB", "10MiB", "3GiB"] {
            assert_eq!(text.parse::<Bytes>().unwrap().to_string(), text);
        }
        let range: AddressRange = "127.0.0.0/8".parse().unwrap();
        assert!(range.contains("127.9.9.9".parse().unwrap()) && range.contains("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!range.contains("128.0.0.1".parse().unwrap()) && !range.contains("::1".parse().unwrap()));
    }

    #[test]
    fn settings_change_from_their_day_on_and_in_order() {
        let config = DigestConfig {
            changes: vec![
                DigestChange { from: "2027-02-01".into(), places: Some(8), ..DigestChange::default() },
                DigestChange {
                    from: "2027-01-04".into(),
                    places: Some(10),
                    weights: [("turn".to_owned(), 99)].into(),
                    ..DigestChange::default()
                },
            ],
            ..DigestConfig::default()
        };
        let on = |day: &str| config.effective(day.parse().unwrap());
        assert_eq!((on("2026-12-28").places, on("2026-12-28").weights.turn), (12, 150));
        assert_eq!((on("2027-01-04").places, on("2027-01-04").weights.turn), (10, 99));
        assert_eq!((on("2027-02-08").places, on("2027-02-08").weights.turn), (8, 99));
        assert!(on("2027-02-08").changes.is_empty());
    }
}

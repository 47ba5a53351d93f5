//! Every setting, its default, and its check.
//!
//! In: one TOML file. Out: a [`Config`] whose values can be relied on, or one error that names the key and the line.
//! Handed out in sections; no step sees the whole. `config.example.toml` is the manual, and a test keeps it true.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

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
    pub digest: DigestConfig,
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
    /// When links of works that may be featured are looked at.
    pub links: String,
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
            links: "20 * * * *".into(),
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
}

impl Default for GithubConfig {
    fn default() -> Self {
        Self {
            api_url: BaseUrl::of("https://api.github.com"),
            token_file: None,
            bots: vec!["renovate-bot".into(), "github-actions".into(), "dependabot".into()],
            prereleases: false,
        }
    }
}

/// YouTube.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct YoutubeConfig {
    /// The feed endpoint, to which `?channel_id=` is added.
    pub feed_url: BaseUrl,
}

impl Default for YoutubeConfig {
    fn default() -> Self {
        Self { feed_url: BaseUrl::of("https://www.youtube.com/feeds/videos.xml") }
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
        }
    }
}

/// Pages and metrics.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebConfig {
    /// Where pages are served. Loopback alone until sign-in exists.
    pub listen: SocketAddr,
    /// The address under which readers reach the pages; absolute links are made from it.
    pub public_url: BaseUrl,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8484)), public_url: BaseUrl::of("http://127.0.0.1:8484") }
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
    #[error("cannot read the configuration {path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
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
            Err(source) => return Err(ConfigError::Unreadable { path: path.into(), source }),
        };
        if text.trim().is_empty() {
            return Err(ConfigError::Empty { path: path.into() });
        }
        let mut config = Self::parse(&text, path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.store.path = folder.join(&config.store.path);
        config.github.token_file = config.github.token_file.map(|file| folder.join(file));
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
        ];
        for (name, pace) in paces {
            if pace.min.0 < Duration::from_mins(1) {
                return fault(&format!("schedule.{name}"), "`min` must be a minute or more".into());
            }
            if !(pace.min <= pace.default && pace.default <= pace.max) {
                return fault(&format!("schedule.{name}"), "must hold min ≤ default ≤ max".into());
            }
        }
        if let Err(error) = jiff::tz::TimeZone::get(&self.schedule.zone) {
            return fault("schedule.zone", format!("`{}` is no IANA time zone ({error})", self.schedule.zone));
        }
        for (key, cron) in [
            ("schedule.cut_off", &self.schedule.cut_off),
            ("schedule.links", &self.schedule.links),
            ("schedule.upkeep", &self.schedule.upkeep),
        ] {
            if let Err(message) = check_cron(cron) {
                return fault(key, message);
            }
        }
        if self.schedule.run_limit.0.is_zero() {
            return fault("schedule.run_limit", "must be more than 0".into());
        }
        if let Err((key, message)) = self.digest.check() {
            return fault(&format!("digest.{key}"), message);
        }
        if !self.web.listen.ip().is_loopback() {
            return fault(
                "web.listen",
                format!(
                    "{} is not a loopback address; there is no sign-in yet, so pages are served to this machine alone",
                    self.web.listen
                ),
            );
        }
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&self.log.filter) {
            return fault("log.filter", error.to_string());
        }
        Ok(())
    }
}

impl DigestConfig {
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
        for kind in &self.kinds {
            if crate::model::ActivityKind::parse(kind).is_none() {
                let known: Vec<_> = crate::model::ActivityKind::ALL.iter().map(|kind| kind.as_str()).collect();
                return Err(("kinds", format!("unknown kind `{kind}`; known are {}", known.join(", "))));
            }
        }
        let mut keys = BTreeSet::new();
        for category in &self.categories {
            for day in [&category.from, &category.until].into_iter().flatten() {
                if day.parse::<jiff::civil::Date>().is_err() {
                    return Err(("categories", format!("`{day}` of `{}` is no day: write it as 2026-01-31", category.key)));
                }
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

/// Checks a schedule of five fields: minute hour day month weekday.
fn check_cron(pattern: &str) -> Result<(), String> {
    croner::parser::CronParser::builder()
        .seconds(croner::parser::Seconds::Disallowed)
        .build()
        .parse(pattern)
        .map(|_| ())
        .map_err(|error| format!("`{pattern}` is no schedule of five fields, minute hour day month weekday ({error})"))
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
        None => message,
    };
    ConfigError::Value { path: path.into(), line, key, message }
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
        config.digest.categories = vec![Category {
            key: "k".into(),
            name: "n".into(),
            tags: Vec::new(),
            services: Vec::new(),
            words: Vec::new(),
            from: Some("2026-01-01".into()),
            until: Some("2027-01-01".into()),
        }];
        config.digest.regions = vec![Region { key: "k".into(), name: "n".into(), countries: Vec::new() }];
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
            ("digest.regions", "[{ key = \"a\", name = \"A\" }, { key = \"a\", name = \"B\" }]"),
            ("digest.regions", "[{ key = \"a\", name = \"A\", countries = [\"Kenya\"] }]"),
            ("web.listen", "\"0.0.0.0:80\""),
            ("web.listen", "\"localhost\""),
            ("web.public_url", "\"example.org\""),
            ("log.format", "\"xml\""),
            ("log.filter", "\"a=b=c\""),
        ] {
            let (section, name) = key.rsplit_once('.').unwrap();
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
}

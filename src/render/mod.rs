//! Writes a digest in its formats.
//!
//! In: a [`Digest`] and a [`Context`]. Out: bytes. Pure: the same digest and context give the same bytes, on every
//! machine. Knows nothing of pages, of the store or of sending. Text from outside is cleaned by `prose` and escaped by
//! the format that writes it; only http and https addresses become links.
//!
//! Points, reasons, regions and balance are in [`staff_json`] alone: what readers get never says why somebody was
//! chosen (DIGEST.md section 4.6).

mod atom;
mod calendar;
mod chat;
mod country;
mod discord;
mod html;
mod json;
mod language;
mod mail;
mod markdown;
mod prose;
#[cfg(test)]
pub(crate) mod sample;
mod shown;
mod slack;
mod social;
mod teams;
mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

pub use atom::{FeedEntry, feed};
pub use calendar::{Calendar, CalendarCell, CalendarWeek, short_day};
pub use chat::{Used, chat_use};
pub use country::country_name;
pub use html::STYLE;
#[cfg(test)]
pub(crate) use html::tests::shape as tests_shape;
pub use json::staff_json;
pub use language::tag as language_tag;
pub use mail::{MAIL_LARGE, MAIL_MOST, mail_bytes, mail_html, mail_use};
pub use shown::{
    Shown, ShownBuilder, ShownSection, ShownWork, date_span, day_of, kind_label, language_name, month_name, number, short, web_address,
};
pub use social::{Counting, counting, draft as social_draft, post_length, post_limit};

use crate::config::{ProgramConfig, SocialConfig};
use crate::model::{Correction, Digest, DigestState, Week};

/// The version of the JSON output's shape.
pub const SCHEMA: u32 = 1;

/// What a digest can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// One page that needs nothing else.
    Html,
    /// A message with an HTML and a plain part.
    Eml,
    /// CommonMark.
    Md,
    /// Plain text in 72 columns.
    Txt,
    /// Data for other programs.
    Json,
    /// A feed with this week's entry alone.
    Atom,
    /// Messages for a Slack channel.
    Slack,
    /// Messages for a Discord channel.
    Discord,
    /// Messages for a Teams channel.
    Teams,
    /// Drafts of posts on social networks.
    Social,
}

impl Format {
    /// Every format, in the order in which places of outputs are told.
    pub const ALL: [Format; 10] =
        [Self::Html, Self::Eml, Self::Md, Self::Txt, Self::Json, Self::Atom, Self::Slack, Self::Discord, Self::Teams, Self::Social];

    /// The name that people type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Eml => "eml",
            Self::Md => "md",
            Self::Txt => "txt",
            Self::Json => "json",
            Self::Atom => "atom",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Teams => "teams",
            Self::Social => "social",
        }
    }

    /// The ending of a file, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Slack => "slack.json",
            Self::Discord => "discord.json",
            Self::Teams => "teams.json",
            Self::Social => "social.json",
            other => other.name(),
        }
    }

    /// The media type to serve it as.
    pub fn mime(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Eml => "message/rfc822",
            Self::Md => "text/markdown; charset=utf-8",
            Self::Txt => "text/plain; charset=utf-8",
            Self::Json | Self::Slack | Self::Discord | Self::Teams | Self::Social => "application/json",
            Self::Atom => "application/atom+xml; charset=utf-8",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

/// A name that is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a format: use html, eml, md, txt, json, atom, slack, discord, teams or social")]
pub struct FormatError(String);

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim().to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|format| wanted == format.name() || wanted == format.extension())
            .ok_or_else(|| FormatError(text.chars().take(40).collect()))
    }
}

/// Why a digest could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("the page could not be filled in: {0}")]
    Template(#[from] askama::Error),
    #[error("the digest could not be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the mail could not be put together: {0}")]
    Mail(String),
    #[error("the mail's HTML part has {bytes} bytes, {limit} at most are sent: mail programs cut longer ones off; choose fewer places")]
    MailTooLong { bytes: usize, limit: usize },
}

/// What an output says besides the digest itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The program's name, for outputs that hold no digest.
    pub program: String,
    /// One sentence under it.
    pub tagline: String,
    /// Whom readers ask: a mail address or words. The mail's sender, if it is an address.
    pub contact: String,
    /// The postal line at the end of mails; left out if empty.
    pub postal: String,
    /// Where readers reach the pages, without trailing slash.
    pub public_url: String,
    pub state: DigestState,
    /// When it was or will be published; the cut-off counts where it is not known.
    pub published_at: Option<Timestamp>,
    /// Corrections of this digest, oldest first.
    pub corrections: Vec<Correction>,
    /// Corrections made to other digests since the one before.
    pub earlier_corrections: Vec<Correction>,
    /// 1 for the first edition of a week.
    pub edition: u32,
    /// The hash of the edition that this one replaces.
    pub supersedes: Option<String>,
    /// The hash over the edits laid over the draft.
    pub edit_hash: Option<String>,
    /// The list that the mail goes to, as `name.example.org`, for `List-Id`; left out if not given.
    pub list_id: Option<String>,
    /// Addresses for `List-Unsubscribe`, from the list's settings; left out if there is none.
    pub unsubscribe: Vec<String>,
    /// Who sends the mail, `Name <address>`; the contact where it is not given.
    pub from: Option<String>,
    /// For a mail that only tries how it looks: something that no other mail has.
    pub test: Option<String>,
    /// Whether links in the mail say that they were followed there.
    pub utm: bool,
    /// How drafts of posts are written.
    pub social: SocialConfig,
    /// The hosts in ids that were made already, of the feed and of weeks: an id is made once, wherever the pages move.
    pub feed_host: Option<String>,
    pub week_hosts: BTreeMap<Week, String>,
}

impl Context {
    /// A context for a draft: nothing published, nothing corrected.
    pub fn new(program: &ProgramConfig, public_url: &str) -> Self {
        Self {
            program: program.name.clone(),
            tagline: program.tagline.clone(),
            contact: program.contact.clone(),
            postal: program.postal.clone(),
            public_url: public_url.trim_end_matches('/').to_owned(),
            state: DigestState::Draft,
            published_at: None,
            corrections: Vec::new(),
            earlier_corrections: Vec::new(),
            edition: 1,
            supersedes: None,
            edit_hash: None,
            list_id: None,
            unsubscribe: Vec::new(),
            from: None,
            test: None,
            utm: false,
            social: SocialConfig::default(),
            feed_host: None,
            week_hosts: BTreeMap::new(),
        }
    }

    /// The same, for a digest that goes out at that time.
    #[must_use]
    pub fn published(mut self, at: Timestamp) -> Self {
        self.state = DigestState::Published;
        self.published_at = Some(at);
        self
    }

    /// The host in the id of a week's entry in the feed.
    pub fn id_host(&self, week: Week) -> String {
        self.week_hosts.get(&week).cloned().unwrap_or_else(|| self.host())
    }

    /// The host of the public address, without port.
    fn host(&self) -> String {
        url::Url::parse(&self.public_url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "localhost".to_owned())
    }
}

/// Writes a digest in one format.
pub fn render(digest: &Digest, ctx: &Context, format: Format) -> Result<Vec<u8>, RenderError> {
    match format {
        Format::Html => html::page(digest, ctx).map(String::into_bytes),
        Format::Eml => mail::message(digest, ctx),
        Format::Md => Ok(markdown::document(digest, ctx).into_bytes()),
        Format::Txt => Ok(text::document(digest, ctx).into_bytes()),
        Format::Json => json::document(digest, ctx).map(String::into_bytes),
        Format::Atom => {
            let entry = FeedEntry { digest: digest.clone(), published_at: ctx.published_at, corrections: ctx.corrections.clone() };
            atom::feed(&[entry], ctx).map(String::into_bytes)
        }
        Format::Slack => chat::document(&slack::messages(digest, ctx)),
        Format::Discord => chat::document(&discord::messages(digest, ctx)),
        Format::Teams => chat::document(&teams::messages(digest, ctx)),
        Format::Social => social::document(digest, ctx).map(String::into_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_go_by_their_endings() {
        for format in Format::ALL {
            assert_eq!(format.extension().parse::<Format>(), Ok(format));
            assert_eq!(format.name().parse::<Format>(), Ok(format));
        }
        assert_eq!(" HTML ".parse::<Format>(), Ok(Format::Html));
        assert!("pdf".parse::<Format>().is_err());
    }

    #[test]
    fn the_same_digest_gives_the_same_bytes() {
        let (digest, ctx) = (sample::rich(), sample::context());
        for format in Format::ALL {
            assert_eq!(render(&digest, &ctx, format).unwrap(), render(&digest.clone(), &ctx.clone(), format).unwrap(), "{format}");
        }
    }

    #[test]
    fn a_week_with_nothing_to_say_says_so_everywhere() {
        let (digest, ctx) = (sample::empty(), sample::context());
        for format in Format::ALL {
            let bytes = render(&digest, &ctx, format).unwrap();
            let written = String::from_utf8(bytes).unwrap().replace("=\r\n", "").replace('\n', " ");
            assert!(written.contains("Nothing to report this week"), "{format}: {written}");
        }
        let entries = [FeedEntry { digest, published_at: ctx.published_at, corrections: Vec::new() }];
        assert!(feed(&entries, &ctx).unwrap().contains("Nothing to report this week"));
    }

    #[test]
    fn readers_never_see_why_somebody_was_chosen() {
        let (digest, ctx) = (sample::rich(), sample::context());
        for format in Format::ALL {
            let written = String::from_utf8(render(&digest, &ctx, format).unwrap()).unwrap();
            for secret in ["SECRET-REASON", "SECRET-REGION", "SECRET-OUTCOME", "\"gain\"", "\"balance\""] {
                assert!(!written.contains(secret), "{format} tells {secret}");
            }
        }
    }

    /// `CLARION_SAMPLE_DIR=DIR cargo nextest run -- writes_samples --run-ignored all`, to look at them.
    #[test]
    #[ignore = "writes files for looking at"]
    fn writes_samples() {
        let dir = std::path::PathBuf::from(std::env::var("CLARION_SAMPLE_DIR").expect("a place for the samples"));
        std::fs::create_dir_all(&dir).unwrap();
        for (name, digest) in [("rich", sample::rich()), ("empty", sample::empty())] {
            for format in Format::ALL {
                std::fs::write(dir.join(format!("{name}.{format}")), render(&digest, &sample::context(), format).unwrap()).unwrap();
            }
            std::fs::write(dir.join(format!("{name}.mail.html")), mail::tests::html_of(&digest, &sample::context())).unwrap();
        }
    }
}

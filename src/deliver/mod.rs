//! Rendered bytes out to where they are wanted: mail, webhooks, chats, files.
//!
//! In: one [`Channel`] and one [`Parcel`]. Out: an [`End`]. A sending has two steps: [`Channel::open`] does all that can
//! go wrong without the other side having anything, and [`Ready::complete`] hands it over; between the two the caller
//! notes that from here on it may have arrived. Knows nothing of digests, of retries or of the store.

mod files;
mod mail;
mod webhook;

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::config::{ChannelKind, DeliveryConfig};
use crate::net;

pub use files::FilesError;
pub use webhook::sign;

/// What is sent at once: one message to one address, or the files of a week.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// By which the receiving side knows it again.
    pub mark: String,
    /// The recipient of a mail; empty elsewhere.
    pub to: String,
    pub body: Vec<u8>,
    /// The same in another form, for a place that refuses the first.
    pub fallback: Option<Vec<u8>>,
    /// File names and their bytes, for a folder.
    pub files: Vec<(String, Vec<u8>)>,
    /// The instant of the attempt, in seconds since 1970: what a signature covers.
    pub at_s: i64,
}

/// What came of a sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The other side took it, and said this.
    Accepted(String),
    /// Nothing arrived; it is worth another try, not before that long where it was said.
    Later { reason: String, after: Option<Duration> },
    /// It will not be taken, however often it is tried.
    Refused(String),
    /// It may have arrived.
    Unknown(String),
}

impl End {
    fn later(reason: impl Into<String>) -> Self {
        Self::Later { reason: reason.into(), after: None }
    }
}

/// A place that can be sent to.
pub struct Channel<'a> {
    config: &'a DeliveryConfig,
    client: &'a net::Client,
}

/// A sending that can be completed.
pub struct Ready<'a>(Way<'a>);

enum Way<'a> {
    Mail(Box<mail::Open>, &'a Parcel),
    Web(webhook::Request<'a>, &'a Parcel),
    Files(&'a Path, &'a Parcel),
}

impl<'a> Channel<'a> {
    /// The place that these settings describe.
    pub fn new(config: &'a DeliveryConfig, client: &'a net::Client) -> Self {
        Self { config, client }
    }

    /// Does all that can go wrong before anything can have arrived.
    pub async fn open<'b>(&self, parcel: &'b Parcel) -> Result<Ready<'b>, End>
    where
        'a: 'b,
    {
        let way = match self.config.kind {
            ChannelKind::Smtp => Way::Mail(Box::new(mail::open(self.config, parcel).await?), parcel),
            ChannelKind::Files => {
                let folder = self.config.folder.as_deref().ok_or_else(|| End::later("`folder` is not set"))?;
                Way::Files(folder, parcel)
            }
            ChannelKind::Webhook | ChannelKind::Slack | ChannelKind::Discord | ChannelKind::Teams => {
                Way::Web(webhook::prepare(self.config, self.client)?, parcel)
            }
        };
        Ok(Ready(way))
    }
}

impl Ready<'_> {
    /// Hands it over.
    pub async fn complete(self) -> End {
        match self.0 {
            Way::Mail(open, parcel) => mail::complete(*open, parcel).await,
            Way::Web(request, parcel) => webhook::complete(request, parcel).await,
            Way::Files(folder, parcel) => files::write(folder, &parcel.files),
        }
    }
}

/// Whether a message that may have arrived can be sent again without harm: the receiving side knows it by its mark, or
/// writes over the same file.
pub fn is_known_again(kind: ChannelKind) -> bool {
    match kind {
        ChannelKind::Smtp | ChannelKind::Webhook | ChannelKind::Files => true,
        ChannelKind::Slack | ChannelKind::Discord | ChannelKind::Teams => false,
    }
}

/// The most that a file with a secret may hold.
const MAX_SECRET: u64 = 16 << 10;

/// One line of a file that nobody else can read.
fn read_secret(path: &Path) -> Result<SecretString, End> {
    let fault = |reason: &str| End::later(format!("{} cannot be used: {reason}", path.display()));
    let meta = std::fs::metadata(path).map_err(|error| fault(&error.to_string()))?;
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o077 != 0 {
        return Err(fault("others can read it: run `chmod 600` on it"));
    }
    if meta.len() > MAX_SECRET {
        return Err(fault("it is too large to hold one secret"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fault(&error.to_string()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() || secret.contains(['\r', '\n', '\0']) {
        return Err(fault("it must hold one line"));
    }
    Ok(secret.to_owned().into())
}

/// What is wrong with a channel's own files, if anything: secrets that cannot be read, a folder that cannot be written.
pub fn fault_of(config: &DeliveryConfig) -> Option<String> {
    let secrets: [&Option<PathBuf>; 3] = [&config.password_file, &config.url_file, &config.secret_file];
    for path in secrets.into_iter().flatten() {
        match read_secret(path) {
            Ok(secret) if secret.expose_secret().trim().is_empty() => return Some(format!("{} is empty", path.display())),
            Ok(_) => {}
            Err(End::Later { reason, .. }) => return Some(reason),
            Err(_) => return Some(format!("{} cannot be used", path.display())),
        }
    }
    None
}

/// What the other side said, fit to be kept: one line, at most 300 characters.
fn said(text: &str) -> String {
    crate::text::cut(&crate::text::collapse(&text.chars().filter(|c| !c.is_control() || c.is_whitespace()).collect::<String>()), 300)
        .into_owned()
}

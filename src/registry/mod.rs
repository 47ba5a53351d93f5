//! The roster: who the members are and where they publish, read from a file and laid beside what is known.
//!
//! In: the bytes of a roster in CSV, TOML or OPML, and the builders and sources that are on record. Out: a plan in which
//! every line of the file is added, changed, unchanged or refused with its number and a reason; and a roster as text.
//! Pure: writing the plan down is left to `store`, turning a pasted address into a source to the caller's `resolve`.
//!
//! Two rules hold for every format. A field that is left out, or an empty cell, says nothing: it never erases what is
//! known. And a refused line has no effect at all.

mod csv;
mod field;
mod opml;
mod plan;
mod toml;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::Serialize;

use crate::model::{Slug, SourceKind};

pub use csv::{export as export_csv, guard_formula, unguard_formula};
pub use opml::export as export_opml;
pub use plan::{AbsentSource, ImportCounts, ImportPlan, LineOutcome, PlannedBuilder, PlannedLine, PlannedSource, Resolve, plan};
pub use toml::export as export_toml;

/// A roster to begin with: every column, a few invented members.
pub const SAMPLE: &str = include_str!("sample.csv");

/// The forms in which a roster is read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RosterFormat {
    Csv,
    Toml,
    Opml,
}

impl RosterFormat {
    /// Told from the file's name, else from its first bytes; CSV where neither says.
    pub fn of(path: &Path, text: &[u8]) -> Self {
        match path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("csv" | "tsv") => return Self::Csv,
            Some("toml") => return Self::Toml,
            Some("opml" | "xml") => return Self::Opml,
            _ => {}
        }
        let head = String::from_utf8_lossy(&text[..text.len().min(4096)]);
        let head = head.trim_start_matches('\u{feff}').trim_start();
        if head.starts_with('<') {
            Self::Opml
        } else if head.lines().map(str::trim).any(|line| line.starts_with("[[builder")) {
            Self::Toml
        } else {
            Self::Csv
        }
    }

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Toml => "toml",
            Self::Opml => "opml",
        }
    }
}

impl fmt::Display for RosterFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RosterFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_lowercase().as_str() {
            "csv" => Ok(Self::Csv),
            "toml" => Ok(Self::Toml),
            "opml" => Ok(Self::Opml),
            other => Err(format!("`{other}` is no roster format; known are csv, toml, opml")),
        }
    }
}

/// Why a file as a whole is no roster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct RosterError {
    pub line: usize,
    pub message: String,
}

/// What a line says of its builder: a field's name to its value in normal form, `None` where the line empties it.
/// A field that is not in the map was not spoken of.
pub type Fields = BTreeMap<&'static str, Option<String>>;

/// A place to publish, as the roster gives it; not resolved yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterSource {
    /// `None`: to be told from the address.
    pub kind: Option<SourceKind>,
    /// The address, handle or id as it was pasted.
    pub url: String,
    pub author: AuthorFilter,
    /// Filters that the line speaks of: a filter's name to its list, `None` where the line empties it.
    pub filters: Fields,
}

/// What a line says of whose entries count for the builder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AuthorFilter {
    /// Nothing: what is on record holds.
    #[default]
    Unsaid,
    /// All entries count.
    Everybody,
    /// Only entries by this author.
    Only(String),
}

/// A line that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterLine {
    /// From 1.
    pub line: usize,
    pub builder: Slug,
    pub fields: Fields,
    pub source: Option<RosterSource>,
}

/// A line that could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    pub line: usize,
    /// The builder that the line is about, where so much could be read.
    pub builder: Option<Slug>,
    pub reason: String,
}

/// A roster as read: every line is in one of the two lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roster {
    pub lines: Vec<RosterLine>,
    pub refused: Vec<Refusal>,
}

/// A value that is taken as it stands, but means nothing under the present configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Doubt {
    pub line: usize,
    pub builder: Slug,
    /// Lower case, no full stop.
    pub text: String,
}

/// The regions and categories that the roster names and the configuration does not, each at the first line of its builder.
pub fn doubts(roster: &Roster, regions: &[&str], categories: &[&str]) -> Vec<Doubt> {
    let mut doubts: Vec<Doubt> = Vec::new();
    for line in &roster.lines {
        for (field, setting, known) in [("region", "digest.regions", regions), ("category", "digest.categories", categories)] {
            let said = line.fields.get(field).and_then(Option::as_deref).unwrap_or_default();
            for key in said.split(';').filter(|key| !key.is_empty() && !known.contains(key)) {
                let near = known.iter().find(|known| plain(known) == plain(key));
                let hint = match near {
                    Some(near) => format!("it is written `{near}`"),
                    None => format!("known are {}", known.join(", ")),
                };
                let text = format!("{field} `{}` is not among `{setting}`, so it counts for nothing: {hint}", brief(key));
                if !doubts.iter().any(|doubt| doubt.builder == line.builder && doubt.text == text) {
                    doubts.push(Doubt { line: line.line, builder: line.builder.clone(), text });
                }
            }
        }
    }
    doubts
}

/// A key without what people write otherwise.
fn plain(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Reads a roster. Errs only where the file as a whole cannot be used: a column is missing or unknown, the text is no TOML.
pub fn read(text: &[u8], format: RosterFormat) -> Result<Roster, RosterError> {
    let text = decode(text)?;
    match format {
        RosterFormat::Csv => csv::read(&text),
        RosterFormat::Toml => toml::read(&text),
        RosterFormat::Opml => opml::read(&text),
    }
}

/// UTF-8, or UTF-16 where its byte order mark says so (spreadsheets save that as "Unicode text").
fn decode(bytes: &[u8]) -> Result<String, RosterError> {
    let (encoding, bom) = encoding_rs::Encoding::for_bom(bytes).unwrap_or((encoding_rs::UTF_8, 0));
    if let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(&bytes[bom..]) {
        return Ok(text.into_owned());
    }
    let good = encoding_rs::Encoding::utf8_valid_up_to(bytes);
    let line = bytes[..good].split(|byte| *byte == b'\n').count();
    Err(RosterError { line, message: "is not UTF-8 text: save the roster as UTF-8 and try again".into() })
}

/// Turns byte offsets into line numbers.
struct LineIndex(Vec<usize>);

impl LineIndex {
    fn of(text: &str) -> Self {
        // A carriage return alone ended lines once, and still does in some spreadsheets.
        let bytes = text.as_bytes();
        let is_end = |at: usize| bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
        Self((0..bytes.len()).filter(|at| is_end(*at)).collect())
    }

    /// The line, from 1, that a byte is on.
    fn line_at(&self, offset: usize) -> usize {
        1 + self.0.partition_point(|end| *end < offset)
    }
}

/// A pasted place that no reader can mean well: another scheme than http and https, control characters, a command.
/// Shortcuts such as `github:name` and a host with a port pass, for `resolve` to judge.
fn check_pasted(text: &str) -> Result<(), String> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) || text.starts_with(['|', '`', '$', '<', '"', '\'']) {
        return Err(format!("`{}` is not an address", brief(text)));
    }
    let Some((scheme, rest)) = text.split_once(':') else { return Ok(()) };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if !is_scheme || scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") {
        return Ok(());
    }
    let port = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let has_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let is_shortcut = !rest.starts_with('/') && (scheme.parse::<SourceKind>().is_ok() || scheme.eq_ignore_ascii_case("did"));
    if !rest.starts_with("//") && (has_port || is_shortcut) {
        return Ok(());
    }
    Err(format!("only http and https addresses are taken, not `{}:`", brief(&scheme.to_ascii_lowercase())))
}

/// The beginning of a text for a message.
fn brief(text: &str) -> String {
    const MOST: usize = 80;
    let mut short: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_schemes_and_commands_are_refused_before_anything_looks_at_them() {
        for bad in [
            "|id",
            "exec:id",
            "filter:x:https://a.example",
            "file:///etc/passwd",
            "gopher://127.0.0.1:25/",
            "ftp://a.example",
            "data:text/xml,x",
            "unix:/run/x.sock",
            "javascript:alert(1)",
            "github://x",
            "a b",
        ] {
            assert!(check_pasted(bad).is_err(), "{bad}");
        }
        for good in [
            "HTTP://a.example",
            "https://b.example",
            "github:ada",
            "youtube:@ada",
            "@ada@social.example",
            "dev.to/ada",
            "localhost:8080/x",
            "blog.example:8443",
            "UCabc",
        ] {
            assert!(check_pasted(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn the_format_is_told_from_the_name_or_the_beginning() {
        for (path, text, format) in [
            ("a.CSV", "", RosterFormat::Csv),
            ("a.opml", "", RosterFormat::Opml),
            ("a.txt", "\u{feff}<?xml version='1.0'?>", RosterFormat::Opml),
            ("roster", "# ours\n[[builder]]\n", RosterFormat::Toml),
            ("roster", "builder,name,kind,url\n", RosterFormat::Csv),
        ] {
            assert_eq!(RosterFormat::of(Path::new(path), text.as_bytes()), format, "{path} {text}");
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_are_named_with_their_line() {
        let error = read(b"builder,name,kind,url\nada,Ada \xe9,,\n", RosterFormat::Csv).unwrap_err();
        assert_eq!(error.line, 2);
        let wide: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("builder\tname\tkind\turl\nada\tAda\t\t\n".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(read(&wide, RosterFormat::Csv).unwrap().lines.len(), 1);
    }

    #[test]
    fn keys_that_the_configuration_does_not_know_are_named_with_their_line() {
        let text = "builder,name,kind,url,region,category\n\
            ada,Ada,,https://a.example/,Western Africa,containers;cooking\n\
            ada,,,https://a.example/2,Western Africa,containers;cooking\n\
            bob,Bob,,,western_africa,\n";
        let roster = read(text.as_bytes(), RosterFormat::Csv).unwrap();
        let doubts = doubts(&roster, &["western_africa"], &["containers"]);
        let said: Vec<_> = doubts.iter().map(|doubt| (doubt.line, doubt.text.as_str())).collect();
        assert_eq!(
            said,
            [
                (2, "region `Western Africa` is not among `digest.regions`, so it counts for nothing: it is written `western_africa`"),
                (2, "category `cooking` is not among `digest.categories`, so it counts for nothing: known are containers"),
            ]
        );
    }

    #[test]
    fn the_sample_can_be_imported_whole() {
        let roster = read(SAMPLE.as_bytes(), RosterFormat::Csv).unwrap();
        assert_eq!(roster.refused, []);
        assert!(roster.lines.len() >= 3);
    }
}

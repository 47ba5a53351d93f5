//! The facts that the substance checklist asks for. What the data cannot tell stays unknown, never "no".

use std::collections::BTreeSet;

use url::Url;

use super::{Seen, first};
use crate::model::{ActivityKind, Content, Substance};
use crate::text::collapse;

/// Hosts of code that people show.
const CODE_HOSTS: &[&str] = &[
    "github.com",
    "gist.github.com",
    "gitlab.com",
    "codeberg.org",
    "bitbucket.org",
    "sr.ht",
    "codepen.io",
    "codesandbox.io",
    "stackblitz.com",
    "replit.com",
    "serverlessland.com",
    "huggingface.co",
    "colab.research.google.com",
    "kaggle.com",
];
/// Hosts whose every page is a standard, a paper or a manual.
const PRIMARY_HOSTS: &[&str] = &[
    "docs.aws.amazon.com",
    "datatracker.ietf.org",
    "rfc-editor.org",
    "www.rfc-editor.org",
    "tools.ietf.org",
    "arxiv.org",
    "doi.org",
    "dx.doi.org",
    "w3.org",
    "www.w3.org",
    "dl.acm.org",
    "ieeexplore.ieee.org",
    "usenix.org",
    "www.usenix.org",
    "nvlpubs.nist.gov",
    "csrc.nist.gov",
    "iso.org",
    "www.iso.org",
    "html.spec.whatwg.org",
    "spec.whatwg.org",
    "developer.mozilla.org",
    "docs.rs",
    "pkg.go.dev",
    "registry.terraform.io",
    "developer.hashicorp.com",
    "learn.microsoft.com",
    "opentelemetry.io",
    "openapis.org",
    "cheatsheetseries.owasp.org",
    "cve.org",
    "www.cve.org",
    "nvd.nist.gov",
    "eur-lex.europa.eu",
];

/// The substance of an activity.
pub(super) fn substance(
    seen: &[&Seen<'_>],
    kind: ActivityKind,
    links: &[String],
    own_summary: Option<&str>,
    own_address: bool,
) -> Substance {
    let content = first(seen, |entry| entry.content.as_ref().filter(|content| is_whole(content, own_summary)));
    let made_of_code = matches!(kind, ActivityKind::Release | ActivityKind::Repository | ActivityKind::Contribution | ActivityKind::Code);
    let code = seen.iter().filter_map(|seen| seen.entry.content.as_ref()).any(|content| content.code_blocks > 0);
    let told = |found: bool| if found { Some(true) } else { content.map(|_| false) };
    let media = first(seen, |entry| {
        entry.duration_s.or_else(|| entry.media.iter().find_map(|media| media.duration_s)).filter(|duration| *duration > 0)
    });
    Substance {
        words: content.map(|content| content.words),
        cjk_chars: content.map(|content| content.cjk_chars),
        duration_s: media,
        shows_work: told(made_of_code || code || links.iter().any(|link| is_code(link))),
        summary_chars: own_summary.map_or(0, |summary| u32::try_from(collapse(summary).chars().count()).unwrap_or(u32::MAX)),
        canonical: Some(own_address).filter(|_| !seen.is_empty()),
        cites_source: told(links.iter().any(|link| is_primary(link))),
    }
}

/// All addresses that the sightings link to, those that say most of the piece first: manuals and papers, code, the rest.
pub(super) fn links(seen: &[&Seen<'_>]) -> Vec<String> {
    let mut told = BTreeSet::new();
    let mut links: Vec<String> = Vec::new();
    for entry in seen.iter().map(|seen| seen.entry) {
        let of_body = entry.content.iter().flat_map(|content| content.links.iter().cloned());
        let of_summary = entry.summary.iter().flat_map(|summary| addresses_in(summary));
        let of_text = entry.content.iter().filter(|content| content.links.is_empty()).flat_map(|content| addresses_in(&content.text));
        for link in of_body.chain(of_summary).chain(of_text) {
            if links.len() < 200 && told.insert(link.clone()) {
                links.push(link);
            }
        }
    }
    links.sort_by_key(|link| match () {
        () if is_primary(link) => 0,
        () if is_code(link) => 1,
        () => 2,
    });
    links
}

/// Whether a body is more than the summary said again.
fn is_whole(content: &Content, own_summary: Option<&str>) -> bool {
    let text = content.text.trim();
    !text.is_empty() && own_summary.is_none_or(|summary| collapse(summary) != collapse(text))
}

fn is_code(link: &str) -> bool {
    let Ok(url) = Url::parse(link) else { return false };
    let host = url.host_str().unwrap_or_default().trim_start_matches("www.");
    // A profile is no code: there must be something below it.
    CODE_HOSTS.contains(&host) && url.path_segments().is_some_and(|segments| segments.filter(|segment| !segment.is_empty()).count() >= 2)
}

fn is_primary(link: &str) -> bool {
    let Ok(url) = Url::parse(link) else { return false };
    let host = url.host_str().unwrap_or_default();
    let path = url.path();
    PRIMARY_HOSTS.contains(&host)
        || host.starts_with("docs.")
        || host.starts_with("doc.")
        || host.ends_with(".readthedocs.io")
        || ["/docs/", "/documentation/", "/reference/"].iter().any(|part| path.starts_with(part))
        || (host == "aws.amazon.com" && (path.contains("/whitepapers/") || path.contains("/architecture/")))
}

/// The http(s) addresses that stand in a plain text.
fn addresses_in(text: &str) -> Vec<String> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '(' | ')' | '[' | ']'))
        .filter(|word| word.starts_with("http://") || word.starts_with("https://"))
        .map(|word| word.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'']))
        .filter(|word| Url::parse(word).is_ok_and(|url| url.has_host()))
        .map(str::to_owned)
        .collect()
}

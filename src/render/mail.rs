//! The mail: one column of HTML that survives mail programs, and the same in plain text.
//!
//! Sealed without recipient: boundary and Message-ID follow from the content (RECORD.md section 11), so that sending
//! again is seen to be the same mail. Signing is left to whoever sends.

use std::time::{Duration, SystemTime};

use askama::Template;
use lettre::address::{Address, Envelope};
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Message, MultiPart, SinglePart};
use sha2::{Digest as _, Sha256};

use super::chat::Used;
use super::prose::{clean, cut};
use super::shown::Shown;
use super::{Context, RenderError, text};
use crate::model::{Digest, hex};

/// The most bytes of the HTML part as sent: Gmail cuts off near 102 KB (DIGEST.md section 7).
pub const MAIL_MOST: usize = 95_000;
/// From so many bytes on an editor is told.
pub const MAIL_LARGE: usize = 60_000;
const FONT: &str = "-apple-system,BlinkMacSystemFont,Segoe UI,Roboto,Helvetica,Arial,Noto Sans,sans-serif";

#[derive(Template)]
#[template(path = "digest/mail.html", whitespace = "minimize")]
struct Mail<'a> {
    shown: &'a Shown,
    subject: &'a str,
    font: &'static str,
    unsubscribe: Option<&'a String>,
}

/// The digest as a message in RFC 5322 form, lines ended by CR LF.
pub(crate) fn message(digest: &Digest, ctx: &Context) -> Result<Vec<u8>, RenderError> {
    let mut whole = Shown::of(digest, ctx);
    if ctx.utm {
        whole.tag_links("email", "email");
    }
    let test = if ctx.test.is_some() { "Test: " } else { "" };
    let subject = cut(&format!("{test}{}: {}", whole.program, whole.heading), 200);
    let mut works = whole.works().count();
    let mut shown = whole.clone();
    let (html, html_part) = loop {
        let html = html(&shown, &subject, ctx)?;
        let encoded = part(ContentType::TEXT_HTML, html.clone())?;
        let bytes = encoded.raw_body().len();
        if bytes <= MAIL_MOST {
            break (html, encoded);
        }
        // What does not fit is counted and linked.
        if works <= 1 {
            return Err(RenderError::MailTooLong { bytes, limit: MAIL_MOST });
        }
        works = (works * MAIL_MOST / bytes).clamp(1, works - 1);
        shown = whole.clone().first(works);
    };
    let plain = text::write(&shown);
    let seal = seal(&[&subject, &plain, &html, ctx.test.as_deref().unwrap_or_default()]);
    let host = ctx.host();
    let plain_part = part(ContentType::TEXT_PLAIN, plain)?;
    let from = sender(&shown, ctx, &host)?;
    // Nobody receives this: whoever sends sets the envelope. The builder wants one all the same.
    let envelope =
        Envelope::new(Some(from.email.clone()), vec![from.email.clone()]).map_err(|error| RenderError::Mail(error.to_string()))?;
    let second = u64::try_from(shown.dated_at.as_second()).unwrap_or(0);
    let mut builder = Message::builder()
        .from(from)
        .subject(subject)
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(second))
        .message_id(Some(format!("<{}.{}@{}>", shown.week, &seal[..32], mail_host(&host))))
        .envelope(envelope);
    for (name, value) in list_headers(&shown, ctx) {
        builder = builder.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value));
    }
    let body = MultiPart::alternative().boundary(format!("clarion-{}", &seal[32..56])).singlepart(plain_part).singlepart(html_part);
    Ok(builder.multipart(body).map_err(|error| RenderError::Mail(error.to_string()))?.formatted())
}

/// The HTML part alone.
fn html(shown: &Shown, subject: &str, ctx: &Context) -> Result<String, RenderError> {
    let unsubscribe = ctx.unsubscribe.iter().find(|address| address.starts_with("https://"));
    Ok(Mail { shown, subject, font: FONT, unsubscribe }.render()?)
}

/// The HTML part as mail programs show it, in the colors of one scheme: for looking at before it is sent.
pub fn mail_html(digest: &Digest, ctx: &Context, dark: bool) -> Result<String, RenderError> {
    let shown = Shown::of(digest, ctx);
    let html = html(&shown, &format!("{}: {}", shown.program, shown.heading), ctx)?;
    Ok(html.replace("(prefers-color-scheme:dark)", if dark { "all" } else { "not all" }))
}

/// How many bytes the HTML part has on its way with every work in it, whether or not that is more than is sent.
pub fn mail_bytes(digest: &Digest, ctx: &Context) -> Result<usize, RenderError> {
    let mut shown = Shown::of(digest, ctx);
    if ctx.utm {
        shown.tag_links("email", "email");
    }
    let html = html(&shown, &format!("{}: {}", shown.program, shown.heading), ctx)?;
    Ok(part(ContentType::TEXT_HTML, html)?.raw_body().len())
}

/// How much of what mail programs show whole that HTML part uses.
pub fn mail_use(html: &str) -> Result<Used, RenderError> {
    let encoded = part(ContentType::TEXT_HTML, html.to_owned())?;
    Ok(Used { what: "bytes on their way", used: encoded.raw_body().len(), most: MAIL_MOST })
}

/// `List-Id` (RFC 2919), `List-Unsubscribe` (RFC 2369) and its one-click mark (RFC 8058), where the list has them.
fn list_headers(shown: &Shown, ctx: &Context) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    let plain_token =
        |text: &str| (1..=500).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b','));
    if let Some(list_id) = ctx.list_id.as_deref().filter(|id| plain_token(id)) {
        headers.push(("List-Id", format!("{} <{list_id}>", cut(&shown.program, 100).replace(['<', '>'], ""))));
    }
    let addresses: Vec<String> = ctx
        .unsubscribe
        .iter()
        .filter(|address| plain_token(address) && (address.starts_with("https://") || address.starts_with("mailto:")))
        .map(|address| format!("<{address}>"))
        .collect();
    if !addresses.is_empty() {
        if addresses.iter().any(|address| address.starts_with("<https://")) {
            headers.push(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
        }
        headers.push(("List-Unsubscribe", addresses.join(", ")));
    }
    headers
}

/// The program's name with its contact address, or one of the pages' host where the contact is no address.
fn sender(shown: &Shown, ctx: &Context, host: &str) -> Result<Mailbox, RenderError> {
    if let Some(from) = ctx.from.as_deref().and_then(|from| from.parse::<Mailbox>().ok()) {
        return Ok(Mailbox::new(Some(from.name.as_deref().map_or_else(|| clean(&shown.program), clean)), from.email));
    }
    let given = shown.contact_mail.as_deref().and_then(|mail| mail.parse::<Address>().ok());
    let address = match given {
        Some(address) => address,
        None => Address::new("digest", mail_host(host)).map_err(|error| RenderError::Mail(error.to_string()))?,
    };
    Ok(Mailbox::new(Some(clean(&shown.program)), address))
}

/// A host as the right side of an address. Literal addresses (RFC 5321, section 4.1.3) are taken by few programs.
fn mail_host(host: &str) -> String {
    let literal = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    if literal { "localhost".to_owned() } else { host.to_owned() }
}

fn part(kind: ContentType, text: String) -> Result<SinglePart, RenderError> {
    let body = Body::new_with_encoding(text, ContentTransferEncoding::QuotedPrintable)
        .map_err(|_| RenderError::Mail("a part could not be encoded".to_owned()))?;
    Ok(SinglePart::builder().content_type(kind).body(body))
}

/// SHA-256 over the parts, hex.
fn seal(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::render::html::tests::shape;
    use crate::render::sample;

    fn mail(digest: &Digest, ctx: &Context) -> String {
        String::from_utf8(message(digest, ctx).unwrap()).unwrap()
    }

    pub(crate) fn html_of(digest: &Digest, ctx: &Context) -> String {
        html(&Shown::of(digest, ctx), "Subject", ctx).unwrap()
    }

    /// Header names with their logical values, folds taken out.
    fn headers(mail: &str) -> Vec<(String, String)> {
        let (head, _) = mail.split_once("\r\n\r\n").unwrap();
        head.replace("\r\n ", " ")
            .replace("\r\n\t", " ")
            .split("\r\n")
            .map(|line| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
            .collect()
    }

    #[test]
    fn no_field_adds_a_header_or_breaks_a_line() {
        let names = |mail: &str| headers(mail).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let plain = names(&mail(&sample::full("plain"), &sample::hostile_context("plain")));
        assert!(plain.contains(&"List-Id".to_owned()), "{plain:?}");
        for hostile in sample::HOSTILE.iter().copied().chain([
            "Oil\r\nBcc: victim@example.org",
            "a\nb",
            "a\rb",
            "a\0b",
            "a\u{85}b\u{2028}c",
            "=?utf-8?q?Bcc:_x?=",
            &"long ".repeat(600),
            &"x".repeat(3_000),
            "Hello\r\n.\r\nMAIL FROM:<x@example.org>\r\n",
            ".\n..\n. a",
        ]) {
            let written = mail(&sample::full(hostile), &sample::hostile_context(hostile));
            assert_eq!(names(&written), plain, "{hostile:?}");
            for line in written.split("\r\n") {
                assert!(line.len() <= 998, "a line of {} octets", line.len());
                assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
            }
            assert!(written.is_ascii());
            assert!(!names(&written).iter().any(|name| matches!(name.as_str(), "Bcc" | "To" | "Cc")));
        }
    }

    #[test]
    fn a_hostile_field_adds_no_element_and_loads_nothing() {
        let (plain, _) = shape(&html_of(&sample::full("plain"), &sample::context()));
        for hostile in sample::HOSTILE {
            let (parts, targets) = shape(&html_of(&sample::full(hostile), &sample::hostile_context(hostile)));
            let new: Vec<_> = parts.difference(&plain).collect();
            assert!(new.is_empty(), "{hostile}: {new:?}");
            assert!(targets.iter().all(|target| target.starts_with("https://") || target.starts_with("mailto:")), "{targets:?}");
        }
        for loading in ["img", "link", "script", "iframe", "form", "svg", "object"] {
            assert!(!plain.contains(loading), "{loading}");
        }
    }

    #[test]
    fn twelve_works_fit_in_40_kilobytes_as_sent() {
        let digest = sample::rich();
        let html = part(ContentType::TEXT_HTML, html_of(&digest, &sample::context())).unwrap();
        assert_eq!(digest.picks().count(), 12);
        assert!(html.raw_body().len() <= 40_960, "{} bytes", html.raw_body().len());
    }

    #[test]
    fn what_does_not_fit_is_counted_and_linked() {
        let mut digest = sample::rich();
        for _ in 0..4 {
            let copy = digest.sections.clone();
            digest.sections.extend(copy);
        }
        let ctx = sample::context();
        let mail = mail(&digest, &ctx).replace("=\r\n", "");
        assert!(mail.len() <= 3 * MAIL_MOST / 2, "{} bytes", mail.len());
        assert_eq!(mail.matches("more works are on the web.").count(), 2, "in both parts");
        for line in ["/how", "Mombasa", "mailto:"] {
            assert!(mail.contains(line), "{line}");
        }
    }

    #[test]
    fn list_headers_are_left_out_unless_given() {
        let names: Vec<_> = headers(&mail(&sample::small(), &sample::context())).into_iter().map(|(name, _)| name).collect();
        assert!(!names.iter().any(|name| name.starts_with("List-")), "{names:?}");
    }

    #[test]
    fn a_sender_is_found_on_any_host() {
        for (public_url, right) in
            [("http://127.0.0.1:8484", "localhost"), ("http://[::1]:1", "localhost"), ("https://d.example", "d.example")]
        {
            let ctx = Context { public_url: public_url.into(), contact: "the team".into(), ..sample::context() };
            let mail = mail(&sample::small(), &ctx);
            assert!(mail.contains(&format!("digest@{right}>")), "{mail}");
        }
    }

    #[test]
    fn a_rich_week() {
        insta::assert_snapshot!("mail_html", html_of(&sample::rich(), &sample::context()));
        let mail = mail(&sample::small(), &sample::context());
        insta::assert_snapshot!("mail_message", mail.replace("\r\n", "\n"));
    }
}

//! Reads the headers of an answer.
//!
//! What cannot be read is as good as absent: no header is a reason to fail. Deciding what follows is left to others.

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{HeaderMap, HeaderValue};
use url::Url;

use super::pace::LONGEST_PAUSE;
use crate::model::{Freshness, Validators};

/// A validator longer than this is not sent back.
const LONGEST_VALIDATOR: usize = 4096;

/// The first value of that header, trimmed; `None` when empty or not UTF-8.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = str::from_utf8(headers.get(name)?.as_bytes()).ok()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// `ETag` and `Last-Modified`, each for itself, byte for byte, as that address gave them.
pub(super) fn validators(headers: &HeaderMap, given_by: Option<&Url>) -> Validators {
    let short = |name| {
        let bytes = headers.get(name)?.as_bytes().trim_ascii();
        let is_of_use = !bytes.is_empty() && bytes.len() <= LONGEST_VALIDATOR;
        is_of_use.then(|| bytes.iter().copied().map(char::from).collect::<String>())
    };
    Validators { etag: short("etag"), last_modified: short("last-modified"), given_by: given_by.map(Url::to_string) }
}

/// A validator as it was received.
pub(super) fn validator(kept: &str) -> Option<HeaderValue> {
    let bytes: Vec<u8> = kept.chars().map(u8::try_from).collect::<Result<_, _>>().ok()?;
    HeaderValue::from_bytes(&bytes).ok()
}

/// `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3), a day at most. Zero, the past and the unreadable
/// are `None`, so that they never lead to asking sooner than otherwise.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let value = text(headers, "retry-after")?;
    let latest = now.saturating_add(LONGEST_PAUSE).ok()?;
    let until = if value.bytes().all(|byte| byte.is_ascii_digit()) {
        match value.parse::<i64>() {
            Ok(seconds) => now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(latest),
            Err(_) => latest,
        }
    } else {
        date(&value)?
    };
    (until > now).then(|| until.min(latest))
}

/// `Cache-Control: max-age`, or else `Expires`; and `X-Poll-Interval` of GitHub.
pub(super) fn freshness(headers: &HeaderMap, now: Timestamp) -> Freshness {
    let max_age =
        headers.get_all("cache-control").iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).find_map(
            |directive| {
                let (name, value) = directive.split_once('=')?;
                name.trim().eq_ignore_ascii_case("max-age").then(|| seconds(value.trim().trim_matches('"')))?
            },
        );
    let expires = || {
        let expires = date(&text(headers, "expires")?)?;
        // Measured on the server's own clock where it tells it.
        let sent = text(headers, "date").and_then(|value| date(&value)).unwrap_or(now);
        u64::try_from((expires - sent).get_seconds()).ok().filter(|seconds| *seconds > 0)
    };
    Freshness {
        max_age_s: max_age.or_else(expires),
        poll_interval_s: text(headers, "x-poll-interval").and_then(|value| seconds(&value)).filter(|seconds| *seconds > 0),
    }
}

/// The address of `Link: <…>; rel="next"` (RFC 8288), resolved.
pub(super) fn next_page(headers: &HeaderMap, base: &Url) -> Option<String> {
    let values = headers.get_all("link").iter().filter_map(|value| str::from_utf8(value.as_bytes()).ok());
    for value in values {
        let mut rest = value;
        while let Some((_, after)) = rest.split_once('<') {
            let Some((target, after)) = after.split_once('>') else { break };
            // The parameters end where the next link begins; a `<` inside a quoted one is rare and only costs a miss.
            let parameters = after.split('<').next().unwrap_or_default();
            let is_next = parameters.split(';').skip(1).any(|parameter| {
                let Some((name, value)) = parameter.split_once('=') else { return false };
                let value = value.trim().trim_end_matches(',').trim_end().trim_matches('"');
                name.trim().eq_ignore_ascii_case("rel") && value.split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
            });
            if is_next {
                return base.join(target.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https")).map(String::from);
            }
            rest = after;
        }
    }
    None
}

/// Whether a protection service wants to see a browser.
pub(super) fn is_challenge(headers: &HeaderMap) -> bool {
    // Cloudflare and Vercel, in that order.
    ["cf-mitigated", "x-vercel-mitigated"]
        .into_iter()
        .any(|name| text(headers, name).is_some_and(|value| value.eq_ignore_ascii_case("challenge")))
}

/// Whether the answer calls itself a web page.
pub(super) fn is_html(headers: &HeaderMap) -> bool {
    text(headers, "content-type").is_some_and(|value| {
        let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        kind == "text/html" || kind == "application/xhtml+xml"
    })
}

/// Whole seconds; more than fits counts as very many.
fn seconds(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// An HTTP date in any of its three forms (RFC 9110 section 5.6.7).
fn date(text: &str) -> Option<Timestamp> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true);
    if let Ok(instant) = parser.parse_timestamp(text) {
        return Some(instant);
    }
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"].into_iter().find_map(|form| {
        let civil = jiff::fmt::strtime::parse(form, text).ok()?.to_datetime().ok()?;
        // The last days of the year 9999, seen where "never" is meant, are beyond what an instant can hold.
        Some(civil.to_zoned(jiff::tz::TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn noon() -> Timestamp {
        "2026-03-09T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_never_means_at_once() {
        for (value, wait) in [
            ("1800", Some(1800)),
            ("Mon, 09 Mar 2026 12:30:00 GMT", Some(1800)),
            ("Monday, 09-Mar-26 12:30:00 GMT", Some(1800)),
            ("Mon Mar  9 12:30:00 2026", Some(1800)),
            ("86401", Some(86_400)),
            ("99999999999999999999999", Some(86_400)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(86_400)),
            ("0", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("Mon, 09 Mar 2026 11:59:59 GMT", None),
        ] {
            let until = retry_after(&headers(&[("retry-after", value)]), noon());
            assert_eq!(until.map(|until| (until - noon()).get_seconds()), wait, "{value}");
        }
    }

    #[test]
    fn freshness_comes_from_max_age_or_expires() {
        for (pairs, wanted) in [
            (&[("cache-control", "public, Max-Age=300")][..], Some(300)),
            (&[("cache-control", "max-age=\"60\", must-revalidate")], Some(60)),
            (&[("cache-control", "s-maxage=9"), ("expires", "Mon, 09 Mar 2026 13:00:00 GMT")], Some(3600)),
            (&[("expires", "Mon, 09 Mar 2026 13:00:00 GMT"), ("date", "Mon, 09 Mar 2026 12:59:00 GMT")], Some(60)),
            (&[("expires", "0")], None),
            (&[("cache-control", "max-age=99999999999999999999")], Some(u64::MAX)),
            (&[], None),
        ] {
            assert_eq!(freshness(&headers(pairs), noon()).max_age_s, wanted, "{pairs:?}");
        }
        assert_eq!(freshness(&headers(&[("x-poll-interval", "60")]), noon()).poll_interval_s, Some(60));
    }

    #[test]
    fn the_next_page_is_found_among_other_links() {
        let base = Url::parse("https://api.example/users/a/events?page=1").unwrap();
        for (value, wanted) in [
            (
                r#"<https://api.example/x?page=2>; rel="next", <https://api.example/x?page=9>; rel="last""#,
                Some("https://api.example/x?page=2"),
            ),
            (r#"<https://api.example/x?page=0>; rel="prev", </x?page=2>; title="a"; rel=next"#, Some("https://api.example/x?page=2")),
            ("<?page=2>; rel=\"first next\"", Some("https://api.example/users/a/events?page=2")),
            ("<javascript:x>; rel=next", None),
            ("<https://api.example/x; rel=next", None),
            ("", None),
        ] {
            assert_eq!(next_page(&headers(&[("link", value)]), &base).as_deref(), wanted, "{value}");
        }
    }

    #[test]
    fn validators_are_kept_byte_for_byte() {
        let validators = validators(&headers(&[("etag", r#"W/"a b,c""#), ("last-modified", "yesterday")]), None);
        assert_eq!((validators.etag.as_deref(), validators.last_modified.as_deref()), (Some(r#"W/"a b,c""#), Some("yesterday")));
        let mut odd = HeaderMap::new();
        odd.insert("etag", HeaderValue::from_bytes(b"\"caf\xe9 \xf0\x9f\"").unwrap());
        let kept = super::validators(&odd, None).etag.unwrap();
        assert_eq!(validator(&kept).unwrap().as_bytes(), b"\"caf\xe9 \xf0\x9f\"");
    }
}

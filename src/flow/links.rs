//! Whether what may be featured is still there: links looked at now and then, what they answered written as facts.
//!
//! A link counts as gone when it answered 404 or 410 twice, an hour apart. Refusals and time-outs say nothing: several
//! platforms refuse machines (RECORD.md section 7).

use jiff::SignedDuration;

use super::Context;
use crate::fetch::{FetchError, FetchOutcome};
use crate::model::{CanonicalUrl, Request};
use crate::net::NetError;
use crate::store::StoreError;

/// A link that answered is looked at again after this long.
const AGAIN: SignedDuration = SignedDuration::from_hours(24 * 3);
/// One that was gone is asked once more after this long.
const DOUBT: SignedDuration = SignedDuration::from_hours(1);
/// The most links looked at in one run.
const MOST: u32 = 500;
/// No more of a page is taken: that it is there is all that is asked. Pages that say that something is missing are
/// shorter than this.
const GLANCE: u64 = 2 << 20;

/// What a run of link checks found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct LinksReport {
    pub checked: u32,
    pub missing: u32,
}

/// Looks at the links of works that came out within the digest's window and were not looked at lately.
pub async fn check_links(ctx: &Context) -> Result<LinksReport, StoreError> {
    let now = ctx.clock.now();
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let since = now.saturating_sub(days(i64::from(ctx.config.digest.window_days) + 7)).unwrap_or(now);
    let ago = |span: SignedDuration| now.saturating_sub(span).unwrap_or(now);
    let urls = ctx.store.links_to_check(since, ago(AGAIN), ago(DOUBT), MOST).await?;
    let mut report = LinksReport::default();
    for url in urls {
        let Some(status) = ask(ctx, &url).await else { continue };
        ctx.store.record_link_check(&url, status, ctx.clock.now()).await?;
        report.checked += 1;
        report.missing += u32::from(matches!(status, Some(404 | 410)));
    }
    Ok(report)
}

/// What a link answers; `None` where it was not asked, since its host wants quiet. A link that leads elsewhere answers
/// 301, whatever is found there, unless nothing is.
pub(super) async fn ask(ctx: &Context, url: &str) -> Option<Option<u16>> {
    let request = Request { accept: "text/html, */*;q=0.5", max_bytes: Some(GLANCE), ..Request::get(url) };
    let fetched = ctx.fetcher.fetch(&request).await;
    match &fetched.outcome {
        FetchOutcome::Held { .. } => None,
        // There is more of it than we wanted to see.
        FetchOutcome::Failed(FetchError::Net(NetError::TooLarge { .. })) => Some(Some(200)),
        FetchOutcome::Fetched(document) if elsewhere(url, &document.final_url) => Some(Some(301)),
        _ => Some(fetched.status),
    }
}

/// Whether two addresses are not the same page, for all that cleaning takes away.
fn elsewhere(url: &str, final_url: &str) -> bool {
    match (CanonicalUrl::parse(url), CanonicalUrl::parse(final_url)) {
        (Ok(url), Ok(final_url)) => url.key() != final_url.key(),
        _ => false,
    }
}

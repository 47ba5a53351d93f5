//! The feed of digests: one Atom entry a week (RFC 4287).
//!
//! An entry's id is made of host, date and week when the week is sealed, and never changes (RFC 4151); its `updated` moves only with a
//! correction.

use askama::Template;
use jiff::Timestamp;

use super::shown::{Shown, instant};
use super::{Context, RenderError};
use crate::model::{Correction, Digest, DigestState, Week};

/// A published digest on its way into the feed.
#[derive(Debug, Clone)]
pub struct FeedEntry {
    pub digest: Digest,
    /// The cut-off counts where it is not known.
    pub published_at: Option<Timestamp>,
    pub corrections: Vec<Correction>,
}

#[derive(Template)]
#[template(path = "digest/feed.xml", whitespace = "minimize")]
struct Feed<'a> {
    id: String,
    program: String,
    tagline: String,
    updated: String,
    base: &'a str,
    version: &'static str,
    entries: Vec<Entry>,
}

struct Entry {
    id: String,
    title: String,
    published: String,
    updated: String,
    link: String,
    summary: String,
    content: String,
}

#[derive(Template)]
#[template(path = "digest/entry.html", whitespace = "minimize")]
struct Content<'a> {
    shown: &'a Shown,
}

/// The feed of these digests, in the order given: latest first. Of the context only what is the program's counts.
pub fn feed(entries: &[FeedEntry], ctx: &Context) -> Result<String, RenderError> {
    let mut latest: Option<Timestamp> = None;
    let mut written = Vec::with_capacity(entries.len());
    for entry in entries {
        let ctx = Context {
            state: DigestState::Published,
            published_at: entry.published_at,
            corrections: entry.corrections.clone(),
            earlier_corrections: Vec::new(),
            ..ctx.clone()
        };
        let shown = Shown::of(&entry.digest, &ctx);
        let updated_at = entry.corrections.iter().map(|correction| correction.at).fold(shown.dated_at, Timestamp::max);
        latest = latest.max(Some(updated_at));
        written.push(Entry {
            id: entry_id(&ctx, entry.digest.week),
            title: shown.heading.clone(),
            published: instant(shown.dated_at),
            updated: instant(updated_at),
            link: shown.permalink.clone(),
            summary: shown.nothing.map_or_else(|| shown.preview.clone(), str::to_owned),
            content: Content { shown: &shown }.render()?,
        });
    }
    let feed = Feed {
        id: format!("tag:{},2026:digest", ctx.feed_host.clone().unwrap_or_else(|| ctx.host())),
        program: super::prose::clean(&ctx.program),
        tagline: super::prose::clean(&ctx.tagline),
        // A feed without entries has changed at no time that is known; the same text each time it is asked.
        updated: instant(latest.unwrap_or(Timestamp::UNIX_EPOCH)),
        base: &ctx.public_url,
        version: env!("CARGO_PKG_VERSION"),
        entries: written,
    };
    Ok(feed.render()?)
}

/// `tag:digest.example,2026-11-23:2026-W47`: the day after the week is when its digest is due.
fn entry_id(ctx: &Context, week: Week) -> String {
    format!("tag:{},{}:{week}", ctx.id_host(week), week.next().monday())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    fn entry(digest: Digest) -> FeedEntry {
        FeedEntry { digest, published_at: sample::context().published_at, corrections: Vec::new() }
    }

    #[test]
    fn only_a_correction_moves_updated() {
        let ctx = sample::context();
        let plain = entry(sample::small());
        let corrected = FeedEntry { corrections: sample::corrections(), ..plain.clone() };
        let read = |entry: &FeedEntry| {
            let text = feed(std::slice::from_ref(entry), &ctx).unwrap();
            let feed = feed_rs::parser::parse(text.as_bytes()).unwrap();
            let entry = &feed.entries[0];
            (entry.id.clone(), entry.published.unwrap().to_rfc3339(), entry.updated.unwrap().to_rfc3339())
        };
        let (id, published, updated) = read(&plain);
        assert_eq!(published, updated);
        let (same_id, same_published, moved) = read(&corrected);
        assert_eq!((id.as_str(), &published), (same_id.as_str(), &same_published));
        assert_eq!(id, "tag:digest.example,2026-11-23:2026-W47");
        assert!(moved > updated);
    }

    #[test]
    fn ids_stay_where_the_pages_move_to_another_host() {
        let digest = sample::small();
        let moved = Context {
            public_url: "https://new.example".into(),
            feed_host: Some("old.example".into()),
            week_hosts: [(digest.week, "old.example".to_owned())].into(),
            ..sample::context()
        };
        let text = feed(&[entry(digest)], &moved).unwrap();
        assert!(text.contains("<id>tag:old.example,2026:digest</id>"), "{text}");
        assert!(text.contains("<id>tag:old.example,2026-11-23:2026-W47</id>") && text.contains("https://new.example/"), "{text}");
    }

    #[test]
    fn a_feed_without_entries_is_a_feed() {
        let text = feed(&[], &sample::context()).unwrap();
        assert!(feed_rs::parser::parse(text.as_bytes()).unwrap().entries.is_empty());
    }

    #[test]
    fn two_weeks() {
        let text = feed(&[entry(sample::rich()), entry(sample::empty())], &sample::context()).unwrap();
        assert!(feed_rs::parser::parse(text.as_bytes()).is_ok());
        insta::assert_snapshot!(text);
    }
}

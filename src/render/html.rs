//! The page of a digest: one HTML document that needs nothing else, so that it looks the same from a disk as from the
//! web.

use askama::Template;

use super::shown::Shown;
use super::{Context, RenderError};
use crate::model::Digest;

/// The part of the style sheet that digests need; pages add theirs to it.
pub const STYLE: &str = include_str!("digest.css");

#[derive(Template)]
#[template(path = "digest/page.html", whitespace = "minimize")]
struct Page<'a> {
    shown: &'a Shown,
    style: &'static str,
    program: &'a str,
    base: &'a str,
    /// Which link of the header is this page.
    here: &'static str,
}

/// The digest as a page.
pub(crate) fn page(digest: &Digest, ctx: &Context) -> Result<String, RenderError> {
    let shown = Shown::of(digest, ctx);
    Ok(Page { shown: &shown, style: STYLE, program: &shown.program, base: &shown.base, here: "" }.render()?)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use html5gum::{Token, Tokenizer};

    use super::*;
    use crate::render::sample;

    /// Every element with every attribute that a document has, as `a href`, and all its link targets.
    pub(crate) fn shape(html: &str) -> (BTreeSet<String>, Vec<String>) {
        let (mut parts, mut targets) = (BTreeSet::new(), Vec::new());
        for token in Tokenizer::new(html) {
            match token.unwrap_or_else(|never| match never {}) {
                Token::StartTag(tag) => {
                    let name = String::from_utf8_lossy(&tag.name).into_owned();
                    for (attribute, value) in &tag.attributes {
                        let attribute = String::from_utf8_lossy(attribute);
                        parts.insert(format!("{name} {attribute}"));
                        if matches!(attribute.as_ref(), "href" | "src" | "action") {
                            targets.push(String::from_utf8_lossy(value).into_owned());
                        }
                    }
                    parts.insert(name);
                }
                Token::Error(error) => panic!("{error:?} in {html}"),
                Token::Comment(_) => panic!("a comment"),
                _ => {}
            }
        }
        (parts, targets)
    }

    #[test]
    fn a_hostile_field_adds_no_element_and_no_attribute() {
        let ctx = sample::context();
        let (plain, _) = shape(&page(&sample::full("plain"), &ctx).unwrap());
        for hostile in sample::HOSTILE {
            let html = page(&sample::full(hostile), &sample::hostile_context(hostile)).unwrap();
            let (parts, targets) = shape(&html);
            let new: Vec<_> = parts.difference(&plain).collect();
            assert!(new.is_empty(), "{hostile}: {new:?}");
            for target in targets {
                assert!(target.starts_with("https://") || target == "#main", "{hostile}: {target}");
            }
        }
    }

    #[test]
    fn a_rich_week() {
        let html = page(&sample::rich(), &sample::context()).unwrap();
        assert!(html.len() <= 100 * 1024, "{} bytes", html.len());
        assert_eq!(html.matches("<h1").count(), 1);
        insta::with_settings!({ filters => vec![(r"(?s)<style>.*?</style>", "<style>…</style>")] }, {
            insta::assert_snapshot!(html);
        });
    }
}

//! Whether the filters of a claim let an entry pass.
//!
//! Tags are compared whole, words wherever they stand for themselves in title, summary or text, paths by whole segments
//! from the beginning; letters count alike in either case.

use super::{Seen, fold, kind};
use crate::model::{Entry, Filtered, Filters};

/// The first filter that keeps an entry out; `None` where all let it pass.
pub(super) fn refusal(filters: &Filters, sighting: &Seen<'_>) -> Option<Filtered> {
    if filters.is_empty() {
        return None;
    }
    let entry = sighting.entry;
    let refused = |name: &str| Some(Filtered { filter: name.to_owned(), asks: filters.get(name).unwrap_or_default() });
    let kind = kind::kind(&[sighting]);
    if !filters.only_kinds.is_empty() && !filters.only_kinds.contains(&kind) {
        return refused("only_kinds");
    }
    if filters.not_kinds.contains(&kind) {
        return refused("not_kinds");
    }
    let has_tag = |wanted: &String| {
        let wanted = fold(wanted.trim_start_matches('#'));
        entry.categories.iter().any(|tag| fold(tag.trim_start_matches('#')) == wanted)
    };
    if !filters.only_tags.is_empty() && !filters.only_tags.iter().any(has_tag) {
        return refused("only_tags");
    }
    if filters.not_tags.iter().any(has_tag) {
        return refused("not_tags");
    }
    if !filters.only_paths.is_empty() && !filters.only_paths.iter().any(|path| lies_under(entry, path)) {
        return refused("only_paths");
    }
    if filters.not_paths.iter().any(|path| lies_under(entry, path)) {
        return refused("not_paths");
    }
    if filters.only_words.is_empty() && filters.not_words.is_empty() {
        return None;
    }
    let text = text_of(entry);
    if !filters.only_words.is_empty() && !filters.only_words.iter().any(|word| holds(&text, word)) {
        return refused("only_words");
    }
    if filters.not_words.iter().any(|word| holds(&text, word)) {
        return refused("not_words");
    }
    None
}

fn text_of(entry: &Entry) -> String {
    let content = entry.content.as_ref().map(|content| content.text.as_str());
    let parts = [entry.title.as_deref(), entry.summary.as_deref(), content];
    fold(&parts.into_iter().flatten().collect::<Vec<_>>().join("\n"))
}

/// Whether a word or phrase stands in a text, not as part of a longer word. Scripts that part no words have no longer
/// words either.
fn holds(text: &str, word: &str) -> bool {
    let word = fold(word);
    let parts_words = |c: char| c.is_alphanumeric() && (c.is_ascii() || c.to_lowercase().ne(c.to_uppercase()));
    let glued = |inside: Option<char>, outside: Option<char>| inside.is_some_and(parts_words) && outside.is_some_and(parts_words);
    !word.is_empty()
        && text.match_indices(&word).any(|(at, _)| {
            let before = glued(word.chars().next(), text[..at].chars().next_back());
            let after = glued(word.chars().next_back(), text[at + word.len()..].chars().next());
            !before && !after
        })
}

/// Whether an entry's address lies under a path (`/ada/`), or under a whole address.
fn lies_under(entry: &Entry, wanted: &str) -> bool {
    let Some(url) = entry.link.as_deref().and_then(|link| url::Url::parse(link).ok()) else { return false };
    // Both are written the same way by the same parser, whatever was pasted.
    let (wanted, any_host) = match url::Url::parse(wanted) {
        Ok(whole) if whole.has_host() => (whole, false),
        _ => match url.join(&format!("/{}", wanted.trim_start_matches('/'))) {
            Ok(path) => (path, true),
            Err(_) => return false,
        },
    };
    let segments =
        |url: &url::Url| -> Vec<String> { url.path().split('/').filter(|segment| !segment.is_empty()).map(str::to_lowercase).collect() };
    (any_host || url.host_str() == wanted.host_str()) && segments(&url).starts_with(&segments(&wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_themselves_and_scripts_without_blanks_have_no_ends() {
        let text = fold("Café AWS-Lambda in Übungen\nラムダ関数の話 C++");
        for (word, wanted) in [
            ("aws", true),
            ("lambda", true),
            ("lamb", false),
            ("CAFÉ", true),
            ("bung", false),
            ("übungen", true),
            ("関数", true),
            ("c++", true),
            ("", false),
        ] {
            assert_eq!(holds(&text, word), wanted, "{word}");
        }
    }

    #[test]
    fn paths_are_compared_by_whole_segments() {
        let entry = Entry { link: Some("https://blog.example.org/Ada/caf%C3%A9/post?x=1".into()), ..Entry::default() };
        for (path, wanted) in [
            ("/ada", true),
            ("ada/café/", true),
            ("/ad", false),
            ("/post", false),
            ("https://blog.example.org/ada/", true),
            ("https://other.example.org/ada/", false),
            ("//other.example.org/ada", false),
        ] {
            assert_eq!(lies_under(&entry, path), wanted, "{path}");
        }
        assert!(!lies_under(&Entry::default(), "/"));
    }
}

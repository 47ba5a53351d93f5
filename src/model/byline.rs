//! Several names in one byline: `Ada Nwosu, Bo Lind and others`.
//!
//! Names hold commas and words for "and" themselves, so nothing is cut that somebody is called by: whoever asks tries the
//! whole first, then the longest run of parts that is a name, from the left.

use super::Author;

/// The most parts of a byline.
const MAX_PARTS: usize = 12;

/// Marks that part names.
const MARKS: &[char] = &[',', ';', '&', '+', '|', '/', '\u{3001}', '\u{ff0c}', '\u{ff1b}', '\u{ff06}', '\u{60c}', '\u{61b}', '\u{30fb}'];

/// Words for "and" and "with" between blanks, folded.
const WORDS: &[&str] = &[
    "and",
    "with",
    "und",
    "mit",
    "et",
    "avec",
    "con",
    "com",
    "ed",
    "en",
    "met",
    "og",
    "och",
    "med",
    "ja",
    "ve",
    "ile",
    "oraz",
    "va",
    "voi",
    "dan",
    "dengan",
    "at",
    "kasama",
    "\u{438}",
    "\u{441}",
    "\u{442}\u{430}",
    "\u{456}",
    "\u{437}",
    "\u{3ba}\u{3b1}\u{3b9}",
    "\u{914}\u{930}",
    "\u{90f}\u{935}\u{902}",
    "\u{e41}\u{e25}\u{e30}",
    "\u{648}",
    "\u{645}\u{639}",
    "\u{5d5}",
    "y",
    "e",
    "i",
    "feat.",
    "ft.",
];

/// Words that part names without blanks around them, in scripts that write none.
const GLUED: &[&str] = &["\u{3068}", "\u{548c}", "\u{8207}", "\u{4e0e}", "\u{53ca}"];

/// What may stand before the first name.
const LEADS: &[&str] = &["by", "von", "par", "por", "di", "door", "av", "af"];

/// A part of a byline: where it begins and ends, and whether the mark before it was a comma.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    from: usize,
    to: usize,
    after_comma: bool,
}

/// What one author's name may hold: several names, in order.
#[derive(Debug, Clone, Default)]
pub struct Byline {
    parts: Vec<Part>,
    text: String,
}

impl Byline {
    /// Cuts a name into what may be several; a byline of one name has no parts.
    pub fn of(name: &str) -> Self {
        let mut text = name.trim();
        if let Some((first, rest)) = text.split_once(char::is_whitespace)
            && LEADS.contains(&first.trim_end_matches(':').to_lowercase().as_str())
        {
            text = rest.trim_start();
        }
        let parts = cut(text);
        let few = parts.len() > 1 || text.len() < name.trim().len();
        if few { Self { parts, text: text.to_owned() } } else { Self::default() }
    }

    /// How many parts there are.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether it is a single name, of which nothing can be told but the whole.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// What so many parts from one on may be called, as an entry would name one author.
    pub fn readings(&self, from: usize, count: usize) -> Vec<Author> {
        let (Some(first), Some(last)) = (self.parts.get(from), self.parts.get(from + count.max(1) - 1)) else { return Vec::new() };
        let author = |name: String| Author { name, ..Author::default() };
        let mut readings = vec![author(self.text[first.from..last.to].to_owned())];
        // `Lind, Bo` is Bo Lind.
        if count == 2 && last.after_comma {
            readings.push(author(format!("{} {}", &self.text[last.from..last.to], &self.text[first.from..first.to])));
        }
        readings
    }

    /// The names in order, each as the longest run of parts that is one, or as its part where none is.
    pub fn names<T>(&self, known: impl Fn(&Author) -> Option<T>) -> Vec<(Author, Option<T>)> {
        let mut names = Vec::new();
        let mut from = 0;
        while from < self.len() {
            let longest = (1..=self.len() - from).rev().find_map(|count| {
                self.readings(from, count).into_iter().find_map(|author| known(&author).map(|found| (count, author, found)))
            });
            match longest {
                Some((count, author, found)) => {
                    names.push((author, Some(found)));
                    from += count;
                }
                None => {
                    names.extend(self.readings(from, 1).into_iter().map(|author| (author, None)));
                    from += 1;
                }
            }
        }
        names
    }

    /// The byline without those who are meant.
    pub fn without(&self, is_meant: impl Fn(&Author) -> bool) -> String {
        let names = self.names(|author| is_meant(author).then_some(()));
        let rest: Vec<String> = names.into_iter().filter(|(_, meant)| meant.is_none()).map(|(author, _)| author.name).collect();
        rest.join(", ")
    }

    /// Every name that it may hold.
    pub fn all_readings(&self) -> Vec<Author> {
        (0..self.len()).flat_map(|from| (1..=self.len() - from).flat_map(move |count| self.readings(from, count))).collect()
    }
}

fn cut(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut from = 0;
    let mut after_comma = false;
    let mut at = 0;
    while at < text.len() && parts.len() + 1 < MAX_PARTS {
        let Some((mark, comma)) = mark_at(text, at) else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        push(&mut parts, text, from, at, after_comma);
        after_comma = comma;
        at += mark;
        from = at;
    }
    push(&mut parts, text, from, text.len(), after_comma);
    parts
}

/// How long the mark at a place is, and whether it is a comma.
fn mark_at(text: &str, at: usize) -> Option<(usize, bool)> {
    let rest = &text[at..];
    let first = rest.chars().next()?;
    if MARKS.contains(&first) {
        return Some((first.len_utf8(), matches!(first, ',' | '\u{ff0c}' | '\u{60c}')));
    }
    if let Some(word) = GLUED.iter().find(|word| rest.starts_with(**word)) {
        let beside = |c: Option<char>| c.is_some_and(|c| !c.is_ascii());
        return (beside(text[..at].chars().next_back()) && beside(rest[word.len()..].chars().next())).then_some((word.len(), false));
    }
    if !first.is_whitespace() {
        return None;
    }
    let word = rest.trim_start();
    let end = word.find(char::is_whitespace)?;
    let (word, after) = word.split_at(end);
    let folded = word.to_lowercase();
    if !WORDS.contains(&folded.as_str()) {
        // In Arabic and Hebrew it is written together with the name that follows.
        let glued = ['\u{648}', '\u{5d5}'].iter().find(|c| word.starts_with(**c))?;
        return Some((rest.len() - rest.trim_start().len() + glued.len_utf8(), false));
    }
    // A name like that of a family and its estate is not cut by a letter: both sides must be whole names.
    let words = |text: &str| text.split_whitespace().take(2).count();
    let left = text[..at].rsplit(MARKS).next().unwrap_or_default();
    let right = after.split(MARKS).next().unwrap_or_default();
    let is_short = folded.chars().count() < 3 && folded != "et" && folded != "en" && folded != "ve" && folded != "og" && folded != "ja";
    if is_short && (words(left) < 2 || words(right) < 2) {
        return None;
    }
    Some((rest.len() - after.len(), false))
}

fn push(parts: &mut Vec<Part>, text: &str, from: usize, to: usize, after_comma: bool) {
    let part = &text[from..to];
    let trimmed = part.trim();
    if !trimmed.is_empty() {
        let from = from + (part.len() - part.trim_start().len());
        parts.push(Part { from, to: from + trimmed.len(), after_comma });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(name: &str) -> Vec<String> {
        let byline = Byline::of(name);
        (0..byline.len()).map(|at| byline.readings(at, 1)[0].name.clone()).collect()
    }

    #[test]
    fn names_are_parted_by_marks_and_by_the_words_of_many_tongues() {
        for byline in [
            "Ada Nwosu and Bo Lind",
            "Ada Nwosu, Bo Lind",
            "Ada Nwosu & Bo Lind",
            "Ada Nwosu&Bo Lind",
            "Ada Nwosu; Bo Lind",
            "Ada Nwosu, and Bo Lind",
            "By Ada Nwosu with Bo Lind",
            "Ada Nwosu und Bo Lind",
            "Ada Nwosu et Bo Lind",
            "Ada Nwosu y Bo Lind",
            "Ada Nwosu e Bo Lind",
            "Ada Nwosu och Bo Lind",
            "Ada Nwosu ve Bo Lind",
            "Ada Nwosu \u{438} Bo Lind",
        ] {
            assert_eq!(parts(byline), ["Ada Nwosu", "Bo Lind"], "{byline}");
        }
        assert_eq!(parts("\u{738b}\u{5c0f}\u{660e}\u{3001}\u{7530}\u{4e2d}\u{592a}\u{90ce}").len(), 2);
        assert_eq!(parts("\u{738b}\u{5c0f}\u{660e}\u{548c}\u{674e}\u{56db}").len(), 2);
        assert_eq!(parts("\u{645}\u{62d}\u{645}\u{62f} \u{627}\u{644}\u{639}\u{62a}\u{64a}\u{628}\u{64a} \u{648}\u{633}\u{627}\u{631}\u{629} \u{62d}\u{633}\u{646}").len(), 2);
    }

    #[test]
    fn a_single_name_has_no_parts_and_letters_cut_no_family_name() {
        for name in ["Ada Nwosu", "O\u{2019}Connor", "Jos\u{e9} Ortega y Gasset", "Andrew Withers", "Prince", ""] {
            assert!(Byline::of(name).is_empty(), "{name}: {:?}", parts(name));
        }
        let inverted = Byline::of("Lind, Bo");
        assert!(inverted.all_readings().iter().any(|author| author.name == "Bo Lind"));
        assert!(inverted.all_readings().iter().any(|author| author.name == "Lind, Bo"));
    }

    #[test]
    fn no_text_is_too_odd_to_be_cut() {
        for text in
            [",,,", " and ", "and", "& &", "\u{648}", " \u{648}", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", "\u{1f468}\u{200d}\u{1f469}, x"]
        {
            let byline = Byline::of(text);
            assert!(byline.len() <= MAX_PARTS, "{text}");
            let _ = byline.all_readings();
        }
    }
}

//! In what language a piece is: what the source says, unless its script says otherwise; else what the words show.
//!
//! Titles are too short to tell, so title and text are asked together, and only an answer that is sure counts.

use whatlang::{Lang, Script};

/// The least characters of text from which a language is told; scripts of their own need fewer.
const ENOUGH: usize = 60;
const ENOUGH_OWN_SCRIPT: usize = 12;
/// The most bytes of text from which a language is told.
const TELLING: usize = 400;

/// The language as BCP 47 tag: the stated one, else the one told from the texts, else unknown.
pub(super) fn language(stated: Option<String>, texts: &[&str]) -> Option<String> {
    let text = texts.join("\n");
    let Some(stated) = stated else { return tell(beginning(&text)).map(str::to_owned) };
    // Blog software says "en" until its owner finds the setting; a script cannot be mistaken.
    let doubtful = stated.split('-').next() == Some("en") && whatlang::detect_script(&text).is_some_and(|script| script != Script::Latin);
    match if doubtful { tell(beginning(&text)) } else { None } {
        Some(told) if told != "en" => Some(told.to_owned()),
        _ => Some(stated),
    }
}

/// A tag in its usual spelling, `None` where it is none: `EN_us` is `en-US`.
pub(super) fn tag(text: &str) -> Option<String> {
    let text = text.trim().replace('_', "-");
    let mut parts = text.split('-');
    let primary = parts.next().filter(|part| matches!(part.len(), 2 | 3) && part.bytes().all(|b| b.is_ascii_alphabetic()))?;
    let mut tag = primary.to_ascii_lowercase();
    if matches!(tag.as_str(), "und" | "mul" | "zxx" | "mis") {
        return None;
    }
    for part in parts.take(3) {
        if part.is_empty() || part.len() > 8 || !part.bytes().all(|b| b.is_ascii_alphanumeric()) {
            break;
        }
        tag.push('-');
        match part.len() {
            2 => tag.push_str(&part.to_ascii_uppercase()),
            4 => {
                tag.push_str(&part[..1].to_ascii_uppercase());
                tag.push_str(&part[1..].to_ascii_lowercase());
            }
            _ => tag.push_str(&part.to_ascii_lowercase()),
        }
    }
    Some(tag)
}

/// As much of a text as tells its language; more only costs time.
fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(TELLING)]
}

fn tell(text: &str) -> Option<&'static str> {
    let info = whatlang::detect(text)?;
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let own_script = !matches!(info.script(), Script::Latin | Script::Cyrillic | Script::Arabic | Script::Devanagari);
    let enough = letters >= if own_script { ENOUGH_OWN_SCRIPT } else { ENOUGH };
    (enough && info.is_reliable()).then(|| bcp47(info.lang())).flatten()
}

/// The two-letter code (ISO 639-1) of a language.
fn bcp47(lang: Lang) -> Option<&'static str> {
    // ISO 639-3 codes as whatlang gives them, with their ISO 639-1 counterparts.
    const CODES: &[(&str, &str)] = &[
        ("afr", "af"),
        ("aka", "ak"),
        ("amh", "am"),
        ("ara", "ar"),
        ("aze", "az"),
        ("bel", "be"),
        ("ben", "bn"),
        ("bul", "bg"),
        ("cat", "ca"),
        ("ces", "cs"),
        ("cmn", "zh"),
        ("cym", "cy"),
        ("dan", "da"),
        ("deu", "de"),
        ("ell", "el"),
        ("eng", "en"),
        ("epo", "eo"),
        ("est", "et"),
        ("fin", "fi"),
        ("fra", "fr"),
        ("guj", "gu"),
        ("heb", "he"),
        ("hin", "hi"),
        ("hrv", "hr"),
        ("hun", "hu"),
        ("hye", "hy"),
        ("ind", "id"),
        ("ita", "it"),
        ("jav", "jv"),
        ("jpn", "ja"),
        ("kan", "kn"),
        ("kat", "ka"),
        ("khm", "km"),
        ("kor", "ko"),
        ("lat", "la"),
        ("lav", "lv"),
        ("lit", "lt"),
        ("mal", "ml"),
        ("mar", "mr"),
        ("mkd", "mk"),
        ("mya", "my"),
        ("nep", "ne"),
        ("nld", "nl"),
        ("nob", "nb"),
        ("ori", "or"),
        ("pan", "pa"),
        ("pes", "fa"),
        ("pol", "pl"),
        ("por", "pt"),
        ("ron", "ro"),
        ("rus", "ru"),
        ("sin", "si"),
        ("slk", "sk"),
        ("slv", "sl"),
        ("sna", "sn"),
        ("spa", "es"),
        ("srp", "sr"),
        ("swe", "sv"),
        ("tam", "ta"),
        ("tel", "te"),
        ("tgl", "tl"),
        ("tha", "th"),
        ("tuk", "tk"),
        ("tur", "tr"),
        ("ukr", "uk"),
        ("urd", "ur"),
        ("uzb", "uz"),
        ("vie", "vi"),
        ("yid", "yi"),
        ("zul", "zu"),
    ];
    CODES.iter().find(|(code, _)| *code == lang.code()).map(|(_, tag)| *tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_spelled_one_way_and_nonsense_is_none() {
        for (given, wanted) in [
            ("EN_us", Some("en-US")),
            ("pt-br", Some("pt-BR")),
            ("zh-hant-tw", Some("zh-Hant-TW")),
            ("de", Some("de")),
            ("english", None),
            ("", None),
            ("und", None),
            ("ja-", Some("ja")),
        ] {
            assert_eq!(tag(given).as_deref(), wanted, "{given}");
        }
    }

    #[test]
    fn a_short_title_is_no_evidence_and_a_script_is() {
        assert_eq!(language(None, &["Amazon S3"]), None);
        let japanese = "キャッシュを温める方法について、実際の例を見ながら説明します。";
        assert_eq!(language(None, &[japanese]).as_deref(), Some("ja"));
        assert_eq!(language(Some("en-US".into()), &[japanese]).as_deref(), Some("ja"), "the default of blog software");
        assert_eq!(language(Some("pt".into()), &["Filas e mensagens"]).as_deref(), Some("pt"));
        let english = "This is how we drained the queue over the weekend without losing a single message along the way.";
        assert_eq!(language(None, &[english]).as_deref(), Some("en"));
    }
}

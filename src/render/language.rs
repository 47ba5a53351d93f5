//! The names of languages, each in itself, as the label above a work shows them.
//!
//! In: a BCP 47 tag from outside. Out: a tag that is fit for a `lang` attribute, and a name for people.

/// The tag in its usual spelling if it has the shape of one (RFC 5646, section 2.1), else `None`.
pub(crate) fn tag(text: &str) -> Option<String> {
    let text = text.trim().replace('_', "-");
    let mut parts = text.split('-');
    let primary = parts.next()?.to_ascii_lowercase();
    let shaped = (2..=8).contains(&primary.len())
        && primary.bytes().all(|b| b.is_ascii_lowercase())
        && text.len() <= 35
        && parts.clone().all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !shaped || matches!(primary.as_str(), "und" | "zxx" | "mul") {
        return None;
    }
    let mut tag = primary;
    for part in parts {
        tag.push('-');
        match part.len() {
            2 => tag.push_str(&part.to_ascii_uppercase()),
            4 if part.bytes().all(|b| b.is_ascii_alphabetic()) => {
                tag.push_str(&part[..1].to_ascii_uppercase());
                tag.push_str(&part[1..].to_ascii_lowercase());
            }
            _ => tag.push_str(&part.to_ascii_lowercase()),
        }
    }
    Some(tag)
}

/// The language's name in itself; the tag where it is not in the list.
pub(crate) fn name(tag: &str) -> String {
    let primary = tag.split('-').next().unwrap_or(tag);
    let traditional = ["Hant", "TW", "HK", "MO"].iter().any(|part| tag.split('-').any(|given| given == *part));
    if primary == "zh" {
        return if traditional { "繁體中文" } else { "中文" }.to_owned();
    }
    NAMES.iter().find(|(known, _)| *known == primary).map_or_else(|| tag.to_owned(), |(_, name)| (*name).to_owned())
}

/// Languages that technical writing is seen in, as each calls itself.
const NAMES: &[(&str, &str)] = &[
    ("af", "Afrikaans"),
    ("am", "አማርኛ"),
    ("ar", "العربية"),
    ("az", "Azərbaycanca"),
    ("be", "Беларуская"),
    ("bg", "Български"),
    ("bn", "বাংলা"),
    ("bs", "Bosanski"),
    ("ca", "Català"),
    ("cs", "Čeština"),
    ("cy", "Cymraeg"),
    ("da", "Dansk"),
    ("de", "Deutsch"),
    ("el", "Ελληνικά"),
    ("en", "English"),
    ("es", "Español"),
    ("et", "Eesti"),
    ("eu", "Euskara"),
    ("fa", "فارسی"),
    ("fi", "Suomi"),
    ("fil", "Filipino"),
    ("fr", "Français"),
    ("ga", "Gaeilge"),
    ("gl", "Galego"),
    ("gu", "ગુજરાતી"),
    ("ha", "Hausa"),
    ("he", "עברית"),
    ("hi", "हिन्दी"),
    ("hr", "Hrvatski"),
    ("hu", "Magyar"),
    ("hy", "Հայերեն"),
    ("id", "Bahasa Indonesia"),
    ("ig", "Igbo"),
    ("is", "Íslenska"),
    ("it", "Italiano"),
    ("ja", "日本語"),
    ("ka", "ქართული"),
    ("kk", "Қазақша"),
    ("km", "ខ្មែរ"),
    ("kn", "ಕನ್ನಡ"),
    ("ko", "한국어"),
    ("lt", "Lietuvių"),
    ("lv", "Latviešu"),
    ("mk", "Македонски"),
    ("ml", "മലയാളം"),
    ("mn", "Монгол"),
    ("mr", "मराठी"),
    ("ms", "Bahasa Melayu"),
    ("my", "မြန်မာ"),
    ("nb", "Norsk bokmål"),
    ("ne", "नेपाली"),
    ("nl", "Nederlands"),
    ("nn", "Norsk nynorsk"),
    ("no", "Norsk"),
    ("pa", "ਪੰਜਾਬੀ"),
    ("pl", "Polski"),
    ("pt", "Português"),
    ("ro", "Română"),
    ("ru", "Русский"),
    ("si", "සිංහල"),
    ("sk", "Slovenčina"),
    ("sl", "Slovenščina"),
    ("sq", "Shqip"),
    ("sr", "Српски"),
    ("sv", "Svenska"),
    ("sw", "Kiswahili"),
    ("ta", "தமிழ்"),
    ("te", "తెలుగు"),
    ("th", "ไทย"),
    ("tl", "Tagalog"),
    ("tr", "Türkçe"),
    ("uk", "Українська"),
    ("ur", "اردو"),
    ("uz", "Oʻzbekcha"),
    ("vi", "Tiếng Việt"),
    ("yo", "Yorùbá"),
    ("zu", "isiZulu"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_from_outside_are_spelled_the_usual_way_or_left_out() {
        for (given, wanted) in [
            ("EN-us", Some("en-US")),
            ("zh_hant_tw", Some("zh-Hant-TW")),
            ("pt-BR", Some("pt-BR")),
            ("fil", Some("fil")),
            ("", None),
            ("e", None),
            ("en\" onload=\"x", None),
            ("und", None),
            ("english, mostly", None),
        ] {
            assert_eq!(tag(given).as_deref(), wanted, "{given}");
        }
    }

    #[test]
    fn languages_are_called_by_their_own_names() {
        assert_eq!(name("ja-JP"), "日本語");
        assert_eq!(name("zh-TW"), "繁體中文");
        assert_eq!(name("zh-CN"), "中文");
        assert_eq!(name("tlh"), "tlh");
    }
}

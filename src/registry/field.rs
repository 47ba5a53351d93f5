//! The fields of a builder: their names, how each is checked, and how it is read from and written to a `Builder`.
//!
//! Every value has one normal form as text, so that comparing, merging and exporting are the same for all of them.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use unicode_normalization::UnicodeNormalization as _;

use crate::model::{Builder, BuilderId, Slug, Switches};

use super::brief;

/// The fields that are no handles, in the order of an export.
pub(super) const FIELDS: &[&str] = &[
    "name",
    "email",
    "country",
    "region",
    "category",
    "cohort",
    "timezone",
    "language",
    "active_from",
    "active_to",
    "not_featured",
    "not_public",
    "public_record",
    "stop_collecting",
    "show_place",
    "pushes",
];

/// Networks that a handle can be given for.
pub(super) const NETWORKS: &[&str] = &[
    "x",
    "bluesky",
    "mastodon",
    "linkedin",
    "github",
    "gitlab",
    "youtube",
    "twitch",
    "devto",
    "medium",
    "hashnode",
    "substack",
    "stackoverflow",
    "threads",
    "instagram",
    "facebook",
    "reddit",
    "discord",
    "slack",
    "telegram",
];

/// ISO 3166-1 alpha-2, officially assigned codes as of 2026, and `XK`, which is in wide use for Kosovo.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF \
    GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW \
    KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL \
    NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST \
    SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// The field or network of that name in a header or a TOML key, other spellings forgiven.
pub(super) fn field_named(name: &str) -> Option<&'static str> {
    let plain: String = name.trim().chars().map(|c| if matches!(c, ' ' | '-') { '_' } else { c.to_ascii_lowercase() }).collect();
    let plain = match plain.as_str() {
        "categories" => "category",
        "time_zone" => "timezone",
        "e_mail" | "mail" => "email",
        "twitter" => "x",
        "dev.to" | "dev_to" => "devto",
        "stack_overflow" => "stackoverflow",
        other => other,
    };
    FIELDS.iter().chain(NETWORKS).copied().find(|field| *field == plain)
}

/// Whether the field is a switch, yes or no.
pub(super) fn is_switch(field: &str) -> bool {
    matches!(field, "not_featured" | "not_public" | "public_record" | "stop_collecting" | "show_place" | "pushes")
}

/// A value that is not empty, in its normal form; or a sentence why it cannot be.
pub(super) fn normal(field: &str, text: &str) -> Result<String, String> {
    let text = text.trim();
    let length = text.chars().count();
    let most = match field {
        "name" => 200,
        "email" => 254,
        "category" => 400,
        _ => 120,
    };
    if length > most {
        return Err(format!("{field} is longer than {most} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{field} holds a control character or a line break"));
    }
    match field {
        "email" => email(text),
        "country" => country(text),
        "category" => categories(text.split(';')),
        "timezone" => match TimeZone::get(text) {
            Ok(zone) => Ok(zone.iana_name().unwrap_or(text).to_owned()),
            Err(_) => Err(format!("`{}` is no time zone: write an IANA name such as Europe/Lisbon", brief(text))),
        },
        "language" => language(text),
        "active_from" => date(text, false).map(|at| date_text(at, false)),
        "active_to" => date(text, true).map(|at| date_text(at, true)),
        switch if is_switch(switch) => match text.to_ascii_lowercase().as_str() {
            "yes" | "y" | "true" | "1" | "x" => Ok("yes".into()),
            "no" | "n" | "false" | "0" => Ok("no".into()),
            _ => Err(format!("{field} is `{}`: write yes or no", brief(text))),
        },
        "name" | "region" | "cohort" => Ok(text.nfc().collect()),
        _network => Ok(text.trim_start_matches('@').nfc().collect()),
    }
}

/// Category keys in their normal form: each once, in the order given, joined by `;`.
pub(super) fn categories<'a>(keys: impl Iterator<Item = &'a str>) -> Result<String, String> {
    let mut kept: Vec<String> = Vec::new();
    for key in keys {
        let key: String = key.trim().nfc().collect();
        if key.contains(';') {
            return Err(format!("category `{}` holds a semicolon", brief(&key)));
        }
        if !key.is_empty() && !kept.contains(&key) {
            kept.push(key);
        }
    }
    if kept.is_empty() { Err("category names none".into()) } else { Ok(kept.join(";")) }
}

/// Loosely: one `@`, something without blanks on both sides, a dotted host. Whether it is read by anyone, only mail can tell.
fn email(text: &str) -> Result<String, String> {
    let fits = text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && !host.contains('@')
            && host.split('.').count() >= 2
            && host.split('.').all(|label| !label.is_empty())
            && !text.chars().any(|c| c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '"' | '(' | ')'))
    });
    // The address itself stays out of messages and logs.
    if fits { Ok(text.to_owned()) } else { Err("email is not an address such as name@example.org".into()) }
}

fn country(text: &str) -> Result<String, String> {
    let code = text.to_ascii_uppercase();
    if code.len() == 2 && COUNTRIES.split_ascii_whitespace().any(|known| known == code) {
        return Ok(code);
    }
    let hint = match code.as_str() {
        "UK" => "; the United Kingdom is GB",
        "EL" => "; Greece is GR",
        _ => "",
    };
    Err(format!("`{}` is no country code: write the two letters of ISO 3166-1, such as BR or NG{hint}", brief(text)))
}

/// Loosely BCP 47 (RFC 5646 section 2.1): a language of two or three letters, then subtags of one to eight.
fn language(text: &str) -> Result<String, String> {
    let tag = text.replace('_', "-");
    let mut parts = tag.split('-');
    let primary = parts.next().unwrap_or_default().to_ascii_lowercase();
    let fits = (2..=3).contains(&primary.len())
        && primary.bytes().all(|b| b.is_ascii_alphabetic())
        && parts.clone().all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !fits {
        return Err(format!("`{}` is no language: write a tag such as en, pt-BR or zh-Hant", brief(text)));
    }
    Ok(parts.fold(primary, |tag, part| tag + "-" + part))
}

/// A day in UTC or an instant. The last day of a membership is still part of it, so the instant is the midnight after it.
fn date(text: &str, is_end: bool) -> Result<Timestamp, String> {
    let error = || format!("`{}` is no date: write it as 2026-01-31", brief(text));
    if text.contains(['T', 't']) {
        return text.parse().map_err(|_| error());
    }
    let day: Date = text.parse().map_err(|_| error())?;
    let day = if is_end { day.checked_add(1.day()).map_err(|_| error())? } else { day };
    day.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).map_err(|_| error())
}

/// The text that [`date`] reads as that instant.
fn date_text(at: Timestamp, is_end: bool) -> String {
    let zoned = at.to_zoned(TimeZone::UTC);
    let is_midnight = zoned.time() == jiff::civil::Time::midnight();
    let day = if is_end { zoned.date().checked_sub(1.day()).ok() } else { Some(zoned.date()) };
    match day {
        Some(day) if is_midnight => day.to_string(),
        _ => at.to_string(),
    }
}

/// A member of whom nothing but the slug is known yet.
pub(super) fn blank(slug: Slug) -> Builder {
    Builder {
        id: BuilderId(0),
        slug,
        name: String::new(),
        email: None,
        country: None,
        region: None,
        categories: Vec::new(),
        cohort: None,
        timezone: None,
        language: None,
        handles: BTreeMap::new(),
        active_from: None,
        active_to: None,
        switches: Switches::default(),
        former_names: Vec::new(),
        absent_since: None,
    }
}

/// What the builder's field holds, in normal form; a switch that is off holds nothing.
pub(super) fn value_of(builder: &Builder, field: &str) -> Option<String> {
    let yes = |on: bool| on.then(|| "yes".to_owned());
    match field {
        "name" => Some(builder.name.clone()).filter(|name| !name.is_empty()),
        "email" => builder.email.clone(),
        "country" => builder.country.clone(),
        "region" => builder.region.clone(),
        "category" => Some(builder.categories.join(";")).filter(|keys| !keys.is_empty()),
        "cohort" => builder.cohort.clone(),
        "timezone" => builder.timezone.clone(),
        "language" => builder.language.clone(),
        "active_from" => builder.active_from.map(|at| date_text(at, false)),
        "active_to" => builder.active_to.map(|at| date_text(at, true)),
        "not_featured" => yes(builder.switches.not_featured),
        "not_public" => yes(builder.switches.not_public),
        "public_record" => yes(builder.switches.public_record),
        "stop_collecting" => yes(builder.switches.stop_collecting),
        "show_place" => yes(builder.switches.show_place),
        "pushes" => yes(builder.switches.pushes),
        network => builder.handles.get(network).cloned(),
    }
}

/// Writes a value in normal form, or empties the field. A name is never emptied.
pub(super) fn set(builder: &mut Builder, field: &str, value: Option<&str>) {
    let text = value.map(str::to_owned);
    let on = value == Some("yes");
    match field {
        "name" => builder.name = text.unwrap_or_else(|| std::mem::take(&mut builder.name)),
        "email" => builder.email = text,
        "country" => builder.country = text,
        "region" => builder.region = text,
        "category" => builder.categories = value.map(|keys| keys.split(';').map(str::to_owned).collect()).unwrap_or_default(),
        "cohort" => builder.cohort = text,
        "timezone" => builder.timezone = text,
        "language" => builder.language = text,
        "active_from" => builder.active_from = value.and_then(|day| date(day, false).ok()),
        "active_to" => builder.active_to = value.and_then(|day| date(day, true).ok()),
        "not_featured" => builder.switches.not_featured = on,
        "not_public" => builder.switches.not_public = on,
        "public_record" => builder.switches.public_record = on,
        "stop_collecting" => builder.switches.stop_collecting = on,
        "show_place" => builder.switches.show_place = on,
        "pushes" => builder.switches.pushes = on,
        network => match text {
            Some(handle) => {
                builder.handles.insert(network.to_owned(), handle);
            }
            None => {
                builder.handles.remove(network);
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_has_one_normal_form() {
        for (field, given, wanted) in [
            ("name", " O\u{2019}Connor ", "O\u{2019}Connor"),
            ("name", "S\u{327}u\u{308}kru\u{308}", "Şükrü"),
            ("country", "br", "BR"),
            ("category", " serverless ; data;serverless;", "serverless;data"),
            ("timezone", "africa/lagos", "Africa/Lagos"),
            ("language", "PT_BR", "pt-BR"),
            ("active_from", "2026-01-31T00:00:00Z", "2026-01-31"),
            ("active_to", "2026-01-31", "2026-01-31"),
            ("active_to", "2026-01-31T10:00:00+02:00", "2026-01-31T08:00:00Z"),
            ("not_public", "TRUE", "yes"),
            ("public_record", "x", "yes"),
            ("mastodon", "@ada@social.example", "ada@social.example"),
        ] {
            let normal_form = normal(field, given).unwrap();
            assert_eq!(normal_form, wanted, "{field} {given}");
            assert_eq!(normal(field, &normal_form).unwrap(), wanted, "{field} is stable");
            let mut builder = blank(Slug::parse("ada").unwrap());
            set(&mut builder, field, Some(&normal_form));
            assert_eq!(value_of(&builder, field).as_deref(), Some(wanted), "{field} comes back from a builder");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (field, given) in [
            ("name", "a\nb"),
            ("email", "ada"),
            ("email", "ada@@example.org"),
            ("email", "Ada <ada@example.org>"),
            ("country", "UK"),
            ("country", "Brazil"),
            ("timezone", "Mars/Olympus"),
            ("language", "english"),
            ("language", "e"),
            ("active_from", "31.01.2026"),
            ("active_to", "2026-02-30"),
            ("not_featured", "maybe"),
        ] {
            assert!(normal(field, given).is_err(), "{field} {given}");
        }
    }

    #[test]
    fn a_member_is_active_on_the_last_day() {
        let mut builder = blank(Slug::parse("ada").unwrap());
        set(&mut builder, "active_to", Some("2026-03-31"));
        assert!(builder.is_active("2026-03-31T23:59:59Z".parse().unwrap()));
        assert!(!builder.is_active("2026-04-01T00:00:00Z".parse().unwrap()));
    }
}

//! The roster in TOML: a `[[builder]]` for each member, a `[[builder.source]]` for each place.
//!
//! A builder is one line of the report, each of its sources another. A key that is left out says nothing, an empty text
//! empties the field: an empty `author` lets all entries count again.

use std::ops::Range;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use crate::model::{Builder, Filters, Slug, Source};

use super::field::{self, FIELDS, NETWORKS};
use super::{AuthorFilter, Fields, LineIndex, Refusal, Roster, RosterError, RosterLine, RosterSource, brief, check_pasted};

/// A fault and the bytes that it is about.
type Fault = (Range<usize>, String);

pub(super) fn read(text: &str) -> Result<Roster, RosterError> {
    let index = LineIndex::of(text);
    let error_at = |at: usize, message: String| RosterError { line: index.line_at(at), message };
    let document = DeTable::parse(text).map_err(|error| {
        error_at(error.span().map_or(0, |span| span.start), format!("cannot be read as TOML ({})", error.message().replace('\n', ", ")))
    })?;
    let mut roster = Roster::default();
    for (key, value) in document.get_ref() {
        let tables = value.get_ref().as_array().filter(|_| key.get_ref() == "builder").ok_or_else(|| {
            error_at(key.span().start, format!("`{}` has no place here: a roster is made of [[builder]] tables", brief(key.get_ref())))
        })?;
        for table in tables {
            let line = index.line_at(table.span().start);
            match table.get_ref().as_table() {
                Some(table) => builder(&mut roster, table, line, &index),
                None => roster.refused.push(Refusal { line, builder: None, reason: "a builder has to be a table".into() }),
            }
        }
    }
    Ok(roster)
}

fn builder(roster: &mut Roster, table: &DeTable<'_>, line: usize, index: &LineIndex) {
    let slug = match table.get("slug").or_else(|| table.get("builder")).map(|value| scalar(value.get_ref())) {
        Some(Ok(text)) => Slug::parse(&text).map_err(|error| error.to_string()),
        Some(Err(reason)) => Err(reason),
        None => Err("a builder needs a slug".into()),
    };
    let slug = match slug {
        Ok(slug) => slug,
        Err(reason) => return roster.refused.push(Refusal { line, builder: None, reason }),
    };
    let refusal = |line: usize, reason: String| Refusal { line, builder: Some(slug.clone()), reason };
    match fields(table) {
        Ok(fields) => roster.lines.push(RosterLine { line, builder: slug.clone(), fields, source: None }),
        Err((span, reason)) => {
            let at = index.line_at(span.start);
            // The report counts the table by its first line; the fault's own line is in the reason.
            roster.refused.push(refusal(line, if at == line { reason } else { format!("line {at}: {reason}") }));
        }
    }
    let Some(sources) = table.get("source") else { return };
    let Some(sources) = sources.get_ref().as_array() else {
        let line = index.line_at(sources.span().start);
        return roster.refused.push(refusal(line, "sources are [[builder.source]] tables".into()));
    };
    for value in sources {
        let line = index.line_at(value.span().start);
        match value.get_ref().as_table().ok_or_else(|| "a source has to be a table".to_owned()).and_then(source) {
            Ok(source) => roster.lines.push(RosterLine { line, builder: slug.clone(), fields: Fields::new(), source: Some(source) }),
            Err(reason) => roster.refused.push(refusal(line, reason)),
        }
    }
}

fn fields(table: &DeTable<'_>) -> Result<Fields, Fault> {
    let mut fields = Fields::new();
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "slug" | "builder" | "source" => {}
            "handles" => {
                let handles = value.get_ref().as_table().ok_or_else(|| (value.span(), "handles are a table of networks".to_owned()))?;
                for (network, handle) in handles {
                    let name = field::field_named(network.get_ref()).filter(|name| NETWORKS.contains(name)).ok_or_else(|| {
                        (network.span(), format!("unknown network `{}`; known are {}", brief(network.get_ref()), NETWORKS.join(", ")))
                    })?;
                    set(&mut fields, name, handle)?;
                }
            }
            other => {
                let name = field::field_named(other).filter(|name| FIELDS.contains(name)).ok_or_else(|| {
                    let known = FIELDS.join(", ");
                    (key.span(), format!("unknown key `{}`; known are slug, {known}, handles, source", brief(other)))
                })?;
                set(&mut fields, name, value)?;
            }
        }
    }
    Ok(fields)
}

fn set(fields: &mut Fields, name: &'static str, value: &Spanned<DeValue<'_>>) -> Result<(), Fault> {
    let fault = |reason: String| (value.span(), reason);
    let said = match value.get_ref() {
        DeValue::Array(keys) if name == "category" => {
            let keys: Vec<String> = keys.iter().map(|key| scalar(key.get_ref())).collect::<Result<_, _>>().map_err(fault)?;
            if keys.is_empty() { None } else { Some(field::categories(keys.iter().map(String::as_str)).map_err(fault)?) }
        }
        other => {
            let text = scalar(other).map_err(|reason| fault(format!("{name}: {reason}")))?;
            if text.trim().is_empty() { None } else { Some(field::normal(name, &text).map_err(fault)?) }
        }
    };
    if name == "name" && said.is_none() {
        return Err(fault("a name cannot be empty".into()));
    }
    let said = if said.is_none() && field::is_switch(name) { Some("no".to_owned()) } else { said };
    fields.insert(name, said);
    Ok(())
}

fn source(table: &DeTable<'_>) -> Result<RosterSource, String> {
    let unknown =
        table.keys().find(|key| !matches!(key.get_ref().as_ref(), "kind" | "url" | "author") && Filters::named(key.get_ref()).is_none());
    if let Some(key) = unknown {
        return Err(format!("unknown key `{}`; known are kind, url, author, {}", brief(key.get_ref()), Filters::NAMES.join(", ")));
    }
    let text = |key: &str| -> Result<Option<String>, String> {
        let text = table.get(key).map(|value| scalar(value.get_ref())).transpose()?;
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    };
    let url = text("url")?.ok_or("a source needs a url")?;
    check_pasted(&url)?;
    let kind = text("kind")?.map(|kind| kind.parse()).transpose()?;
    let author = match (table.contains_key("author"), text("author")?) {
        (_, Some(author)) => AuthorFilter::Only(author),
        (true, None) => AuthorFilter::Everybody,
        (false, None) => AuthorFilter::Unsaid,
    };
    let mut filters = Fields::new();
    for (key, value) in table {
        let Some(name) = Filters::named(key.get_ref()) else { continue };
        let list = match value.get_ref() {
            DeValue::Array(values) => values.iter().map(|value| scalar(value.get_ref())).collect::<Result<Vec<_>, _>>()?.join(";"),
            other => scalar(other)?,
        };
        Filters::default().set(name, Some(&list))?;
        filters.insert(name, Some(list).filter(|list| !list.trim().is_empty()));
    }
    Ok(RosterSource { kind, url, author, filters })
}

/// A text, whole number, switch or date as text.
fn scalar(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Boolean(on) => Ok(if *on { "yes" } else { "no" }.to_owned()),
        DeValue::Datetime(date) => Ok(date.to_string()),
        other => Err(format!("a text was expected, not a value of type {}", other.type_str())),
    }
}

/// The roster as TOML: everything known, private fields too. Builders and sources that left the roster stay out.
/// Importing it changes nothing.
pub fn export(builders: &[Builder], sources: &[Source]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let places = super::plan::places_by_builder(sources);
    for builder in super::plan::present(builders) {
        let _ = write!(text, "{}[[builder]]\nslug = {}\n", if text.is_empty() { "" } else { "\n" }, quoted(builder.slug.as_str()));
        for name in FIELDS {
            let Some(value) = field::value_of(builder, name) else { continue };
            let _ = match *name {
                "category" => {
                    let keys: Vec<String> = builder.categories.iter().map(|key| quoted(key)).collect();
                    writeln!(text, "categories = [{}]", keys.join(", "))
                }
                switch if field::is_switch(switch) => writeln!(text, "{switch} = true"),
                other => writeln!(text, "{other} = {}", quoted(&value)),
            };
        }
        let handles: Vec<String> =
            NETWORKS.iter().filter_map(|network| Some(format!("{network} = {}", quoted(builder.handles.get(*network)?)))).collect();
        if !handles.is_empty() {
            let _ = writeln!(text, "handles = {{ {} }}", handles.join(", "));
        }
        for (source, owner) in places.get(&builder.id).into_iter().flatten() {
            let _ = write!(text, "\n[[builder.source]]\nkind = \"{}\"\nurl = {}\n", source.kind, quoted(&source.url));
            if let Some(author) = &owner.author {
                let _ = writeln!(text, "author = {}", quoted(author));
            }
            for name in Filters::NAMES {
                if let Some(list) = owner.filters.get(name) {
                    let values: Vec<String> = list.split(';').map(quoted).collect();
                    let _ = writeln!(text, "{name} = [{}]", values.join(", "));
                }
            }
        }
    }
    text
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    ::toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builders_and_sources_are_lines_of_their_own() {
        let roster = read(
            r#"# ours
[[builder]]
slug = "ada"
name = "Ada"
cohort = 2026
categories = ["data", "ml"]
active_from = 2026-01-31
not_public = true
email = ""
handles = { mastodon = "@ada@social.example" }

[[builder.source]]
url = "https://ada.example/feed"

[[builder.source]]
kind = "rss"
url = "ftp://ada.example/feed"

[[builder]]
slug = "bob"
name = "Bob"
nmae = "x"
"#,
        )
        .unwrap();
        assert_eq!(roster.lines.iter().map(|line| line.line).collect::<Vec<_>>(), [2, 12]);
        let fields = &roster.lines[0].fields;
        let expected = [
            ("active_from", Some("2026-01-31")),
            ("category", Some("data;ml")),
            ("cohort", Some("2026")),
            ("email", None),
            ("mastodon", Some("ada@social.example")),
            ("name", Some("Ada")),
            ("not_public", Some("yes")),
        ];
        assert_eq!(fields.iter().map(|(name, value)| (*name, value.as_deref())).collect::<Vec<_>>(), expected);
        let refused: Vec<_> = roster.refused.iter().map(|refusal| (refusal.line, refusal.reason.as_str())).collect();
        assert_eq!(refused[0], (15, "only http and https addresses are taken, not `ftp:`"));
        assert!(refused[1].0 == 19 && refused[1].1.starts_with("line 22: unknown key `nmae`"), "{refused:?}");
    }

    #[test]
    fn a_text_that_is_no_toml_is_refused_with_its_line() {
        assert_eq!(read("[[builder]]\nslug = \n").unwrap_err().line, 2);
        assert_eq!(read("\nmembers = 3\n").unwrap_err().line, 2);
    }
}

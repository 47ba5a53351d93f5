//! JSON for other programs: the readers' variant, and the staff's with reasons, points and balance.
//!
//! The shape is described in `docs/digest.schema.json`; a change of it raises [`SCHEMA`].

use serde::Serialize;

use super::prose::{clean, cut, direction};
use super::shown::{instant, web_address};
use super::{Context, RenderError, SCHEMA, language};
use crate::model::{Balance, Digest, Outcome, Pick, Reason, WeekSupply};

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    week: String,
    from: String,
    to: String,
    title: String,
    program: String,
    url: String,
    state: &'static str,
    edition: u32,
    published_at: Option<String>,
    intro: Option<String>,
    /// The id of the work that leads.
    lead: Option<&'a str>,
    /// The sentence of a week without works.
    note: Option<&'static str>,
    sections: Vec<Section<'a>>,
    corrections: Vec<Correction>,
    inputs: Inputs<'a>,
    #[serde(flatten)]
    staff: Option<Staff<'a>>,
}

#[derive(Serialize)]
struct Section<'a> {
    category: &'a str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    intro: Option<String>,
    works: Vec<Work<'a>>,
}

#[derive(Serialize)]
struct Work<'a> {
    id: &'a str,
    title: String,
    title_gloss: Option<String>,
    lang: Option<String>,
    dir: &'static str,
    kind: &'static str,
    duration_s: Option<u32>,
    words: Option<u32>,
    url: Option<String>,
    also: Vec<String>,
    published: Option<String>,
    builders: Vec<Builder<'a>>,
    category: &'a str,
    services: Vec<String>,
    summary: Option<String>,
    summary_source: Option<&'static str>,
    #[serde(flatten)]
    staff: Option<WorkStaff<'a>>,
}

#[derive(Serialize)]
struct Builder<'a> {
    id: String,
    name: String,
    /// The name in addresses, of those who have a public page.
    #[serde(skip_serializing_if = "Option::is_none")]
    slug: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    handles: std::collections::BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Correction {
    at: String,
    text: String,
}

#[derive(Serialize)]
struct Inputs<'a> {
    cutoff_at: String,
    cutoff_seq: i64,
    late: bool,
    config_hash: &'a str,
    rules_version: u32,
    edit_hash: Option<&'a str>,
    supersedes: Option<&'a str>,
    program_version: &'static str,
}

#[derive(Serialize)]
struct Staff<'a> {
    eligible_works: u32,
    nominees: u32,
    outcomes: &'a [Outcome],
    balance: &'a Balance,
    supply: &'a WeekSupply,
}

#[derive(Serialize)]
struct WorkStaff<'a> {
    round: u32,
    region: &'a str,
    quality: i64,
    substance: i64,
    response: i64,
    gain: i64,
    reasons: &'a [Reason],
}

/// What readers get.
pub(crate) fn document(digest: &Digest, ctx: &Context) -> Result<String, RenderError> {
    write(digest, ctx, false)
}

/// What staff get: the same, with reasons, points, outcomes and balance.
pub fn staff_json(digest: &Digest, ctx: &Context) -> Result<String, RenderError> {
    write(digest, ctx, true)
}

fn write(digest: &Digest, ctx: &Context, staff: bool) -> Result<String, RenderError> {
    let shown = super::Shown::of(digest, ctx);
    let document = Document {
        schema: SCHEMA,
        week: digest.week.to_string(),
        from: digest.week.monday().to_string(),
        to: digest.week.sunday().to_string(),
        title: format!("{}: {}", shown.program, shown.heading),
        program: shown.program,
        url: shown.permalink,
        state: ctx.state.as_str(),
        edition: ctx.edition,
        published_at: ctx.published_at.map(instant),
        intro: shown.intro,
        lead: digest.lead().map(|pick| pick.work.as_str()),
        note: shown.nothing,
        sections: digest
            .sections
            .iter()
            .filter(|section| !section.picks.is_empty())
            .map(|section| Section {
                category: &section.category,
                name: clean(&section.name),
                intro: section.intro.as_deref().map(clean).filter(|intro| !intro.is_empty()),
                works: section.picks.iter().map(|pick| work(pick, staff)).collect(),
            })
            .collect(),
        corrections: ctx
            .corrections
            .iter()
            .map(|correction| Correction { at: instant(correction.at), text: clean(&correction.text) })
            .collect(),
        inputs: Inputs {
            cutoff_at: instant(digest.cutoff_at),
            cutoff_seq: digest.cutoff_seq.0,
            late: digest.late,
            config_hash: &digest.config_hash,
            rules_version: digest.rules_version,
            edit_hash: ctx.edit_hash.as_deref(),
            supersedes: ctx.supersedes.as_deref(),
            program_version: env!("CARGO_PKG_VERSION"),
        },
        staff: staff.then_some(Staff {
            eligible_works: digest.eligible_works,
            nominees: digest.nominees,
            outcomes: &digest.outcomes,
            balance: &digest.balance,
            supply: &digest.supply,
        }),
    };
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    Ok(text)
}

fn work(pick: &Pick, staff: bool) -> Work<'_> {
    let title = clean(&pick.title);
    let summary = pick.summary.as_deref().map(|summary| cut(&clean(summary), 280)).filter(|summary| !summary.is_empty());
    Work {
        id: pick.work.as_str(),
        dir: direction(&title),
        title,
        title_gloss: pick.title_gloss.as_deref().map(clean),
        lang: pick.language.as_deref().and_then(language::tag),
        kind: pick.kind.as_str(),
        duration_s: pick.duration_s,
        words: pick.words,
        url: web_address(&pick.url),
        also: pick.also.iter().filter_map(|also| web_address(also)).collect(),
        published: pick.published_at.map(instant),
        builders: pick
            .builders
            .iter()
            .map(|builder| Builder {
                id: builder.id.to_string(),
                name: clean(&builder.name),
                slug: Some(builder.slug.as_str()).filter(|_| !builder.not_public),
                country: builder.country.as_deref(),
                handles: builder.handles.iter().map(|(network, handle)| (network.clone(), clean(handle))).collect(),
            })
            .collect(),
        category: &pick.category,
        services: pick.services.iter().map(|service| clean(service)).collect(),
        summary_source: summary.is_some().then_some(if pick.summary_source == "editor" { "editor" } else { "author" }),
        summary,
        staff: staff.then_some(WorkStaff {
            round: pick.round,
            region: &pick.region,
            quality: pick.quality,
            substance: pick.substance,
            response: pick.response,
            gain: pick.gain,
            reasons: &pick.reasons,
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::render::sample;

    /// The part of JSON Schema that `docs/digest.schema.json` uses.
    fn check(value: &Value, schema: &Value, root: &Value, at: &str) {
        if let Some(name) = schema["$ref"].as_str() {
            return check(value, root.pointer(name.trim_start_matches('#')).unwrap(), root, at);
        }
        if let Some(wanted) = schema.get("const") {
            assert_eq!(value, wanted, "{at}");
        }
        if let Some(known) = schema["enum"].as_array() {
            assert!(known.contains(value), "{at} is {value}");
        }
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        if let Some(wanted) = schema.get("type") {
            let fits = wanted == kind || wanted.as_array().is_some_and(|kinds| kinds.iter().any(|wanted| wanted == kind));
            assert!(fits, "{at} is {kind}, not {wanted}");
        }
        for (place, item) in value.as_array().into_iter().flatten().enumerate() {
            check(item, &schema["items"], root, &format!("{at}/{place}"));
        }
        let Some(object) = value.as_object() else { return };
        for required in schema["required"].as_array().into_iter().flatten() {
            assert!(object.contains_key(required.as_str().unwrap()), "{at} lacks {required}");
        }
        for (key, item) in object {
            match schema["properties"].get(key) {
                Some(property) => check(item, property, root, &format!("{at}/{key}")),
                None => assert_ne!(schema["additionalProperties"], false, "{at}/{key} is not described"),
            }
        }
    }

    #[test]
    fn every_digest_has_the_shape_that_is_described() {
        let schema: Value = serde_json::from_str(include_str!("../../docs/digest.schema.json")).unwrap();
        for digest in [sample::rich(), sample::small(), sample::empty(), sample::full(sample::HOSTILE[0])] {
            let document: Value = serde_json::from_str(&document(&digest, &sample::context()).unwrap()).unwrap();
            check(&document, &schema, &schema, "");
        }
    }

    #[test]
    fn readers_get_no_points() {
        insta::assert_snapshot!(document(&sample::rich(), &sample::context()).unwrap());
    }

    #[test]
    fn staff_get_the_same_and_more() {
        let read = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let public = read(document(&sample::small(), &sample::context()).unwrap());
        let staff = read(staff_json(&sample::small(), &sample::context()).unwrap());
        for (key, value) in public.as_object().unwrap() {
            if key != "sections" {
                assert_eq!(&staff[key], value, "{key}");
            }
        }
        assert_eq!(staff["sections"][0]["works"][0]["gain"], 790);
        assert_eq!(staff["outcomes"][0]["code"], "no_place");
    }

    #[test]
    fn an_empty_week() {
        insta::assert_snapshot!(document(&sample::empty(), &sample::context()).unwrap());
    }
}

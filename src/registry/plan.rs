//! Lays a roster beside what is on record and says what each of its lines would do.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::model::{Builder, BuilderId, Filters, Owner, Slug, Source, SourceId, SourceKind};

use super::{AuthorFilter, Fields, Roster, RosterLine, check_pasted, field};

/// What an import would do. Nothing has been done yet.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ImportPlan {
    /// Every line of the file, in its order.
    pub lines: Vec<PlannedLine>,
    /// Builders that are new or changed, as they will be.
    pub builders: Vec<PlannedBuilder>,
    /// Claims to sources that are new or changed.
    pub sources: Vec<PlannedSource>,
    /// Members on record whom the file does not name. They stay as they are.
    pub absent: Vec<Slug>,
    /// Sources on record of members whom the file names, which it does not name. They stay as they are.
    pub absent_sources: Vec<AbsentSource>,
}

/// One line and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedLine {
    pub line: usize,
    pub builder: Option<Slug>,
    /// The address as it stands in the file.
    pub source: Option<String>,
    #[serde(flatten)]
    pub outcome: LineOutcome,
}

/// What comes of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum LineOutcome {
    /// A builder or a claim to a source is new. `fields` are those of a known builder that the line changes besides.
    Added {
        fields: Vec<&'static str>,
    },
    /// What changes: fields of the builder, `author` of the claim, `source` or `builder` where one returns.
    Changed {
        fields: Vec<&'static str>,
    },
    Unchanged,
    /// Has no effect at all, for this reason.
    Refused {
        reason: String,
    },
}

/// A builder as the import will leave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedBuilder {
    /// `None` for a new one, whose `builder.id` means nothing.
    pub existing: Option<BuilderId>,
    pub builder: Builder,
    /// The fields that change; for a new one all that are given.
    pub fields: Vec<&'static str>,
}

/// A claim to a source that is to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedSource {
    pub line: usize,
    pub builder: Slug,
    /// The source, where it is on record already, whoever owns it.
    pub existing: Option<SourceId>,
    pub kind: SourceKind,
    pub locator: String,
    pub url: String,
    pub author: Option<String>,
    /// As they will be.
    pub filters: Filters,
}

/// A source that the file does not name although it names its builder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AbsentSource {
    pub builder: Slug,
    pub id: SourceId,
    pub kind: SourceKind,
    pub url: String,
}

/// How many lines came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ImportCounts {
    pub added: usize,
    pub changed: usize,
    pub unchanged: usize,
    pub refused: usize,
}

impl ImportPlan {
    /// Counts the lines by outcome.
    pub fn counts(&self) -> ImportCounts {
        let mut counts = ImportCounts::default();
        for line in &self.lines {
            match line.outcome {
                LineOutcome::Added { .. } => counts.added += 1,
                LineOutcome::Changed { .. } => counts.changed += 1,
                LineOutcome::Unchanged => counts.unchanged += 1,
                LineOutcome::Refused { .. } => counts.refused += 1,
            }
        }
        counts
    }

    /// Whether the import would write nothing.
    pub fn is_empty(&self) -> bool {
        self.builders.is_empty() && self.sources.is_empty()
    }
}

/// Turns what was pasted, and a kind where one was given, into a kind, a locator and an address for people, or a sentence
/// why it cannot.
pub type Resolve<'a> = dyn Fn(Option<SourceKind>, &str) -> Result<(SourceKind, String, String), String> + 'a;

/// A claim whose address was understood.
struct Claim {
    kind: SourceKind,
    locator: String,
    url: String,
    author: AuthorFilter,
    filters: Fields,
}

/// A line on its way through the plan.
struct Candidate<'a> {
    line: &'a RosterLine,
    claim: Option<Claim>,
    refused: Option<String>,
    /// The same claim stands on an earlier line.
    is_repeat: bool,
}

impl Candidate<'_> {
    fn is_good(&self) -> bool {
        self.refused.is_none()
    }
}

/// Plans the import of a roster.
///
/// `current` and `current_sources` are all that is on record, those that left included. Where lines contradict one another
/// the first one holds, and the later one is refused with both named. Planning the same file again after it was written
/// down finds every line unchanged.
pub fn plan(roster: &Roster, current: &[Builder], current_sources: &[Source], resolve: &Resolve<'_>) -> ImportPlan {
    let builders: HashMap<&Slug, &Builder> = current.iter().map(|builder| (&builder.slug, builder)).collect();
    let sources: HashMap<(SourceKind, &str), &Source> =
        current_sources.iter().map(|source| ((source.kind, source.locator.as_str()), source)).collect();
    let mut candidates: Vec<Candidate<'_>> = roster.lines.iter().map(|line| candidate(line, resolve)).collect();

    // The lines of one builder, in the order in which builders turn up.
    let mut groups: Vec<(&Slug, Vec<usize>)> = Vec::new();
    let mut group_of: HashMap<&Slug, usize> = HashMap::new();
    for (index, line) in roster.lines.iter().enumerate() {
        let group = *group_of.entry(&line.builder).or_insert_with(|| {
            groups.push((&line.builder, Vec::new()));
            groups.len() - 1
        });
        groups[group].1.push(index);
    }

    let mut plan = ImportPlan::default();
    for refusal in &roster.refused {
        let outcome = LineOutcome::Refused { reason: refusal.reason.clone() };
        plan.lines.push(PlannedLine { line: refusal.line, builder: refusal.builder.clone(), source: None, outcome });
    }
    for (slug, members) in &groups {
        let known = builders.get(slug).copied();
        refuse_contradictions(&mut candidates, members);
        refuse_the_impossible(&mut candidates, members, slug, known);
        plan_builder(&mut plan, &candidates, members, slug, known, &sources);
    }
    plan.lines.sort_by_key(|line| line.line);

    let refused: HashSet<&Slug> = roster.refused.iter().filter_map(|refusal| refusal.builder.as_ref()).collect();
    plan.absent = current
        .iter()
        .map(|builder| &builder.slug)
        .filter(|slug| !group_of.contains_key(slug) && !refused.contains(slug))
        .cloned()
        .collect();
    plan.absent.sort();
    plan.absent_sources = absent_sources(&candidates, &builders, current_sources);
    plan
}

fn candidate<'a>(line: &'a RosterLine, resolve: &Resolve<'_>) -> Candidate<'a> {
    let claim = line.source.as_ref().map(|source| {
        check_pasted(&source.url)?;
        let (kind, locator, url) = resolve(source.kind, &source.url)?;
        Ok(Claim { kind, locator, url, author: source.author.clone(), filters: source.filters.clone() })
    });
    let (claim, refused) = match claim.transpose() {
        Ok(claim) => (claim, None),
        Err(reason) => (None, Some(reason)),
    };
    Candidate { line, claim, refused, is_repeat: false }
}

/// Refuses lines that say something else than an earlier line of the same builder.
fn refuse_contradictions(candidates: &mut [Candidate<'_>], members: &[usize]) {
    let mut said: HashMap<&str, (usize, &Option<String>)> = HashMap::new();
    let mut claimed: HashMap<(SourceKind, String), (usize, AuthorFilter, Fields)> = HashMap::new();
    for &index in members {
        let candidate = &mut candidates[index];
        if candidate.refused.is_some() {
            continue;
        }
        let line = candidate.line;
        let clash = line.fields.iter().find_map(|(field, value)| match said.get(field) {
            Some((earlier, other)) if *other != value => Some((*field, *earlier, *other, value)),
            _ => None,
        });
        if let Some((field, earlier, other, value)) = clash {
            candidate.refused = Some(if field == "email" {
                format!("line {} gives another email for `{}` than line {earlier}", line.line, line.builder)
            } else {
                let show = |value: &Option<String>| value.as_ref().map_or("nothing".to_owned(), |text| format!("`{text}`"));
                format!("line {} says {field} is {}, line {earlier} says {}", line.line, show(value), show(other))
            });
            continue;
        }
        if let Some(claim) = &candidate.claim {
            let place = (claim.kind, claim.locator.clone());
            match claimed.get(&place) {
                Some((earlier, author, _)) if *author != claim.author => {
                    candidate.refused = Some(format!("line {} names the place of line {earlier} with another author", line.line));
                    continue;
                }
                Some((earlier, _, filters)) if *filters != claim.filters => {
                    candidate.refused = Some(format!("line {} names the place of line {earlier} with other filters", line.line));
                    continue;
                }
                Some(_) => candidate.is_repeat = true,
                None => {
                    claimed.insert(place, (line.line, claim.author.clone(), claim.filters.clone()));
                }
            }
        }
        for (field, value) in &line.fields {
            said.entry(field).or_insert((line.line, value));
        }
    }
}

/// Refuses all lines of a builder that would come to be without a name, or with an end before the beginning.
fn refuse_the_impossible(candidates: &mut [Candidate<'_>], members: &[usize], slug: &Slug, known: Option<&Builder>) {
    let builder = merged(candidates, members, slug, known);
    let fault = if builder.name.is_empty() {
        Some(format!("`{slug}` is not on record yet, and no usable line gives the name"))
    } else if let (Some(from), Some(to)) = (builder.active_from, builder.active_to)
        && to <= from
    {
        Some(format!("`{slug}` would be active to a day before the one from which they are"))
    } else {
        None
    };
    let Some(fault) = fault else { return };
    for &index in members {
        candidates[index].refused.get_or_insert_with(|| fault.clone());
    }
}

/// The builder as the good lines leave it.
fn merged(candidates: &[Candidate<'_>], members: &[usize], slug: &Slug, known: Option<&Builder>) -> Builder {
    let mut builder = known.cloned().unwrap_or_else(|| field::blank(slug.clone()));
    for &index in members {
        if candidates[index].is_good() {
            for (name, value) in &candidates[index].line.fields {
                field::set(&mut builder, name, value.as_deref());
            }
        }
    }
    builder
}

/// An address as a report may show it: reports are pasted and kept, so a password does not belong into them.
fn without_password(pasted: &str) -> String {
    match url::Url::parse(pasted.trim()) {
        Ok(mut url) if url.password().is_some() || !url.username().is_empty() => {
            let hidden = url.set_password(None).and_then(|()| url.set_username(""));
            hidden.map_or_else(|()| String::new(), |()| url.into())
        }
        _ => pasted.to_owned(),
    }
}

fn plan_builder(
    plan: &mut ImportPlan,
    candidates: &[Candidate<'_>],
    members: &[usize],
    slug: &Slug,
    known: Option<&Builder>,
    sources: &HashMap<(SourceKind, &str), &Source>,
) {
    let mut builder = merged(candidates, members, slug, known);
    let mut changed: Vec<&'static str> = Vec::new();
    let mut is_first = true;
    for &index in members {
        let candidate = &candidates[index];
        let line = candidate.line;
        let source = line.source.as_ref().map(|source| without_password(&source.url));
        let mut report =
            |outcome| plan.lines.push(PlannedLine { line: line.line, builder: Some(slug.clone()), source: source.clone(), outcome });
        if let Some(reason) = &candidate.refused {
            report(LineOutcome::Refused { reason: reason.clone() });
            continue;
        }
        let mut fields: Vec<&'static str> = Vec::new();
        for field in line.fields.keys() {
            let before = known.and_then(|known| field::value_of(known, field));
            if before != field::value_of(&builder, field) && !changed.contains(field) {
                fields.push(field);
            }
        }
        changed.extend(&fields);
        if is_first && known.is_some_and(|known| known.absent_since.is_some()) {
            fields.push("builder");
            changed.push("builder");
        }
        let claim = candidate.claim.as_ref().filter(|_| !candidate.is_repeat);
        let step = claim.and_then(|claim| step_of(claim, known, sources));
        if let (Some(claim), Some(step)) = (claim, &step) {
            plan.sources.push(PlannedSource {
                line: line.line,
                builder: slug.clone(),
                existing: sources.get(&(claim.kind, claim.locator.as_str())).map(|source| source.id),
                kind: claim.kind,
                locator: claim.locator.clone(),
                url: claim.url.clone(),
                author: match &claim.author {
                    AuthorFilter::Only(author) => Some(author.clone()),
                    AuthorFilter::Everybody => None,
                    AuthorFilter::Unsaid => owner_of(claim, known, sources).and_then(|owner| owner.author.clone()),
                },
                filters: filters_of(claim, owner_of(claim, known, sources)),
            });
            if let ClaimStep::Changed(what) = step {
                fields.push(what);
            }
        }
        let is_new = (is_first && known.is_none()) || matches!(step, Some(ClaimStep::New));
        report(match (is_new, fields.is_empty()) {
            (true, _) if known.is_none() => LineOutcome::Added { fields: Vec::new() },
            (true, _) => LineOutcome::Added { fields },
            (false, false) => LineOutcome::Changed { fields },
            (false, true) => LineOutcome::Unchanged,
        });
        is_first = false;
    }
    // A builder none of whose lines is good is not touched.
    if !is_first && (known.is_none() || !changed.is_empty()) {
        builder.absent_since = None;
        plan.builders.push(PlannedBuilder { existing: known.map(|known| known.id), builder, fields: changed });
    }
}

/// What a claim asks to be written.
enum ClaimStep {
    New,
    Changed(&'static str),
}

/// The claim as it is on record.
fn owner_of<'a>(claim: &Claim, known: Option<&Builder>, sources: &HashMap<(SourceKind, &str), &'a Source>) -> Option<&'a Owner> {
    let source = sources.get(&(claim.kind, claim.locator.as_str()))?;
    source.owners.iter().find(|owner| known.is_some_and(|known| known.id == owner.builder))
}

/// The filters as the line leaves them: what it does not speak of stays.
fn filters_of(claim: &Claim, owner: Option<&Owner>) -> Filters {
    let mut filters = owner.map(|owner| owner.filters.clone()).unwrap_or_default();
    for (name, list) in &claim.filters {
        // Checked when the line was read.
        let _ = filters.set(name, list.as_deref());
    }
    filters
}

fn step_of(claim: &Claim, known: Option<&Builder>, sources: &HashMap<(SourceKind, &str), &Source>) -> Option<ClaimStep> {
    let source = sources.get(&(claim.kind, claim.locator.as_str()));
    match (source, owner_of(claim, known, sources)) {
        (Some(source), Some(_)) if source.left => Some(ClaimStep::Changed("source")),
        (Some(_), Some(owner)) => {
            let changed = match &claim.author {
                // An author that is left out says nothing, like any empty field.
                AuthorFilter::Unsaid => false,
                AuthorFilter::Everybody => owner.author.is_some(),
                AuthorFilter::Only(author) => owner.author.as_ref() != Some(author),
            };
            if changed {
                return Some(ClaimStep::Changed("author"));
            }
            (filters_of(claim, Some(owner)) != owner.filters).then_some(ClaimStep::Changed("filters"))
        }
        _ => Some(ClaimStep::New),
    }
}

fn absent_sources(candidates: &[Candidate<'_>], builders: &HashMap<&Slug, &Builder>, current_sources: &[Source]) -> Vec<AbsentSource> {
    let mut slugs: HashMap<BuilderId, &Slug> = HashMap::new();
    let mut named: HashSet<(BuilderId, SourceKind, &str)> = HashSet::new();
    for candidate in candidates {
        if let Some(builder) = builders.get(&candidate.line.builder) {
            slugs.insert(builder.id, &builder.slug);
            named.extend(candidate.claim.as_ref().map(|claim| (builder.id, claim.kind, claim.locator.as_str())));
        }
    }
    let mut absent: Vec<AbsentSource> = Vec::new();
    for source in current_sources.iter().filter(|source| !source.left && source.kind != SourceKind::Manual) {
        for owner in &source.owners {
            if let Some(slug) = slugs.get(&owner.builder)
                && !named.contains(&(owner.builder, source.kind, source.locator.as_str()))
            {
                absent.push(AbsentSource { builder: (*slug).clone(), id: source.id, kind: source.kind, url: source.url.clone() });
            }
        }
    }
    absent.sort_by(|a, b| (&a.builder, a.kind, &a.url).cmp(&(&b.builder, b.kind, &b.url)));
    absent
}

/// The builders that have not left, by slug, for an export.
pub(super) fn present(builders: &[Builder]) -> Vec<&Builder> {
    let mut present: Vec<&Builder> = builders.iter().filter(|builder| builder.absent_since.is_none()).collect();
    present.sort_by(|a, b| a.slug.cmp(&b.slug));
    present
}

/// The places of each builder that have not left, by kind and address, for an export.
pub(super) fn places_by_builder(sources: &[Source]) -> HashMap<BuilderId, Vec<(&Source, &Owner)>> {
    // Works by hand are no place that a roster names.
    let mut sorted: Vec<&Source> = sources.iter().filter(|source| !source.left && source.kind != SourceKind::Manual).collect();
    sorted.sort_by(|a, b| (a.kind, &a.url, &a.locator).cmp(&(b.kind, &b.url, &b.locator)));
    let mut places: HashMap<BuilderId, Vec<(&Source, &Owner)>> = HashMap::new();
    for source in sorted {
        for owner in &source.owners {
            places.entry(owner.builder).or_default().push((source, owner));
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{RosterFormat, export_csv, export_opml, export_toml, read};

    /// Stands in for discovery: what has a scheme is a feed at its address without fragment, everything else is refused.
    fn resolve(kind: Option<SourceKind>, pasted: &str) -> Result<(SourceKind, String, String), String> {
        let url = url::Url::parse(pasted).map_err(|error| error.to_string())?;
        let mut locator = url.clone();
        locator.set_fragment(None);
        Ok((kind.unwrap_or(SourceKind::Rss), locator.to_string(), url.to_string()))
    }

    #[derive(Default)]
    struct Record {
        builders: Vec<Builder>,
        sources: Vec<Source>,
    }

    impl Record {
        fn plan(&self, text: &str, format: RosterFormat) -> ImportPlan {
            plan(&read(text.as_bytes(), format).unwrap(), &self.builders, &self.sources, &resolve)
        }

        fn import(&mut self, text: &str, format: RosterFormat) -> ImportPlan {
            let plan = self.plan(text, format);
            for planned in &plan.builders {
                if let Some(id) = planned.existing {
                    *self.builders.iter_mut().find(|builder| builder.id == id).unwrap() = planned.builder.clone();
                } else {
                    let id = BuilderId(i64::try_from(self.builders.len()).unwrap() + 1);
                    self.builders.push(Builder { id, ..planned.builder.clone() });
                }
            }
            for planned in &plan.sources {
                let builder = self.builders.iter().find(|builder| builder.slug == planned.builder).unwrap().id;
                let owner = Owner { builder, author: planned.author.clone(), filters: planned.filters.clone() };
                let place = |source: &&mut Source| source.kind == planned.kind && source.locator == planned.locator;
                if let Some(source) = self.sources.iter_mut().find(place) {
                    source.owners.retain(|owner| owner.builder != builder);
                    source.owners.push(owner);
                } else {
                    let id = SourceId(i64::try_from(self.sources.len()).unwrap() + 1);
                    let (kind, locator, url) = (planned.kind, planned.locator.clone(), planned.url.clone());
                    self.sources.push(Source { id, kind, locator, url, owners: vec![owner], paused: false, left: false });
                }
            }
            plan
        }
    }

    fn outcomes(plan: &ImportPlan) -> Vec<(usize, &'static str)> {
        let word = |outcome: &LineOutcome| match outcome {
            LineOutcome::Added { .. } => "added",
            LineOutcome::Changed { .. } => "changed",
            LineOutcome::Unchanged => "unchanged",
            LineOutcome::Refused { .. } => "refused",
        };
        plan.lines.iter().map(|line| (line.line, word(&line.outcome))).collect()
    }

    fn reason(plan: &ImportPlan, line: usize) -> &str {
        match &plan.lines.iter().find(|planned| planned.line == line).unwrap().outcome {
            LineOutcome::Refused { reason } => reason,
            other => panic!("line {line} is {other:?}"),
        }
    }

    const ROSTER: &str = "builder,name,kind,url,country,email,author,mastodon,category,active_to,not_featured\n\
        ada,Ada,rss,https://team.example/feed,NG,ada@example.org,Ada N,@ada@social.example,data;ml,2027-01-31,yes\n\
        ada,,,https://ada.example/feed,,,,,,,\n\
        bob,=Bob,,https://team.example:443/feed#top,,,,,,,\n\
        cy,\"Cy \"\"C\"\", O’Connor\",,,,,,,,,\n";

    #[test]
    fn importing_twice_changes_nothing() {
        let mut record = Record::default();
        let plan = record.import(ROSTER, RosterFormat::Csv);
        assert_eq!(outcomes(&plan), [(2, "added"), (3, "added"), (4, "added"), (5, "added")]);
        assert_eq!((record.builders.len(), record.sources.len()), (3, 2));
        assert_eq!(record.sources[0].owners.len(), 2, "one place, two builders");
        let again = record.import(ROSTER, RosterFormat::Csv);
        assert!(again.is_empty());
        assert!(outcomes(&again).iter().all(|(_, word)| *word == "unchanged"), "{:?}", outcomes(&again));
        assert_eq!((&again.absent[..], &again.absent_sources[..]), (&[][..], &[][..]));
    }

    #[test]
    fn our_own_exports_give_the_old_roster_back() {
        let mut record = Record::default();
        record.import(ROSTER, RosterFormat::Csv);
        let exports = [
            (RosterFormat::Csv, export_csv(&record.builders, &record.sources)),
            (RosterFormat::Toml, export_toml(&record.builders, &record.sources)),
            (RosterFormat::Opml, export_opml(&record.builders, &record.sources)),
        ];
        for (format, text) in exports {
            let same = record.plan(&text, format);
            assert!(same.is_empty() && same.counts().refused == 0, "{format}: {:?}\n{text}", same.lines);
            let mut fresh = Record::default();
            fresh.import(&text, format);
            // An OPML file is passed around: it tells names and places, never addresses, switches or members without a place.
            if format == RosterFormat::Opml {
                assert!(!text.contains("ada@example.org"));
                assert_eq!(export_opml(&fresh.builders, &fresh.sources), text);
            } else {
                assert_eq!(export_csv(&fresh.builders, &fresh.sources), export_csv(&record.builders, &record.sources), "{format}");
            }
        }
    }

    #[test]
    fn changes_name_their_fields_and_members_left_out_stay() {
        let mut record = Record::default();
        record.import(ROSTER, RosterFormat::Csv);
        let text = "builder,name,kind,url,country,author,mastodon\n\
            ada,Ada N.,rss,https://team.example/feed,GH,A. Nwosu,-\n\
            bob,,rss,https://bob.example/feed,,,\n";
        let plan = record.import(text, RosterFormat::Csv);
        let changed = LineOutcome::Changed { fields: vec!["country", "mastodon", "name", "author"] };
        assert_eq!(plan.lines[0].outcome, changed);
        assert_eq!(plan.lines[1].outcome, LineOutcome::Added { fields: vec![] });
        assert_eq!(plan.absent.iter().map(Slug::as_str).collect::<Vec<_>>(), ["cy"]);
        let absent: Vec<_> = plan.absent_sources.iter().map(|source| (source.builder.as_str(), source.url.as_str())).collect();
        assert_eq!(absent, [("ada", "https://ada.example/feed"), ("bob", "https://team.example/feed")]);
        let ada = &record.builders[0];
        assert_eq!((ada.country.as_deref(), ada.email.as_deref()), (Some("GH"), Some("ada@example.org")));
        assert!(ada.handles.is_empty() && ada.switches.not_featured, "what is not spoken of stays");
    }

    #[test]
    fn a_filter_stays_until_it_is_emptied() {
        let toml = |author: &str| {
            format!("[[builder]]\nslug = \"ada\"\nname = \"Ada\"\n[[builder.source]]\nurl = \"https://team.example/feed\"\n{author}")
        };
        let opml = |author: &str| {
            format!(
                "<opml version=\"2.0\" xmlns:clarion=\"https://clarion.example/\"><body><outline text=\"Ada\" clarion:builder=\"ada\">\
                 <outline type=\"rss\" text=\"t\" xmlUrl=\"https://team.example/feed\"{author}/></outline></body></opml>"
            )
        };
        let csv = |author: &str| format!("builder,name,kind,url,author\nada,Ada,,https://team.example/feed,{author}\n");
        let filter = |record: &Record| record.sources[0].owners[0].author.clone();
        for (format, unsaid, emptied) in [
            (RosterFormat::Toml, toml(""), toml("author = \"\"\n")),
            (RosterFormat::Opml, opml(""), opml(" clarion:author=\"\"")),
            (RosterFormat::Csv, csv(""), csv("-")),
        ] {
            let mut record = Record::default();
            record.import(&csv("Ada N"), RosterFormat::Csv);
            assert!(record.import(&unsaid, format).sources.is_empty(), "{format}");
            record.sources[0].left = true;
            record.import(&unsaid, format);
            assert_eq!(filter(&record).as_deref(), Some("Ada N"), "{format}: a place that returns keeps its filter");
            record.sources[0].left = false;
            let plan = record.import(&emptied, format);
            assert!(plan.lines.iter().any(|line| line.outcome == LineOutcome::Changed { fields: vec!["author"] }), "{format}: {plan:?}");
            assert_eq!(filter(&record), None, "{format}");
            assert!(record.import(&emptied, format).is_empty(), "{format}");
        }
    }

    #[test]
    fn the_later_of_two_lines_that_contradict_is_refused_with_both_named() {
        let text = "builder,name,kind,url,country,author\n\
            ada,Ada,,https://a.example/1,NG,\n\
            ada,Ada,,https://a.example/2,GH,\n\
            ada,,,https://a.example/1#x,,\n\
            ada,,,https://a.example/1,,Ada\n";
        let plan = Record::default().import(text, RosterFormat::Csv);
        assert_eq!(outcomes(&plan), [(2, "added"), (3, "refused"), (4, "unchanged"), (5, "refused")]);
        assert_eq!(reason(&plan, 3), "line 3 says country is `GH`, line 2 says `NG`");
        assert!(reason(&plan, 5).contains("line 2"));
        assert_eq!(plan.sources.len(), 1, "a refused line has no effect");
    }

    #[test]
    fn a_builder_without_any_good_line_is_not_made() {
        let text = "builder,name,kind,url,active_from,active_to\n\
            ada,Ada,,not an address,,\n\
            ada,,,https://a.example/,,\n\
            bob,,,https://b.example/,,\n\
            cy,Cy,,,2026-02-01,2026-01-01\n";
        let plan = Record::default().import(text, RosterFormat::Csv);
        assert_eq!(plan.counts(), ImportCounts { refused: 4, ..ImportCounts::default() });
        assert!(plan.is_empty());
        assert!(reason(&plan, 3).contains("name") && reason(&plan, 5).contains("active"));
    }

    #[test]
    fn who_left_returns_with_the_roster() {
        let mut record = Record::default();
        record.import(ROSTER, RosterFormat::Csv);
        record.builders[0].absent_since = Some(jiff::Timestamp::UNIX_EPOCH);
        record.sources[0].left = true;
        let plan = record.plan(ROSTER, RosterFormat::Csv);
        assert_eq!(plan.lines[0].outcome, LineOutcome::Changed { fields: vec!["builder", "source"] });
        assert_eq!(plan.builders[0].builder.absent_since, None);
        assert!(!export_csv(&record.builders, &record.sources).contains("ada,"));
    }

    #[test]
    fn thousands_of_rows_are_planned_and_what_is_absent_is_left_alone() {
        use std::fmt::Write as _;
        let mut text = String::from("builder,name,kind,url,country,timezone\n");
        for n in 0..5_000 {
            let _ = writeln!(text, "b{},B,rss,https://h{n}.example/feed,NG,Africa/Lagos", n / 2);
        }
        let mut record = Record::default();
        assert_eq!(record.plan(&text, RosterFormat::Csv).counts().added, 5_000);
        record.import("builder,name,kind,url\nb1,B,,\n", RosterFormat::Csv);
        assert_eq!(record.plan(&text, RosterFormat::Csv).builders.len(), 2_500);
    }
}

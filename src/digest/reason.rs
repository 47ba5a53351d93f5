//! Why, in words for staff (DIGEST.md section 4.6).
//!
//! In: what came of the choice. Out: reasons whose points add up to the gain, and one outcome per candidate.
//! Public pages never print these: nobody is presented as a quota.

use super::Inputs;
use super::quality::Quality;
use super::select::{Entrant, Selection, Terms};
use crate::config::{Category, Region};
use crate::model::{Outcome, OutcomeCode, Reason, ReasonTerm, Week};

/// The names and the week that the words need.
pub(super) struct Words<'a> {
    pub week: Week,
    pub categories: Vec<&'a Category>,
    pub regions: &'a [Region],
}

impl<'a> Words<'a> {
    pub(super) fn of(inputs: &Inputs<'a>, categories: Vec<&'a Category>) -> Self {
        Self { week: inputs.week, categories, regions: inputs.regions }
    }

    /// Every term that gives points, and quality always.
    pub(super) fn reasons(&self, entrant: &Entrant<'_>, terms: Terms, pinned: bool) -> Vec<Reason> {
        let mut reasons = Vec::with_capacity(7);
        if pinned {
            reasons.push(Reason { term: ReasonTerm::Pinned, points: 0, text: "pinned by an editor".to_owned() });
        }
        reasons.push(Reason { term: ReasonTerm::Quality, points: terms.quality, text: quality_text(&entrant.standing.quality) });
        let mut push = |term, points, text: &dyn Fn() -> String| {
            if points != 0 {
                reasons.push(Reason { term, points, text: text() });
            }
        };
        push(ReasonTerm::Fresh, terms.fresh, &|| format!("came out in {}", self.week));
        push(ReasonTerm::Turn, terms.turn, &|| match entrant.nearest_place {
            None => "never featured before".to_owned(),
            Some(next) if next > self.week => format!("featured {} later, in {next}", counted(next.weeks_since(self.week), "week")),
            Some(last) => format!("last featured {} ago", counted(self.week.weeks_since(last), "week")),
        });
        push(ReasonTerm::Category, terms.category, &|| owed_text(self.category_name(entrant.category), entrant.owed.0));
        push(ReasonTerm::Region, terms.region, &|| owed_text(self.region_name(entrant.region), entrant.owed.1));
        push(ReasonTerm::NewService, terms.new_service, &|| format!("the first on {}", entrant.service.unwrap_or_default()));
        reasons
    }

    /// What the category and the region are owed, each in words.
    pub(super) fn owed_texts(&self, entrant: &Entrant<'_>) -> (String, String) {
        (owed_text(self.category_name(entrant.category), entrant.owed.0), owed_text(self.region_name(entrant.region), entrant.owed.1))
    }

    fn category_name<'k>(&'k self, key: &'k str) -> &'k str {
        self.categories.iter().find(|category| category.key == key).map_or(key, |category| &category.name)
    }

    fn region_name<'k>(&'k self, key: &'k str) -> &'k str {
        self.regions.iter().find(|region| region.key == key).map_or(key, |region| &region.name)
    }

    /// One outcome for every candidate, in the order of the candidates.
    pub(super) fn outcomes(&self, selection: &Selection<'_>) -> Vec<Outcome> {
        let mut rounds = vec![None; selection.entrants.len()];
        for (round, (index, terms)) in selection.chosen.iter().enumerate() {
            rounds[*index] = Some((round + 1, *terms));
        }
        let last_gain = selection.chosen.last().map_or(0, |(_, terms)| terms.gain());
        selection
            .entrants
            .iter()
            .enumerate()
            .map(|(index, entrant)| self.outcome(selection, index, entrant, rounds[index], last_gain))
            .collect()
    }

    fn outcome(
        &self,
        selection: &Selection<'_>,
        index: usize,
        entrant: &Entrant<'_>,
        chosen: Option<(usize, Terms)>,
        last_gain: i64,
    ) -> Outcome {
        let candidate = entrant.standing.candidate;
        let mut outcome = Outcome {
            work: candidate.work.clone(),
            members: candidate.members.clone(),
            title: candidate.title.clone(),
            url: candidate.url.clone(),
            builders: candidate.builders.clone(),
            code: OutcomeCode::NoPlace,
            text: String::new(),
            quality: entrant.standing.quality.points,
            gain: None,
            short: None,
            reasons: Vec::new(),
        };
        if let Some((round, terms)) = chosen {
            outcome.code = OutcomeCode::Chosen;
            outcome.text = format!("chosen as number {round} with {} points", terms.gain());
            outcome.gain = Some(terms.gain());
            outcome.reasons = self.reasons(entrant, terms, entrant.standing.pinned.is_some());
            return outcome;
        }
        if let Some((code, text)) = &entrant.standing.fault {
            outcome.code = *code;
            outcome.text.clone_from(text);
            return outcome;
        }
        let terms = selection.last_round[index];
        let gain = terms.gain();
        outcome.gain = Some(gain);
        outcome.reasons = self.reasons(entrant, terms, false);
        if selection.builder_chosen[index] {
            outcome.code = OutcomeCode::NotNominee;
            "its builder has a place with another work".clone_into(&mut outcome.text);
        } else if selection.nominees.contains(&index) {
            // At its last chance no nominee has more than the one that took the place.
            let short = (last_gain - gain).max(0);
            outcome.short = Some(short);
            outcome.text = match short {
                0 => "level with the last place, which went to another by the draw of the week".to_owned(),
                _ => format!("{} short of the last place", counted(short, "point")),
            };
        } else {
            outcome.code = OutcomeCode::NotNominee;
            "another work of its builder stood higher".clone_into(&mut outcome.text);
        }
        outcome
    }
}

fn quality_text(quality: &Quality) -> String {
    let Quality { substance, response, .. } = quality;
    match response.compared {
        0 => format!("substance {substance} of 1000; nothing to compare the response with yet"),
        n => format!("substance {substance} of 1000; better than {} of the author's last {n}", response.better_than),
    }
}

fn owed_text(name: &str, owed: i64) -> String {
    format!("{name} was owed {}.{} places", owed / 1000, owed % 1000 / 100)
}

fn counted(n: i64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

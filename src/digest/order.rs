//! In what order the chosen stand, and who leads (DIGEST.md section 4.5).
//!
//! In: the picks. Out: sections by category, and the lead marked.

use super::eligible::Past;
use crate::model::{BuilderId, Pick, ReasonTerm, Section, Week};

/// Sections in the program's order of categories, begun each week with the next one; what has no category comes last. The
/// turn goes over all categories, whether or not they have a pick, so that a section that comes or goes moves no other.
/// In a section the greatest gain comes first.
pub(super) fn sections(week: Week, categories: &[(String, String)], picks: Vec<Pick>) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let name_of = |key: &str| categories.iter().find(|(known, _)| known == key).map(|(_, name)| name.clone());
    let place_of = |key: &str| categories.iter().position(|(known, _)| known == key).unwrap_or(categories.len());
    for pick in picks {
        match sections.iter_mut().find(|section| section.category == pick.category) {
            Some(section) => section.picks.push(pick),
            None => sections.push(Section {
                name: name_of(&pick.category).unwrap_or_else(|| plain_name(&pick.category)),
                category: pick.category.clone(),
                intro: None,
                picks: vec![pick],
            }),
        }
    }
    for section in &mut sections {
        section.picks.sort_by_key(|pick| (-pick.gain, pick.round));
    }
    let all = categories.len();
    let turn = usize::try_from(week.number()).unwrap_or(0) % all.max(1);
    let turned = |key: &str| match place_of(key) {
        place if place < all => (place + all - turn) % all,
        _ => all,
    };
    sections.sort_by(|a, b| (turned(&a.category), &a.category).cmp(&(turned(&b.category), &b.category)));
    sections
}

/// The name of a category that the program does not have (any more).
pub(super) fn plain_name(key: &str) -> String {
    let words = key.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(|| "General".to_owned(), |first| first.to_uppercase().chain(letters).collect())
}

/// Marks the lead: the most quality and turn points together, among those whose builders lead no other digest within so
/// many weeks. Where all do, nobody leads.
pub(super) fn mark_lead(lead_weeks: i64, past: &Past, ties: impl Fn(&Pick) -> u64, picks: &mut [Pick]) {
    let may_lead = |builder: BuilderId| !past.leads_within(builder, lead_weeks);
    let points = |pick: &Pick| {
        let turn: i64 = pick.reasons.iter().filter(|reason| reason.term == ReasonTerm::Turn).map(|reason| reason.points).sum();
        pick.quality + turn
    };
    let lead = picks
        .iter_mut()
        .filter(|pick| pick.builders.iter().all(|builder| may_lead(builder.id)))
        .min_by_key(|pick| (-points(pick), ties(pick)));
    if let Some(lead) = lead {
        lead.lead = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::samples::{Case, builder, candidate, past_pick, past_week, work_id};
    use crate::model::PastDigest;

    #[test]
    fn no_section_is_always_first() {
        let mut case = Case::new(4);
        case.candidates = (1..=4).map(|n| candidate(n, &[n])).collect();
        for (work, category) in case.candidates.iter_mut().zip(["security", "ai_ml", "general", "databases"]) {
            work.topic.category = category.into();
        }
        let mut firsts = Vec::new();
        for number in 40..=52 {
            case.week = format!("2026-W{number}").parse().unwrap();
            for work in &mut case.candidates {
                work.effective_at = case.week.start();
            }
            let sections: Vec<String> = case.compose().sections.iter().map(|section| section.category.clone()).collect();
            assert_eq!(sections[3], "general", "what has no category comes last");
            firsts.push(sections[0].clone());
        }
        firsts.sort();
        firsts.dedup();
        assert_eq!(firsts, ["ai_ml", "databases", "security"]);
    }

    #[test]
    fn a_section_that_goes_moves_no_other() {
        let keys = ["security", "ai_ml", "general", "databases", "devops"];
        let mut case = Case::new(5);
        case.candidates = (1..=5).map(|n| candidate(n, &[n])).collect();
        for (work, category) in case.candidates.iter_mut().zip(keys) {
            work.topic.category = category.into();
        }
        for number in 40..=52 {
            case.week = format!("2026-W{number}").parse().unwrap();
            for work in &mut case.candidates {
                work.effective_at = case.week.start();
            }
            let (base, pool) = case.draft();
            let order = |digest: &crate::model::Digest| digest.sections.iter().map(|section| section.category.clone()).collect::<Vec<_>>();
            for (n, key) in (1..).zip(keys) {
                let drop = crate::model::Edit::Drop { work: work_id(n) };
                let after = order(&crate::digest::try_edit(&base, &pool, &[], &drop).unwrap().desk.digest);
                let before: Vec<String> = order(&base).into_iter().filter(|other| other != key).collect();
                assert_eq!(after, before, "{key} in {number}");
            }
        }
    }

    #[test]
    fn the_lead_is_the_best_of_those_who_have_not_led_of_late() {
        let lead_of = |weeks_ago: i64| {
            let mut case = Case::new(2);
            case.builders.insert(BuilderId(2), builder(2, "western_europe"));
            case.candidates = vec![candidate(1, &[1]), candidate(2, &[2])];
            case.candidates[0].substance.shows_work = Some(true);
            case.candidates[0].substance.cites_source = Some(true);
            let week = (0..weeks_ago).fold(case.week, |week, _| week.previous());
            let led = crate::model::PastPick { lead: true, ..past_pick(&[90], &[1]) };
            case.history = vec![PastDigest { picks: vec![led], ..past_week(week) }];
            case.config.cool_down = 0;
            case.compose().lead().unwrap().work.clone()
        };
        assert_eq!(lead_of(25), work_id(2));
        assert_eq!(lead_of(26), work_id(1));
    }

    #[test]
    fn a_key_without_a_name_is_written_plainly() {
        assert_eq!(plain_name("general"), "General");
        assert_eq!(plain_name("end_user_computing"), "End user computing");
        assert_eq!(plain_name(""), "General");
    }
}

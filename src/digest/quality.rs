//! How good a work is: substance by a checklist, response against the author's own usual (DIGEST.md section 4.2).
//!
//! In: a candidate with its facts, its counts and its author's earlier works. Out: points, 0 to 1000, in integers.
//! Language, network and size of the audience give and take nothing. Who may be chosen is for `eligible`.

use jiff::Timestamp;

use crate::config::{DigestConfig, Weights};
use crate::model::{ActivityKind, Candidate, EarlierWork, GridAge, Substance};

/// How many earlier works a response is compared with, at most.
pub const COMPARED: usize = 20;

/// The quality of a work and what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quality {
    /// Half of substance and response together.
    pub points: i64,
    pub substance: i64,
    pub response: Response,
}

/// How a work was received, against its author's earlier works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Response {
    pub points: i64,
    /// Earlier works it was compared with.
    pub compared: i64,
    /// Those that it did better than.
    pub better_than: i64,
}

impl Response {
    /// Nothing to compare: the middle.
    const UNKNOWN: Self = Self { points: 500, compared: 0, better_than: 0 };
}

/// The quality of a candidate at a cut-off.
pub(super) fn quality(candidate: &Candidate, config: &DigestConfig, cutoff_at: Timestamp) -> Quality {
    let facts = Facts { kind: candidate.kind, substance: &candidate.substance, confidence: candidate.topic.confidence };
    let substance = facts.points(&config.weights);
    let response = response(candidate, config, cutoff_at);
    Quality { points: i64::midpoint(substance, response.points), substance, response }
}

/// E: the mid-rank among the last works with enough substance, each compared at the greatest grid age that both have.
fn response(candidate: &Candidate, config: &DigestConfig, cutoff_at: Timestamp) -> Response {
    let age_s = cutoff_at.as_second().saturating_sub(candidate.effective_at.as_second());
    if age_s < GridAge::H24.hours() * 3600 {
        return Response::UNKNOWN;
    }
    let (mut n, mut lower, mut equal) = (0, 0, 0);
    let comparable = candidate
        .earlier
        .iter()
        .filter(|earlier| is_compared(&candidate.counts, earlier, config))
        .filter_map(|earlier| at_common_age(&candidate.counts, &earlier.counts))
        .take(COMPARED);
    for (own, other) in comparable {
        n += 1;
        lower += i64::from(other < own);
        equal += i64::from(other == own);
    }
    Response { points: 1000 * (2 + 2 * lower + equal) / (2 * (2 + n)), compared: n, better_than: lower }
}

/// Both counts at the greatest age of the grid at which both are known.
fn at_common_age(own: &[Option<u64>; 4], other: &[Option<u64>; 4]) -> Option<(u64, u64)> {
    own.iter().zip(other).rev().find_map(|(own, other)| Some(((*own)?, (*other)?)))
}

pub(super) fn is_compared(counts: &[Option<u64>; 4], earlier: &EarlierWork, config: &DigestConfig) -> bool {
    at_common_age(counts, &earlier.counts).is_some() && earlier_substance(earlier, &config.weights) >= config.floor_substance
}

fn earlier_substance(earlier: &EarlierWork, weights: &Weights) -> i64 {
    Facts { kind: earlier.kind, substance: &earlier.substance, confidence: earlier.topic_confidence }.points(weights)
}

/// What the checklist looks at.
struct Facts<'a> {
    kind: ActivityKind,
    substance: &'a Substance,
    confidence: u32,
}

impl Facts<'_> {
    /// S: the checklist; a point that cannot be known from the data gives half.
    fn points(&self, weights: &Weights) -> i64 {
        let checks = [
            (self.on_topic(), weights.on_topic),
            (self.substantial(), weights.substantial),
            (self.shows_work(), weights.shows_work),
            (self.described(), weights.described),
            (self.substance.canonical, weights.canonical),
            (self.substance.cites_source, weights.cites_source),
        ];
        let sum: i64 = checks
            .into_iter()
            .map(|(check, points)| match check {
                Some(true) => points,
                Some(false) => 0,
                None => points / 2,
            })
            .sum();
        sum.clamp(0, 1000)
    }

    /// A topic told with confidence; nothing is known where there is but a title, and it names no topic.
    fn on_topic(&self) -> Option<bool> {
        let Substance { words, cjk_chars, summary_chars, .. } = *self.substance;
        match self.confidence {
            600.. => Some(true),
            0 if words.is_none() && cjk_chars.is_none() && summary_chars == 0 => None,
            _ => Some(false),
        }
    }

    /// Enough of it, by the measure of its kind.
    fn substantial(&self) -> Option<bool> {
        match self.kind {
            ActivityKind::Article => self.at_least(600),
            ActivityKind::Video
            | ActivityKind::Livestream
            | ActivityKind::PodcastEpisode
            | ActivityKind::Trailer
            | ActivityKind::Talk
            | ActivityKind::Event
            | ActivityKind::Short => self.substance.duration_s.map(|seconds| seconds >= 300),
            ActivityKind::Answer => self.at_least(100),
            ActivityKind::Release | ActivityKind::Post | ActivityKind::Reply => self.at_least(50),
            ActivityKind::Contribution | ActivityKind::Code => self.at_least(20),
            // A repository is worth what is in it, which we do not read; one that says what it is for has enough.
            ActivityKind::Repository => Some(self.substance.summary_chars > 0 || self.at_least(20) == Some(true)),
        }
    }

    /// So many words, or twice as many characters of a script that does without spaces.
    fn at_least(&self, words: u32) -> Option<bool> {
        let Substance { words: known, cjk_chars, .. } = *self.substance;
        if known.is_none() && cjk_chars.is_none() {
            return None;
        }
        Some(known.is_some_and(|known| known >= words) || cjk_chars.is_some_and(|chars| chars >= 2 * words))
    }

    /// Code, a repository, a diagram or a demo; some kinds are just that.
    fn shows_work(&self) -> Option<bool> {
        match self.kind {
            ActivityKind::Release | ActivityKind::Repository | ActivityKind::Contribution | ActivityKind::Code => Some(true),
            _ => self.substance.shows_work,
        }
    }

    /// An own summary of 80 characters, or of 40 where the text is in a script that says more with each.
    fn described(&self) -> Option<bool> {
        let dense = self.substance.cjk_chars.unwrap_or(0) > self.substance.words.unwrap_or(0);
        if self.substance.summary_chars >= if dense { 40 } else { 80 } {
            return Some(true);
        }
        match self.kind {
            // Their text is their description; there is no summary beside it.
            ActivityKind::Answer | ActivityKind::Release | ActivityKind::Contribution => self.substantial(),
            _ => Some(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::samples;

    fn substance_points(kind: ActivityKind, confidence: u32, substance: &Substance) -> i64 {
        Facts { kind, substance, confidence }.points(&Weights::default())
    }

    #[test]
    fn each_kind_is_measured_by_its_own_checklist() {
        let words = |n| Substance { words: Some(n), ..Substance::default() };
        let chars = |n| Substance { cjk_chars: Some(n), ..Substance::default() };
        let lasts = |n| Substance { duration_s: Some(n), ..Substance::default() };
        let about = |n| Substance { summary_chars: n, ..Substance::default() };
        for (kind, substance, expected) in [
            (ActivityKind::Article, words(600), Some(true)),
            (ActivityKind::Article, words(599), Some(false)),
            (ActivityKind::Article, chars(1200), Some(true)),
            (ActivityKind::Article, chars(1199), Some(false)),
            (ActivityKind::Article, Substance::default(), None),
            (ActivityKind::Video, lasts(300), Some(true)),
            (ActivityKind::Video, lasts(299), Some(false)),
            (ActivityKind::Video, words(5000), None),
            (ActivityKind::PodcastEpisode, Substance::default(), None),
            (ActivityKind::Release, words(50), Some(true)),
            (ActivityKind::Release, chars(99), Some(false)),
            (ActivityKind::Answer, words(100), Some(true)),
            (ActivityKind::Answer, words(99), Some(false)),
            (ActivityKind::Contribution, words(20), Some(true)),
            (ActivityKind::Repository, about(1), Some(true)),
            (ActivityKind::Repository, Substance::default(), Some(false)),
        ] {
            assert_eq!(Facts { kind, substance: &substance, confidence: 0 }.substantial(), expected, "{kind}: {substance:?}");
        }
    }

    #[test]
    fn what_cannot_be_known_gives_half() {
        let known = Substance {
            words: Some(900),
            shows_work: Some(true),
            summary_chars: 80,
            canonical: Some(true),
            cites_source: Some(true),
            ..Substance::default()
        };
        assert_eq!(substance_points(ActivityKind::Article, 600, &known), 1000);
        assert_eq!(substance_points(ActivityKind::Article, 599, &known), 700);
        assert_eq!(substance_points(ActivityKind::Article, 1, &Substance::default()), 100 + 100 + 50 + 50);
        assert_eq!(substance_points(ActivityKind::Video, 0, &Substance::default()), 150 + 100 + 100 + 50 + 50, "but a title");
    }

    #[test]
    fn a_short_summary_in_a_dense_script_describes_as_well() {
        let summary = |cjk_chars, words, summary_chars| Substance { words, cjk_chars, summary_chars, ..Substance::default() };
        let described = |substance: Substance| Facts { kind: ActivityKind::Article, substance: &substance, confidence: 0 }.described();
        assert_eq!(described(summary(Some(1500), Some(100), 40)), Some(true));
        assert_eq!(described(summary(Some(10), Some(100), 79)), Some(false));
        assert_eq!(described(summary(None, Some(100), 80)), Some(true));
    }

    #[test]
    fn response_is_the_mid_rank_with_a_uniform_prior() {
        // Own count, earlier counts, expected points: the formula by hand.
        for (own, earlier, expected) in [
            (10, vec![], 500),
            (10, vec![5], 666),
            (10, vec![10], 500),
            (10, vec![20], 333),
            (10, vec![1; 20], 954),
            (10, vec![1; 25], 954),
            (10, [vec![1; 14], vec![11; 4]].concat(), 750),
        ] {
            let mut candidate = samples::candidate(1, &[1]);
            candidate.counts = [Some(own), None, None, None];
            candidate.earlier = earlier.iter().map(|count| samples::earlier([Some(*count), None, None, None])).collect();
            let response = response(&candidate, &DigestConfig::default(), samples::cutoff());
            assert_eq!(response.points, expected, "{own} against {earlier:?}");
        }
    }

    #[test]
    fn counts_are_compared_at_the_greatest_age_that_both_have() {
        let respond = |own: [Option<u64>; 4], other: [Option<u64>; 4]| {
            let mut candidate = samples::candidate(1, &[1]);
            candidate.counts = own;
            candidate.earlier = vec![samples::earlier(other)];
            response(&candidate, &DigestConfig::default(), samples::cutoff()).points
        };
        assert_eq!(respond([Some(1), Some(2), Some(9), None], [Some(5), Some(5), Some(5), Some(99)]), 666);
        assert_eq!(respond([Some(1), None, None, Some(9)], [Some(5), Some(5), None, None]), 333);
        assert_eq!(respond([None, None, None, Some(9)], [Some(5), Some(5), None, None]), 500);
    }

    #[test]
    fn a_work_under_a_day_old_and_filler_before_it_tell_nothing() {
        let mut candidate = samples::candidate(1, &[1]);
        candidate.counts = [Some(10); 4];
        candidate.earlier = vec![samples::earlier([Some(1); 4])];
        let at = |candidate: &Candidate| response(candidate, &DigestConfig::default(), samples::cutoff()).points;
        assert_eq!(at(&candidate), 666);
        candidate.effective_at = samples::cutoff() - jiff::SignedDuration::from_mins(24 * 60 - 1);
        assert_eq!(at(&candidate), 500);

        candidate.effective_at = samples::cutoff() - jiff::SignedDuration::from_hours(72);
        let filler = EarlierWork {
            topic_confidence: 0,
            substance: Substance { words: Some(3), ..Substance::default() },
            ..samples::earlier([Some(1); 4])
        };
        candidate.earlier.splice(0..0, std::iter::repeat_n(filler, 40));
        assert_eq!(at(&candidate), 666);
    }
}

//! How well the rules find what people know: items and pairs that were labelled by hand, put through the real rules.
//!
//! In: files of JSON lines, whose form `docs/measure.md` tells. Out: figures, and what was missed. A file that cannot be
//! read is an error with its line; a wrong answer of the rules is a figure.

mod topics;
mod works;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

pub use topics::{CategoryFigures, TopicFigures, TopicMiss, topics};
pub use works::{CaseFigures, PairFigures, PairMiss, works};

/// Why labels cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}, line {line}: {reason}")]
    Line { path: PathBuf, line: usize, reason: String },
    #[error("{path} holds no labels")]
    Empty { path: PathBuf },
}

/// The lines of a file, each as a value; blank lines and comments (`#`) are passed over.
fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, MeasureError> {
    let text = std::fs::read_to_string(path).map_err(|source| MeasureError::Read { path: path.to_owned(), source })?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let read: Vec<T> = lines
        .map(|(number, line)| {
            serde_json::from_str(line).map_err(|error| MeasureError::Line {
                path: path.to_owned(),
                line: number + 1,
                reason: error.to_string(),
            })
        })
        .collect::<Result<_, _>>()?;
    if read.is_empty() { Err(MeasureError::Empty { path: path.to_owned() }) } else { Ok(read) }
}

/// A share of counts; nothing of nothing is all.
fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { 1.0 } else { f64::from(part) / f64::from(whole) }
}

/// The harmonic mean of two shares.
fn f1(precision: f64, recall: f64) -> f64 {
    if precision + recall == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) }
}

/// A share with three digits after the point.
fn rounded(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
}

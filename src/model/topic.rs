//! What a work is about: services and one category, with the evidence.

use serde::{Deserialize, Serialize};

/// One thing that spoke for a category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// In words: `Lambda in title`, `tag #serverless`.
    pub what: String,
    /// Points that it gave.
    pub points: u32,
}

/// What a work is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Topic {
    /// Service names of the dictionary, strongest first.
    pub services: Vec<String>,
    /// A category key of the configuration; `general` where nothing speaks for one.
    pub category: String,
    /// Thousandths: lead / (lead + 2).
    pub confidence: u32,
    pub evidence: Vec<Evidence>,
}

//! What pages and outputs show, read from the store and ready to be shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Week;

/// A mistake in a published digest, put right in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    pub week: Week,
    pub at: Timestamp,
    pub text: String,
}

//! Not built yet.

mod figures;
pub mod year;

//! Pairs against labels (stub).

/// Figures.
#[derive(Debug)]
pub struct PairFigures;
/// Miss.
#[derive(Debug)]
pub struct PairMiss;
/// Works.
pub fn works() {}

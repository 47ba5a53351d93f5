//! An invented program whose truth is known: for the demo, for simulations, benches and tests.
//!
//! Everything follows from a seed, a week and the simulated time: no clock, no random source, no outside network. All
//! people, hosts and texts are invented; names under `.example` belong to nobody (RFC 2606).

mod figures;
mod number;
mod shape;
mod words;

pub mod measure;
pub mod origin;
pub mod program;
pub mod year;

//! Starts clarion.

fn main() {}

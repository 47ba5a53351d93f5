//! clarion collects what the members of a community program make, keeps an honest log of it, and drafts a fair weekly
//! digest.
//!
//! ```text
//! Source ─fetch─► Document ─collect─► Entry ─► LOG ─normalize─► Activity ─work─► Work ─topic─► Work, tagged
//!                                              │
//!           people ── Decision (merge, pin, …) ┘
//! tagged Works ─digest─► Digest ─render─► Rendered ─deliver─► Delivery
//! ```
//!
//! Every arrow is a step, every step is a room, and what passes along an arrow is a type in [`model`]. Data moves one
//! way. All to the right of the log is computed, and can be computed again.
//!
//! A room imports from floors below it, never from its own floor or above:
//!
//! ```text
//! 9  main     8  cli     7  daemon · rehearsal     6  web     5  flow
//! 4  registry · schedule · health · fetch · collect · normalize · work · topic · digest · render · deliver · diagnose · store
//! 3  net · telemetry     2  config     1  clock · model · text
//! ```

pub mod cli;
pub mod clock;
pub mod collect;
pub mod config;
pub mod daemon;
pub mod deliver;
pub mod diagnose;
pub mod digest;
pub mod fetch;
pub mod flow;
pub mod health;
pub mod model;
pub mod net;
pub mod normalize;
pub mod registry;
pub mod rehearsal;
pub mod render;
pub mod schedule;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod topic;
pub mod web;
pub mod work;

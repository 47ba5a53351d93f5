//! What clarion promises at its doors: a file per room and per story.

#[cfg(test)]
mod backfill;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod deliver;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod digest;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod edit;
#[cfg(test)]
mod engagement;
#[cfg(test)]
mod erase;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod explained;
#[cfg(test)]
mod feed_platforms;
#[cfg(test)]
mod fetch;
#[cfg(test)]
mod filters;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod moves;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod platforms;
#[cfg(test)]
mod poll;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod secret;
#[cfg(test)]
mod sight;
#[cfg(test)]
mod support;
#[cfg(test)]
mod user;
#[cfg(test)]
mod week;

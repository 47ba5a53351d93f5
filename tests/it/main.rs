//! What clarion promises at its doors: a file per room and per story.

#[cfg(test)]
mod cases;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod fetch;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod support;

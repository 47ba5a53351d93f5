//! Text from strangers made plain: markup dropped, references decoded once, white space folded, cut where readers expect.
//!
//! In: text and HTML as feeds and platforms give it. Out: plain text in Unicode normal form C, without control
//! characters. Whoever shows it escapes it for the format at hand; nothing here makes HTML.
//!
//! All functions take time linear in their input and never recurse on it.

mod content;
mod count;
mod markup;
mod plain;
mod reference;

pub use content::{count_words, html_to_content, html_to_text, text_to_content};
pub use count::{URL_LENGTH, X_LIGHT, addresses, graphemes, mastodon_length, utf16, x_length};
pub use plain::{collapse, cut, fold, plain};
pub use reference::{Decoded, decode, reference, remap_c1};

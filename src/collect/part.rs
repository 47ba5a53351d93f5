//! Cuts an answer that speaks for many sources up, so that each source keeps only what is its own.
//!
//! In: the JSON of an answer and what names one source. Out: the same JSON with the elements of lists, and the members of
//! objects of objects, left out that do not name it. Whether the part still reads as the source's own is the caller's to
//! check.

use serde_json::Value;

/// How deep lists are looked for.
const DEEP: u32 = 5;

/// What an answer says of the source that this name stands for; `None` where it is no JSON or names it nowhere.
pub(super) fn part_of(bytes: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(bytes).ok()?;
    if !names(&value, name) {
        return None;
    }
    cut(&mut value, name, DEEP);
    serde_json::to_vec(&value).ok()
}

/// Whether the name stands anywhere in a value, as a text or a number.
fn names(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => text.eq_ignore_ascii_case(name),
        Value::Number(number) => number.to_string() == name,
        Value::Array(values) => values.iter().any(|value| names(value, name)),
        Value::Object(members) => members.values().any(|value| names(value, name)),
        Value::Null | Value::Bool(_) => false,
    }
}

fn cut(value: &mut Value, name: &str, deep: u32) {
    if deep == 0 {
        return;
    }
    match value {
        // A list in which nobody is named belongs to whatever holds it.
        Value::Array(values) if values.iter().any(|value| names(value, name)) => {
            values.retain(|value| !value.is_object() || names(value, name));
        }
        Value::Object(members) => {
            let of_objects = members.len() > 1 && members.values().all(Value::is_object);
            if of_objects {
                members.retain(|_, value| names(value, name));
            } else {
                members.values_mut().for_each(|value| cut(value, name, deep - 1));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_keeps_its_own_elements_alone() {
        let list = br#"{"items":[{"owner":{"id":7},"tags":["a"]},{"owner":{"id":8},"tags":["b"]}],"more":false}"#;
        let part = String::from_utf8(part_of(list, "7").unwrap()).unwrap();
        assert_eq!(part, r#"{"items":[{"owner":{"id":7},"tags":["a"]}],"more":false}"#);
        let aliased = br#"{"data":{"u0":{"login":"Ada","n":[1]},"u1":{"login":"bob","n":[2]}}}"#;
        let part = String::from_utf8(part_of(aliased, "ada").unwrap()).unwrap();
        assert_eq!(part, r#"{"data":{"u0":{"login":"Ada","n":[1]}}}"#);
        assert!(part_of(list, "9").is_none() && part_of(b"<rss/>", "7").is_none());
    }
}

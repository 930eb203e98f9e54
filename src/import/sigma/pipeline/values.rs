//! Values of items as pipelines see them: texts in which `contains` and the like are wildcards.
//!
//! pySigma carries modifiers out before pipelines run. Here they stay words, so a value is shown with the wildcards
//! that its modifiers mean, and a changed text is written back with the modifiers if it still has those wildcards.

use regex_automata::meta::Regex;

use super::super::model::{Item, Value, ValueKind};
use super::model::Case;

/// The modifiers under which a value stays a text.
const TEXTUAL: [&str; 9] =
    ["contains", "startswith", "endswith", "all", "cased", "windash", "expand", "neq", "ignorecase"];

/// Whether a value is a text, and not an expression, an address, or the like.
pub(super) fn is_text(item: &Item, value: &Value) -> bool {
    value.kind == ValueKind::Str && item.modifiers.iter().all(|word| TEXTUAL.contains(&word.as_str()))
}

/// The wildcards that the modifiers of an item mean: before and after a value.
fn wildcards(item: &Item) -> (bool, bool) {
    let has = |name: &str| item.modifiers.iter().any(|word| word.as_str() == name);
    (has("contains") || has("endswith"), has("contains") || has("startswith"))
}

/// A value with the wildcards that the modifiers of its item mean.
pub(super) fn shown(item: &Item, value: &Value) -> String {
    if !is_text(item, value) {
        return value.text.clone();
    }
    let (before, after) = wildcards(item);
    format!("{}{}{}", if before { "*" } else { "" }, value.text, if after { "*" } else { "" })
}

/// Whether a text has a `*` or `?` that is not escaped.
pub(super) fn has_wildcard(text: &str) -> bool {
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '*' | '?' => return true,
            _ => {}
        }
    }
    false
}

/// Whether a text ends in a `*` that is not escaped.
fn ends_in_wildcard(text: &str) -> bool {
    text.strip_suffix('*').is_some_and(|rest| {
        let slashes = rest.bytes().rev().take_while(|b| *b == b'\\').count();
        slashes % 2 == 0
    })
}

/// Gives the texts of an item other texts: one each, or several.
pub(super) fn rewrite(item: &mut Item, mut new: impl FnMut(&str) -> Option<Vec<String>>) -> bool {
    let (before, after) = wildcards(item);
    let (mut changed, mut keep) = (false, true);
    let mut texts: Vec<(Value, Option<String>)> = Vec::new();
    for value in &item.values {
        if !is_text(item, value) {
            texts.push((value.clone(), None));
            continue;
        }
        let old = shown(item, value);
        match new(&old) {
            Some(replaced) => {
                changed = true;
                texts.extend(replaced.into_iter().map(|text| (value.clone(), Some(text))));
            }
            None => texts.push((value.clone(), Some(old))),
        }
    }
    if !changed {
        return false;
    }
    for text in texts.iter().filter_map(|(_, text)| text.as_ref()) {
        let long = text.len() >= usize::from(before) + usize::from(after);
        keep &= long && (!before || text.starts_with('*')) && (!after || ends_in_wildcard(text));
    }
    if !keep {
        item.modifiers.retain(|word| !matches!(word.as_str(), "contains" | "startswith" | "endswith"));
    }
    item.values = texts
        .into_iter()
        .map(|(mut value, text)| {
            if let Some(text) = text {
                let inner = if keep { &text[usize::from(before)..text.len() - usize::from(after)] } else { &text };
                value.text = inner.to_owned();
            }
            value
        })
        .collect();
    item.list |= item.values.len() > 1;
    true
}

/// Replaces every match of an expression; `\1` and `\g<1>` of the replacement are groups.
pub(super) fn replaced(regex: &Regex, text: &str, replacement: &str) -> Option<String> {
    let mut result = String::new();
    let mut end = 0;
    for captures in regex.captures_iter(text) {
        let Some(whole) = captures.get_match() else { continue };
        result.push_str(&text[end..whole.start()]);
        let mut rest = replacement;
        while let Some(at) = rest.find('\\') {
            result.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let (group, length) = match rest.strip_prefix("g<").and_then(|rest| rest.split_once('>')) {
                Some((number, _)) => (number.parse::<usize>().ok(), number.len() + 3),
                None => {
                    let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
                    (rest[..digits].parse::<usize>().ok(), digits)
                }
            };
            match group {
                Some(group) => {
                    if let Some(span) = captures.get_group(group) {
                        result.push_str(&text[span.range()]);
                    }
                    rest = &rest[length..];
                }
                None => {
                    let next = rest.chars().next();
                    result.push(next.unwrap_or('\\'));
                    rest = &rest[next.map_or(0, char::len_utf8)..];
                }
            }
        }
        result.push_str(rest);
        end = whole.end();
    }
    if end == 0 && result.is_empty() {
        return None;
    }
    result.push_str(&text[end..]);
    Some(result)
}

/// A text in other letters.
pub(super) fn in_case(text: &str, case: Case) -> String {
    match case {
        Case::Lower => text.to_lowercase(),
        Case::Upper => text.to_uppercase(),
        Case::Snake => {
            let mut result = String::new();
            let mut before = None;
            for c in text.chars() {
                if c.is_uppercase() && before.is_some_and(|b: char| b.is_lowercase() || b.is_ascii_digit()) {
                    result.push('_');
                }
                result.extend(if matches!(c, ' ' | '-') { vec!['_'] } else { c.to_lowercase().collect() });
                before = Some(c);
            }
            result
        }
    }
}

/// The first placeholder of a text, `%name%`, at or after a byte: where it begins and ends, and its name.
pub(super) fn placeholder(text: &str, from: usize) -> Option<(usize, usize, &str)> {
    let start = from + text[from..].find('%')?;
    let length = text[start + 1..].find('%')?;
    let end = start + length + 2;
    let name = &text[start + 1..end - 1];
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if is_name { Some((start, end, name)) } else { placeholder(text, end - 1) }
}

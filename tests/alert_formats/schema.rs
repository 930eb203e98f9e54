//! Checks a value against `docs/alert.schema.json`. Knows the keywords that the schema uses, and refuses others rather
//! than passing over them.

use serde_json::Value;

const SCHEMA: &str = include_str!("../../docs/alert.schema.json");

/// What is wrong with a value, each with its place.
pub fn problems(value: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let mut found = Vec::new();
    check(&schema, &schema, value, "$", &mut found);
    found
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).expect("a definition"),
        None => schema,
    };
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        let fits = match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" | "properties" => true,
            "type" => match rule {
                Value::Array(kinds) => kinds.iter().any(|kind| is(kind, value)),
                kind => is(kind, value),
            },
            "enum" => rule.as_array().expect("a list").contains(value),
            "const" => rule == value,
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().expect("a number")),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().expect("a number")),
            "format" => {
                rule == "date-time" && value.as_str().is_none_or(|t| chrono::DateTime::parse_from_rfc3339(t).is_ok())
            }
            "pattern" => {
                assert_eq!(rule, "^[0-9a-f]{32}$", "the only pattern that is known here");
                value
                    .as_str()
                    .is_none_or(|t| t.len() == 32 && t.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
            }
            "required" => {
                let names = rule.as_array().expect("a list");
                value.as_object().is_none_or(|map| names.iter().all(|n| map.contains_key(n.as_str().expect("a name"))))
            }
            "items" => {
                for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, item, &format!("{at}[{n}]"), found);
                }
                true
            }
            "additionalProperties" => {
                for (name, member) in value.as_object().into_iter().flatten() {
                    match schema["properties"].get(name) {
                        Some(known) => check(root, known, member, &format!("{at}.{name}"), found),
                        None if *rule == Value::Bool(false) => found.push(format!("{at} has `{name}`")),
                        None if rule.is_object() => check(root, rule, member, &format!("{at}.{name}"), found),
                        None => {}
                    }
                }
                true
            }
            "oneOf" => {
                let fitting = rule.as_array().expect("a list").iter().filter(|one| {
                    let mut problems = Vec::new();
                    check(root, one, value, at, &mut problems);
                    problems.is_empty()
                });
                fitting.count() == 1
            }
            other => panic!("the keyword `{other}` is not known here"),
        };
        if !fits {
            found.push(format!("{at}: {keyword}"));
        }
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().expect("a name") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("there is no type `{other}`"),
    }
}

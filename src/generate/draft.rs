//! An event under construction: a time and fields, set by path.

use serde_json::{Map, Value as Json};

use crate::base::{Timestamp, Value};

/// An event under construction.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Its time.
    pub ts: Timestamp,
    /// Its fields, nested.
    pub fields: Map<String, Json>,
    /// The name of the step it is meant for; none for what no step binds.
    pub step: Option<String>,
}

impl Draft {
    /// An event without fields.
    pub fn new(ts: Timestamp) -> Self {
        Self { ts, fields: Map::new(), step: None }
    }

    /// The value of a field.
    pub fn get(&self, path: &[String]) -> Value {
        let mut found = None;
        let mut fields = Some(&self.fields);
        for part in path {
            found = fields.and_then(|fields| fields.get(part));
            fields = found.and_then(Json::as_object);
        }
        found.map_or(Value::Missing, Value::from_json)
    }

    /// Sets a field; one that becomes missing is removed.
    pub fn set(&mut self, path: &[String], value: &Value) {
        match value {
            Value::Missing => remove(&mut self.fields, path),
            value => insert(&mut self.fields, path, value.to_json()),
        }
    }

    /// One line of JSON, with its time in `time_field` and the class fields first.
    pub fn line(&self, time_field: &[String]) -> String {
        let mut fields = Map::new();
        insert(&mut fields, time_field, Json::from(self.ts.to_string()));
        for (name, value) in &self.fields {
            insert(&mut fields, std::slice::from_ref(name), value.clone());
        }
        Json::Object(fields).to_string()
    }
}

/// Sets a field; the parts of its path are nested objects. An object adds to what is there.
pub fn insert(fields: &mut Map<String, Json>, path: &[String], value: Json) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        // `user: { name: … }` adds to what the class has set below `user`.
        match (fields.get_mut(first), value) {
            (Some(Json::Object(old)), Json::Object(new)) => {
                for (key, value) in new {
                    insert(old, &[key], value);
                }
            }
            (_, value) => {
                fields.insert(first.clone(), value);
            }
        }
        return;
    }
    let inner = fields.entry(first.clone()).or_insert_with(|| Json::Object(Map::new()));
    if !inner.is_object() {
        *inner = Json::Object(Map::new());
    }
    if let Json::Object(inner) = inner {
        insert(inner, rest, value);
    }
}

fn remove(fields: &mut Map<String, Json>, path: &[String]) {
    match path {
        [] => {}
        [last] => {
            fields.shift_remove(last);
        }
        [first, rest @ ..] => {
            if let Some(Json::Object(inner)) = fields.get_mut(first) {
                remove(inner, rest);
            }
        }
    }
}

//! The events of a test block as lines of JSON, with their times in a field that no rule reads.

use std::collections::HashMap;

use serde_json::{Map, Value};
use tripline::generate::draft::insert;
use tripline::syntax::ast::{
    BinaryOp, ClassRef, Expr, ExprKind, File, InSet, Item, Path, TestDecl, TestEvent, TestItem, TestValue,
};

/// The field that carries the time of a test event, nanoseconds since the start of the test.
pub const TIME_FIELD: &str = "\u{1}tripline test time";

/// Event classes with what makes an event one of them.
pub type Classes<'a> = HashMap<&'a str, &'a Expr>;

/// The declared classes of rule files.
pub fn classes<'a>(files: impl IntoIterator<Item = &'a File>) -> Classes<'a> {
    let items = files.into_iter().flat_map(|file| &file.items);
    items
        .filter_map(|item| match item {
            Item::Event(declared) => Some((declared.name.name.as_str(), &declared.condition)),
            _ => None,
        })
        .collect()
}

/// An event of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Nanoseconds from the start.
    pub at: i64,
    /// The class it was written as.
    pub class: String,
    /// The JSON.
    pub text: String,
}

/// The events of a test in time order (those of one time as written), `x 5 every 1s` written out.
pub fn lines(test: &TestDecl, classes: &Classes<'_>, type_field: &[String]) -> Vec<Line> {
    let mut lines = Vec::new();
    for item in &test.items {
        let TestItem::Event(event) = item else { continue };
        let fields = object(event, classes, type_field);
        for n in 0..event.times {
            let at = event.at.saturating_add(event.every.saturating_mul(i64::try_from(n).unwrap_or(i64::MAX)));
            let mut fields = fields.clone();
            fields.insert(TIME_FIELD.to_owned(), at.into());
            lines.push(Line { at, class: event.class.name.clone(), text: Value::Object(fields).to_string() });
        }
    }
    lines.sort_by_key(|line| line.at);
    lines
}

/// The fields of an event: what its class asks for, then what is written, which wins.
fn object(event: &TestEvent, classes: &Classes<'_>, type_field: &[String]) -> Map<String, Value> {
    let mut fields = Map::new();
    class_fields(&event.class, classes, type_field, &mut fields);
    for (path, value) in &event.fields {
        insert(&mut fields, &parts(path), json(value));
    }
    fields
}

/// A class that is not declared sets the type field; a declared one the fields that it compares with `==`, or the
/// first value of `in (…)`, where they stand in a conjunction.
fn class_fields(class: &ClassRef, classes: &Classes<'_>, type_field: &[String], fields: &mut Map<String, Value>) {
    match classes.get(class.name.as_str()) {
        Some(condition) => conjunct_fields(condition, fields),
        None if class.name == "any" => {}
        None => insert(fields, type_field, Value::from(class.name.as_str())),
    }
}

fn conjunct_fields(condition: &Expr, fields: &mut Map<String, Value>) {
    match &condition.kind {
        ExprKind::Binary(BinaryOp::And, left, right) => {
            conjunct_fields(left, fields);
            conjunct_fields(right, fields);
        }
        ExprKind::Binary(BinaryOp::Eq, left, right) => match (&left.kind, &right.kind) {
            (ExprKind::Path(path), _) => set(path, right, fields),
            (_, ExprKind::Path(path)) => set(path, left, fields),
            _ => {}
        },
        ExprKind::In { value, set: InSet::List(values), negated: false } => {
            if let (ExprKind::Path(path), Some(first)) = (&value.kind, values.first()) {
                set(path, first, fields);
            }
        }
        _ => {}
    }
}

fn set(path: &Path, value: &Expr, fields: &mut Map<String, Value>) {
    let value = match &value.kind {
        ExprKind::Str(text) => Value::from(text.value.as_str()),
        ExprKind::Int(n) => integer(*n),
        ExprKind::Float(n) => Value::from(*n),
        ExprKind::Bool(b) => Value::from(*b),
        _ => return,
    };
    insert(fields, &parts(path), value);
}

fn parts(path: &Path) -> Vec<String> {
    path.parts.iter().map(|part| part.name.clone()).collect()
}

fn json(value: &TestValue) -> Value {
    match value {
        TestValue::Null => Value::Null,
        TestValue::Bool(b) => Value::from(*b),
        TestValue::Int(n) => integer(*n),
        TestValue::Float(n) => Value::from(*n),
        TestValue::Str(text) => Value::from(text.as_str()),
        TestValue::List(items) => Value::Array(items.iter().map(json).collect()),
        TestValue::Object(members) => {
            let mut object = Map::new();
            for (path, value) in members {
                insert(&mut object, &parts(path), json(value));
            }
            Value::Object(object)
        }
    }
}

fn integer(n: i128) -> Value {
    i64::try_from(n)
        .map(Value::from)
        .or_else(|_| u64::try_from(n).map(Value::from))
        .unwrap_or_else(|_| Value::from(n as f64))
}

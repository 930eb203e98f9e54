//! What the names of a rule file stand for, and what kinds of values the fields of a rule take.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use super::draft::Draft;
use super::value::{Bound, View};
use crate::base::{Timestamp, Value};
use crate::plan::Ruleset;
use crate::plan::ruleset::Clock;
use crate::plan::table::Table;
use crate::syntax::ast::{BinaryOp, ClauseKind, Expr, ExprKind, File, InSet, Item, KeyItem, RuleDecl, Step};

/// Declarations by name.
#[derive(Debug)]
pub struct Scope<'a> {
    /// `event x = …`
    pub classes: BTreeMap<&'a str, &'a Expr>,
    /// `let x = …`
    pub lets: BTreeMap<&'a str, &'a Expr>,
    /// The rules.
    pub rules: BTreeMap<&'a str, &'a RuleDecl>,
    /// The field that holds the class of an event.
    pub type_field: &'a [String],
    /// Tables and fields.
    pub ruleset: &'a Ruleset,
    /// Key columns of tables.
    keys: BTreeMap<&'a str, Vec<String>>,
    /// Fields that are looked up, with table and key column.
    lookups: Vec<(Vec<String>, (String, usize))>,
    numeric: BTreeSet<Vec<String>>,
    /// Fields that hold `lat` and `lon`.
    places: BTreeSet<Vec<String>>,
    durations: Vec<i64>,
    numbers: Vec<f64>,
}

impl<'a> Scope<'a> {
    /// Reads the declarations.
    pub fn new(files: &'a [File], type_field: &'a [String], ruleset: &'a Ruleset) -> Self {
        let mut scope = Self {
            classes: BTreeMap::new(),
            lets: BTreeMap::new(),
            rules: BTreeMap::new(),
            type_field,
            ruleset,
            keys: BTreeMap::new(),
            lookups: Vec::new(),
            numeric: BTreeSet::new(),
            places: BTreeSet::new(),
            durations: Vec::new(),
            numbers: Vec::new(),
        };
        for item in files.iter().flat_map(|file| &file.items) {
            match item {
                Item::Event(event) => {
                    scope.classes.insert(&event.name.name, &event.condition);
                }
                Item::Let(named) => {
                    scope.lets.insert(&named.name.name, &named.value);
                }
                Item::Table(table) => {
                    let columns = table.key.iter().map(|column| column.name.clone()).collect();
                    scope.keys.insert(&table.name.name, columns);
                }
                Item::Rule(rule) => {
                    scope.rules.insert(&rule.name.name, rule);
                }
                _ => {}
            }
        }
        let rules: Vec<&RuleDecl> =
            scope.rules.values().copied().filter(|r| ruleset.rule(&r.name.name).is_some()).collect();
        for expr in scope.lets.values().copied().chain(scope.classes.values().copied()).collect::<Vec<_>>() {
            scope.learn(expr);
        }
        for rule in rules {
            super::walk::exprs_of(rule, &mut |expr| scope.learn(expr));
        }
        scope.durations.sort_unstable();
        scope.durations.dedup();
        scope
    }

    /// Notes literals, and which fields are compared or computed with as numbers.
    fn learn(&mut self, expr: &Expr) {
        super::walk::parts_of(expr, &mut |part| match &part.kind {
            ExprKind::Duration(d) => self.durations.push(*d),
            ExprKind::Lookup { table, key } => {
                for (column, part) in key.iter().enumerate() {
                    if let Some(field) = field_of(part) {
                        self.lookups.push((field, (table.name.clone(), column)));
                    }
                }
            }
            ExprKind::Int(n) => self.numbers.push(*n as f64),
            ExprKind::Float(n) => self.numbers.push(*n),
            ExprKind::Binary(op, left, right) => {
                let arithmetic =
                    matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem);
                let ordered = matches!(op, BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge);
                for (side, other) in [(left, right), (right, left)] {
                    let number = matches!(other.kind, ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Neg(_));
                    if (arithmetic || ordered || number)
                        && let Some(field) = field_of(side)
                    {
                        self.numeric.insert(field);
                    }
                }
            }
            ExprKind::Call(call) => {
                let numeric = [
                    "sum",
                    "avg",
                    "mean",
                    "stddev",
                    "median",
                    "percentile",
                    "zscore",
                    "ewma",
                    "min",
                    "max",
                    "abs",
                    "floor",
                    "round",
                    "sqrt",
                    "log",
                    "distance_km",
                    "speed_kmh",
                    "in_polygon",
                ];
                let between = match (call.name.name.as_str(), call.args.as_slice()) {
                    ("distance_km", [from, to]) | ("speed_kmh", [from, _, to, _]) => vec![from, to],
                    _ => Vec::new(),
                };
                self.places.extend(between.into_iter().filter_map(field_of));
                if numeric.contains(&call.name.name.as_str()) {
                    self.numeric.extend(call.args.iter().filter_map(field_of));
                }
            }
            _ => {}
        });
    }

    /// A table by its name.
    pub fn table(&self, name: &str) -> Option<&'a Table> {
        self.ruleset.tables.iter().find(|table| &*table.name == name).map(|table| &**table)
    }

    /// The value of a key column in some row of a table; nothing for tables of networks and places.
    pub fn table_key(&self, table: &str, column: usize, rng: &mut Rng) -> Option<Value> {
        let columns = self.keys.get(table)?;
        let table = self.table(table)?;
        let row = u32::try_from(rng.usize(0..table.len().max(1))).ok()?;
        let name = columns.get(column)?;
        if columns.len() == 1 && **name == *"cidr" {
            let network = table.columns().first().map(|first| table.read(row, &[(*first).into()]).to_owned())?;
            let address = network.as_ref().as_str()?.split('/').next()?.to_owned();
            return Some(Value::Str(address.into()));
        }
        Some(table.read(row, &[name.as_str().into()]).to_owned()).filter(|v| !v.as_ref().is_missing())
    }

    /// The table and key column by which rules look a field up.
    pub fn looked_up(&self, path: &[String]) -> Option<&(String, usize)> {
        self.lookups.iter().find(|(field, _)| path.ends_with(field)).map(|(_, place)| place)
    }

    /// Fixed durations that the rules name, in nanoseconds, shortest first.
    pub fn durations(&self) -> &[i64] {
        &self.durations
    }

    /// Numbers that the rules name.
    pub fn numbers(&self) -> &[f64] {
        &self.numbers
    }

    /// Whether the class of an event is declared, or any; else it is a value of the type field.
    pub fn condition(&self, class: &str) -> Option<&'a Expr> {
        self.classes.get(class).copied()
    }

    /// A value that a field could have: of the kind that the rules ask for, different for different `salt`.
    pub fn plausible(&self, path: &[String], salt: u64, rng: &mut Rng) -> Value {
        let last = path.last().map_or("value", String::as_str);
        let numeric = self.numeric.iter().any(|known| path.ends_with(known) || known.ends_with(path));
        if self.places.iter().any(|known| known.ends_with(path)) {
            let place = [("lat", 120.0), ("lon", 340.0)];
            let coordinate = |(name, span): (&str, f64)| (name.into(), Value::Float(rounded((rng.f64() - 0.5) * span)));
            return Value::Object(place.map(coordinate).into());
        }
        match last.to_ascii_lowercase().as_str() {
            "lat" | "latitude" => Value::Float(rounded(rng.f64() * 120.0 - 60.0)),
            "lon" | "lng" | "longitude" => Value::Float(rounded(rng.f64() * 340.0 - 170.0)),
            _ if numeric => Value::Int(rng.i64(1..100)),
            name if name == "ip" || name.ends_with("_ip") || name.ends_with("address") => {
                Value::Str(format!("198.51.{}.{}", 100 + salt / 250 % 100, 1 + salt % 250).into())
            }
            name => Value::Str(format!("{name}-{salt}").into()),
        }
    }

    /// The field of an event that a key item reads.
    pub fn key_field(&self, item: &KeyItem) -> Option<Vec<String>> {
        let bound = Bound::default();
        View { scope: self, bound: &bound, own: None, past: None }.field(&item.value)
    }

    /// The clock whose ticks a step asks for.
    pub fn clock(&self, step: &Step) -> Option<&'a Clock> {
        let ticks = |clock: &&Clock| step.classes.iter().any(|class| *class.name == *clock.name);
        self.ruleset.clocks.iter().find(ticks)
    }

    /// An event that no rule minds, for time to pass.
    pub fn other(&self, ts: Timestamp) -> Draft {
        self.of_class("other", ts)
    }

    /// Makes an event of a class as far as its type field goes.
    pub fn of_class(&self, class: &str, ts: Timestamp) -> Draft {
        let mut draft = Draft::new(ts);
        if class != "any" && self.condition(class).is_none() {
            draft.set(self.type_field, &Value::Str(class.into()));
        }
        draft
    }
}

/// The key items of a rule.
pub fn key_of(rule: &RuleDecl) -> &[KeyItem] {
    rule.clauses
        .iter()
        .find_map(|clause| match &clause.kind {
            ClauseKind::By(items) => Some(items.as_slice()),
            _ => None,
        })
        .unwrap_or_default()
}

/// Two digits after the point.
pub fn rounded(n: f64) -> f64 {
    (n * 100.0).round() / 100.0
}

/// The field that an expression reads by itself, or of a step (`a.f`, `last(a).f`): its path without the step.
fn field_of(expr: &Expr) -> Option<Vec<String>> {
    match &expr.kind {
        ExprKind::Path(path) => Some(path.parts.iter().map(|part| part.name.clone()).collect()),
        ExprKind::Member(_, parts) => Some(parts.iter().map(|part| part.name.clone()).collect()),
        ExprKind::Neg(inner) => field_of(inner),
        _ => None,
    }
}

/// The table of an `in @table`.
pub fn table_of(set: &InSet) -> Option<&str> {
    match set {
        InSet::Table(name) => Some(&name.name),
        InSet::List(_) => None,
    }
}

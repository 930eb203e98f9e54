//! What must be seen in an event before a condition can be true.
//!
//! A *clause* is a set of *atoms* of which at least one is lit by every event for which the condition is true: a field
//! that equals a constant, a text that holds a literal, a field that is there at all. A condition has several
//! clauses, each of them necessary; an index looks for whichever is seen least often.
//!
//! Texts are compared folded, also where the condition compares them exactly: folding goes by character, so a text
//! that holds a literal holds it folded.

use crate::base::function::Function;
use crate::base::{FieldId, Value, ValueRef};
use crate::plan::expr::{Attr, Expr};
use crate::plan::fold::fold_case;
use crate::plan::glob::{Glob, GlobPart};
use crate::plan::key::encode_scalar;
use crate::syntax::ast::BinaryOp;

/// Something that an event shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Atom {
    /// The field, or an element of it, is this value, encoded.
    Equals(FieldId, Box<[u8]>),
    /// The field, or an element of it, is this text when folded.
    EqualsFolded(FieldId, Box<str>),
    /// The field, or an element of it, holds this text when folded. Numbers and bools hold what they are written as.
    Holds(FieldId, Box<str>),
    /// The field is not missing.
    Present(FieldId),
    /// The field is not missing, and if it is a scalar, none of these, encoded and in order.
    Differs(FieldId, Box<[Box<[u8]>]>),
    /// The field is not missing, and if it is a scalar, a number on this side of a number, encoded.
    Beyond(FieldId, BinaryOp, Box<[u8]>),
}

impl Atom {
    pub(super) fn field(&self) -> FieldId {
        match self {
            Self::Equals(field, _)
            | Self::EqualsFolded(field, _)
            | Self::Holds(field, _)
            | Self::Present(field)
            | Self::Differs(field, _)
            | Self::Beyond(field, ..) => *field,
        }
    }

    /// Whether most values of the field light it, so that it is not looked up.
    pub(super) fn is_common(&self) -> bool {
        matches!(self, Self::Present(_) | Self::Differs(..) | Self::Beyond(..))
    }

    /// A guess at how often an event shows it, from what it is alone.
    pub(super) fn cost(&self) -> f64 {
        match self {
            Self::Equals(..) | Self::EqualsFolded(..) => 0.01,
            Self::Holds(_, text) => match text.len() {
                0 | 1 => 0.8,
                2 => 0.5,
                3 => 0.2,
                4 => 0.08,
                5 => 0.04,
                6..=8 => 0.02,
                _ => 0.01,
            },
            Self::Present(_) => 0.6,
            Self::Beyond(..) => 0.5,
            Self::Differs(..) => 0.9,
        }
    }
}

/// Atoms of which one is lit whenever the condition is true.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Clause {
    pub(super) atoms: Vec<Atom>,
    /// And the condition is true whenever one is lit, if values are scalars where an atom says so.
    pub(super) exact: bool,
}

/// A clause of more atoms than this costs more than it helps.
const MOST_ATOMS: usize = 20_000;

impl Clause {
    fn one(atom: Atom) -> Vec<Self> {
        vec![Self { atoms: vec![atom], exact: false }]
    }

    /// The field of all its atoms, if they are of one.
    fn field(&self) -> Option<FieldId> {
        let first = self.atoms.first()?.field();
        self.atoms.iter().all(|atom| atom.field() == first).then_some(first)
    }

    /// Whether values alone light it: a look-up and no search.
    pub(super) fn is_of_values(&self) -> bool {
        self.atoms.iter().all(|atom| matches!(atom, Atom::Equals(..) | Atom::EqualsFolded(..)))
    }

    fn cost(&self) -> f64 {
        self.atoms.iter().map(Atom::cost).sum()
    }
}

/// The clauses of a condition; each is necessary for it to be true.
pub(super) fn clauses(condition: &Expr) -> Vec<Clause> {
    necessary(condition, true)
}

/// What is necessary for `e` to be true, or to be false.
fn necessary(e: &Expr, wanted: bool) -> Vec<Clause> {
    match e {
        Expr::Not(inner) => {
            // What is false is not missing: the clause says no more than that.
            necessary(inner, !wanted)
        }
        Expr::And(parts) if wanted => every(parts, wanted),
        Expr::Or(parts) if !wanted => every(parts, wanted),
        Expr::And(parts) | Expr::Or(parts) => any(parts, wanted),
        Expr::Default(inner, otherwise) => match &**otherwise {
            Expr::Const(value) if value.as_ref() == ValueRef::Bool(!wanted) => necessary(inner, wanted),
            _ => Vec::new(),
        },
        Expr::Compare(op, a, b) => {
            let atom = match (&**a, &**b) {
                (a, Expr::Const(value)) => compared(*op, a, value.as_ref(), wanted),
                (Expr::Const(value), b) => compared(turned(*op), b, value.as_ref(), wanted),
                _ => None,
            };
            atom.map_or_else(|| present(e), |atom| vec![Clause { atoms: vec![atom], exact: true }])
        }
        Expr::InSet(value, set) if wanted => match plain(value) {
            Some((field, false)) => {
                let mut atoms: Vec<Atom> = set.exact.iter().map(|v| Atom::Equals(field, v.clone())).collect();
                atoms.extend(set.folded.iter().map(|text| Atom::EqualsFolded(field, text.clone())));
                // Sets come in any order.
                atoms.sort_by(|a, b| format_key(a).cmp(&format_key(b)));
                limited(Clause { atoms, exact: true }).unwrap_or_else(|| present(e))
            }
            _ => present(e),
        },
        Expr::InSet(value, set) => match plain(value) {
            Some((field, false)) if set.folded.is_empty() && set.exact.len() <= MOST_ATOMS => {
                let mut values: Vec<Box<[u8]>> = set.exact.iter().cloned().collect();
                values.sort();
                vec![Clause { atoms: vec![Atom::Differs(field, values.into())], exact: true }]
            }
            _ => present(e),
        },
        Expr::Like(value, set) if wanted => texts(e, value, set.globs().iter().map(glob_text)),
        Expr::HasText(value, test) if wanted => {
            texts(e, value, test.texts.iter().map(|text| Some(Text { text: fold_case(text).into(), whole: None })))
        }
        Expr::Matches(value, patterns) if wanted => {
            let required = patterns.iter().flat_map(|pattern| match pattern.required() {
                Some(texts) => texts.iter().map(|t| Some(Text { text: t.clone(), whole: None })).collect::<Vec<_>>(),
                None => vec![None],
            });
            texts(e, value, required)
        }
        Expr::Call(Function::Exists, args) => match (args.first().and_then(plain), wanted) {
            (Some((field, _)), true) => Clause::one(Atom::Present(field)),
            _ => Vec::new(),
        },
        _ => present(e),
    }
}

fn format_key(atom: &Atom) -> (u8, &[u8]) {
    match atom {
        Atom::Equals(_, bytes) => (0, bytes),
        Atom::EqualsFolded(_, text) => (1, text.as_bytes()),
        Atom::Holds(_, text) => (2, text.as_bytes()),
        Atom::Present(_) | Atom::Differs(..) | Atom::Beyond(..) => (3, &[]),
    }
}

/// All must be so: what is necessary for any of them is necessary.
fn every(parts: &[Expr], wanted: bool) -> Vec<Clause> {
    let mut all: Vec<Clause> = parts.iter().flat_map(|part| necessary(part, wanted)).collect();
    if parts.len() > 1 {
        all.iter_mut().for_each(|clause| clause.exact = false);
    }
    all
}

/// One must be so: a clause of each, put together. Such as are over one field for all of them stay apart from the
/// cheapest mixture.
fn any(parts: &[Expr], wanted: bool) -> Vec<Clause> {
    let each: Vec<Vec<Clause>> = parts.iter().map(|part| necessary(part, wanted)).collect();
    if each.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let cheapest = |clauses: &[Clause], field: Option<FieldId>| -> Option<Clause> {
        let of_field = clauses.iter().filter(|clause| field.is_none() || clause.field() == field);
        of_field.min_by(|a, b| a.cost().total_cmp(&b.cost())).cloned()
    };
    let mut fields: Vec<FieldId> = each[0].iter().filter_map(Clause::field).collect();
    fields.sort();
    fields.dedup();
    let mut found: Vec<Clause> = Vec::new();
    for field in fields.into_iter().map(Some).chain([None]) {
        let chosen: Option<Vec<Clause>> = each.iter().map(|clauses| cheapest(clauses, field)).collect();
        let Some(chosen) = chosen else { continue };
        let exact = chosen.iter().all(|clause| clause.exact);
        let mut atoms: Vec<Atom> = Vec::new();
        let mut known = hashbrown::HashSet::<Atom, foldhash::fast::FixedState>::default();
        for atom in chosen.into_iter().flat_map(|clause| clause.atoms) {
            if known.insert(atom.clone()) {
                atoms.push(atom);
            }
        }
        let clause = Clause { atoms, exact };
        if clause.atoms.len() <= MOST_ATOMS && !found.contains(&clause) {
            found.push(clause);
        }
    }
    found
}

fn limited(clause: Clause) -> Option<Vec<Clause>> {
    (clause.atoms.len() <= MOST_ATOMS).then(|| vec![clause])
}

/// A field, and whether it is folded.
fn plain(e: &Expr) -> Option<(FieldId, bool)> {
    match e {
        Expr::This(Attr::Field(field)) => Some((*field, false)),
        Expr::Fold(inner) => plain(inner).map(|(field, _)| (field, true)),
        _ => None,
    }
}

/// The comparison with its sides changed.
fn turned(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Lt => BinaryOp::Gt,
        BinaryOp::Le => BinaryOp::Ge,
        BinaryOp::Gt => BinaryOp::Lt,
        BinaryOp::Ge => BinaryOp::Le,
        other => other,
    }
}

/// The comparison that is true where another is false.
fn opposite(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Eq => BinaryOp::Ne,
        BinaryOp::Ne => BinaryOp::Eq,
        BinaryOp::Lt => BinaryOp::Ge,
        BinaryOp::Le => BinaryOp::Gt,
        BinaryOp::Gt => BinaryOp::Le,
        BinaryOp::Ge => BinaryOp::Lt,
        other => other,
    }
}

/// What is lit just when a comparison with a constant is true, or false.
fn compared(op: BinaryOp, e: &Expr, value: ValueRef<'_>, wanted: bool) -> Option<Atom> {
    let encoded = |value| {
        let mut bytes = Vec::new();
        encode_scalar(value, &mut bytes).then(|| bytes.into_boxed_slice())
    };
    match (if wanted { op } else { opposite(op) }, plain(e)?, value) {
        (_, _, ValueRef::Missing) => None,
        (BinaryOp::Eq, ..) => equals(e, value),
        (BinaryOp::Ne, (field, false), value) => Some(Atom::Differs(field, [encoded(value)?].into())),
        (op, (field, false), ValueRef::Int(_) | ValueRef::UInt(_) | ValueRef::Float(_)) => {
            let is_order = matches!(op, BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge);
            Some(Atom::Beyond(field, op, encoded(value).filter(|_| is_order)?))
        }
        _ => None,
    }
}

fn equals(e: &Expr, value: ValueRef<'_>) -> Option<Atom> {
    let (field, fold) = plain(e)?;
    match value {
        ValueRef::Missing => None,
        ValueRef::Str(text) if fold => Some(Atom::EqualsFolded(field, text.into())),
        _ if fold => None,
        value => {
            let mut bytes = Vec::new();
            encode_scalar(value, &mut bytes).then(|| Atom::Equals(field, bytes.into()))
        }
    }
}

/// A folded text that must be there; the exact form of the whole value, if that is known.
struct Text {
    text: Box<str>,
    whole: Option<Whole>,
}

enum Whole {
    Exact(Box<str>),
    Folded,
}

fn glob_text(glob: &Glob) -> Option<Text> {
    if let [GlobPart::Text(text)] = glob.parts.as_slice() {
        let whole = if glob.fold { Whole::Folded } else { Whole::Exact(text.clone()) };
        return Some(Text { text: fold_case(text).into(), whole: Some(whole) });
    }
    glob.literal().map(|text| Text { text: fold_case(text).into(), whole: None })
}

/// One of these texts must be in the value; `None` among them stands for any text.
fn texts(e: &Expr, value: &Expr, texts: impl Iterator<Item = Option<Text>>) -> Vec<Clause> {
    let (field, any) = match value {
        Expr::Call(Function::Texts, args) => match args.first().and_then(plain) {
            Some((field, false)) => (field, true),
            _ => return present(e),
        },
        value => match plain(value) {
            Some((field, false)) => (field, false),
            _ => return present(e),
        },
    };
    let mut atoms = Vec::new();
    let mut known = hashbrown::HashSet::<Atom, foldhash::fast::FixedState>::default();
    let mut exact = true;
    for text in texts {
        let Some(Text { text, whole }) = text.filter(|t| !t.text.is_empty()) else { return present(e) };
        let atom = match whole.filter(|_| !any) {
            Some(Whole::Folded) => Atom::EqualsFolded(field, text),
            Some(Whole::Exact(text)) => {
                let mut bytes = Vec::new();
                encode_scalar(ValueRef::Str(&text), &mut bytes);
                Atom::Equals(field, bytes.into())
            }
            None => {
                exact = false;
                Atom::Holds(field, text)
            }
        };
        if known.insert(atom.clone()) {
            atoms.push(atom);
        }
    }
    limited(Clause { atoms, exact }).unwrap_or_else(|| present(e))
}

/// Fields without which the value of an expression is missing, whatever else there is.
fn present(e: &Expr) -> Vec<Clause> {
    let mut fields = Vec::new();
    needed(e, &mut fields);
    fields.sort();
    fields.dedup();
    fields.into_iter().flat_map(|field| Clause::one(Atom::Present(field))).collect()
}

fn needed(e: &Expr, fields: &mut Vec<FieldId>) {
    match e {
        Expr::This(Attr::Field(field)) => fields.push(*field),
        Expr::Fold(a)
        | Expr::Neg(a)
        | Expr::InNets(a, _)
        | Expr::InSet(a, _)
        | Expr::Like(a, _)
        | Expr::HasText(a, _)
        | Expr::Matches(a, _)
        | Expr::Member(a, _)
        | Expr::Extract(a, _)
        | Expr::Index(a, _)
        | Expr::InList(a, _) => needed(a, fields),
        Expr::Some(parts) => needed(&parts.0, fields),
        Expr::Compare(BinaryOp::Eq | BinaryOp::Ne, a, b) | Expr::Arith(_, a, b) => {
            needed(a, fields);
            needed(b, fields);
        }
        // Beside a list, an order with nothing is false rather than missing.
        Expr::Compare(_, a, b) => match (&**a, &**b) {
            (e, Expr::Const(value)) | (Expr::Const(value), e) if !matches!(value, Value::List(_) | Value::Missing) => {
                needed(e, fields);
            }
            _ => {}
        },
        Expr::InTable(key, _) => key.iter().for_each(|part| needed(part, fields)),
        Expr::Call(
            Function::Len
            | Function::Lower
            | Function::Upper
            | Function::Trim
            | Function::Number
            | Function::Text
            | Function::Texts,
            args,
        ) => args.iter().take(1).for_each(|arg| needed(arg, fields)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Limits;
    use crate::plan::fold::fold_case;
    use crate::plan::lower::{Input, lower};
    use crate::plan::lower_expr::Declarations;
    use crate::syntax::parse;
    use crate::syntax::source::SourceMap;

    /// The clauses of a condition over the fields a, b, …, as text.
    fn of(condition: &str) -> Vec<String> {
        let text = format!("rule r {{ match {{ e: any where {condition} }} }}");
        let (mut sources, limits) = (SourceMap::new(), Limits::default());
        let id = sources.add("rule", &text);
        let (file, problems) = parse(id, &text, &limits);
        assert!(problems.is_empty(), "{problems:?}");
        let type_field = &["type".to_owned()];
        let input = Input { sources: &sources, type_field, limits: &limits, force: None, key_seed: 0 };
        let rules = lower(&[file], &Declarations::default(), &input).expect("a good rule");
        let name = |field: FieldId| rules.fields[field.index()].join(".");
        let shown = |atom: &Atom| match atom {
            Atom::Equals(field, value) => format!("{}=={}", name(*field), shown_value(value)),
            Atom::EqualsFolded(field, text) => format!("{}=={text}~", name(*field)),
            Atom::Holds(field, text) => format!("{}:{text}", name(*field)),
            Atom::Present(field) => format!("{}?", name(*field)),
            Atom::Differs(field, values) => {
                let values: Vec<String> = values.iter().map(|value| shown_value(value)).collect();
                format!("{}!={}", name(*field), values.join(","))
            }
            Atom::Beyond(field, op, value) => format!("{}{op:?}{}", name(*field), shown_value(value)),
        };
        let clause = |clause: &Clause| {
            let atoms: Vec<String> = clause.atoms.iter().map(shown).collect();
            format!("{}{}", atoms.join(" | "), if clause.exact { " !" } else { "" })
        };
        let found = rules.classes.conditions(0).flat_map(clauses).collect::<Vec<_>>();
        found.iter().map(clause).collect()
    }

    fn shown_value(bytes: &[u8]) -> String {
        crate::plan::key::decode(bytes, 1)[0].to_json().to_string()
    }

    #[test]
    fn values_are_exact() {
        assert_eq!(of("a == 1"), ["a==1 !"]);
        assert_eq!(of("a == \"X\"i"), ["a==x~ !"]);
        assert_eq!(of("a in (1, \"1\", \"Y\"i)"), ["a==1 | a==\"1\" | a==y~ !"]);
        assert_eq!(of("a == 1 or b == \"x\""), ["a==1 | b==\"x\" !"]);
        assert_eq!(of("a like (\"Ab\", \"Cd\"i)"), ["a==\"Ab\" | a==cd~ !"]);
    }

    #[test]
    fn texts_are_folded() {
        assert_eq!(of("a like \"*Ab?Cde*\""), ["a:cde"]);
        assert_eq!(of("contains(a, (\"Ab\", \"C\"i))"), ["a:c | a:ab"]);
        assert_eq!(of("a =~ /^x+Cmd.*y/"), ["a:cmd"]);
        assert_eq!(of("texts(a) like (\"1*\", \"22\"i)"), ["a:1 | a:22"]);
        assert_eq!(fold_case("Cmd"), "cmd");
    }

    #[test]
    fn what_may_be_any_text_must_be_there() {
        assert_eq!(of("a like (\"*\", \"*x*\")"), ["a?"]);
        assert_eq!(of("contains(a, \"\")"), ["a?"]);
        assert_eq!(of("a == b"), ["a?", "b?"]);
    }

    #[test]
    fn what_most_values_meet_is_exact() {
        assert_eq!(of("a > 5 and b != \"x\""), ["aGt5 !", "b!=\"x\" !"]);
        assert_eq!(of("5 <= a"), ["aGe5 !"]);
        assert_eq!(of("not (a < 2.5)"), ["aGe2.5 !"]);
        assert_eq!(of("a not in (1, 2)"), ["a!=1,2 !"]);
        assert_eq!(of("a != \"x\"i"), ["a?"]);
        assert_eq!(of("a not in (1, \"x\"i)"), ["a?"]);
        assert_eq!(of("a > \"x\""), ["a?"]);
    }

    #[test]
    fn negation_keeps_what_cannot_be_missing() {
        assert_eq!(of("not (a like \"*x*\")"), ["a?"]);
        assert_eq!(of("not ((a like \"*x*\") ?? false)"), [""; 0]);
        assert_eq!(of("not ((not (a == 1)) ?? true)"), ["a==1 !"]);
        assert_eq!(of("not (a == 1 or b == 2)"), ["a!=1", "b!=2"]);
        assert_eq!(of("not exists(a)"), [""; 0]);
        // Beside a list, `<` with nothing is false and not missing.
        assert_eq!(of("not (a < b)"), [""; 0]);
    }

    #[test]
    fn alternatives_keep_the_fields_that_all_have() {
        assert_eq!(
            of("(a == 1 and b == \"x\") or (b == \"y\" and a == 2)"),
            ["a==1 | a==2", "b==\"x\" | b==\"y\"", "a==1 | b==\"y\""]
        );
        assert_eq!(of("a == 1 or not exists(b)"), [""; 0]);
    }
}

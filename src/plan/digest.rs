//! What trees and expressions say, as bytes: equal ones, and only they, give equal bytes.
//!
//! So equal conditions are found by one look-up, and a rule's content is told without printing it.

use std::hash::{Hash, Hasher};

use super::expr::{ConstSet, Expr};
use super::key::hash;
use crate::base::Value;

/// Bytes that are written by [`Hash`]; their hash is the digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest(Vec<u8>);

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        hash(&self.0)
    }
}

impl Digest {
    /// The bytes of an expression.
    pub fn of(e: &Expr) -> Box<[u8]> {
        let mut digest = Self::default();
        digest.expr(e);
        digest.0.into()
    }

    fn all(&mut self, parts: &[Expr]) {
        parts.len().hash(self);
        parts.iter().for_each(|part| self.expr(part));
    }

    fn expr(&mut self, e: &Expr) {
        std::mem::discriminant(e).hash(self);
        match e {
            Expr::Const(value) => self.value(value),
            Expr::This(attr) | Expr::Prev(attr) => attr.hash(self),
            Expr::Bound(step, which, attr) => (step, which, attr).hash(self),
            Expr::Key(at) => at.hash(self),
            Expr::Aggregate(of) => {
                (of.kind, &of.steps, of.distinct, of.percent.to_bits(), of.filter.is_some()).hash(self);
                self.all(&of.args);
                of.filter.iter().for_each(|filter| self.expr(filter));
            }
            Expr::Not(a) | Expr::Neg(a) | Expr::Fold(a) | Expr::Each(a) => self.expr(a),
            Expr::InNets(a, nets) => {
                nets.sorted().hash(self);
                self.expr(a);
            }
            Expr::And(parts) | Expr::Or(parts) | Expr::List(parts) => self.all(parts),
            Expr::Compare(op, a, b) | Expr::Arith(op, a, b) => {
                op.hash(self);
                self.expr(a);
                self.expr(b);
            }
            Expr::Default(a, b) => {
                self.expr(a);
                self.expr(b);
            }
            Expr::InSet(a, set) => {
                self.set(set);
                self.expr(a);
            }
            Expr::InList(a, parts) => {
                self.expr(a);
                self.all(parts);
            }
            Expr::InTable(key, table) => {
                table.hash(self);
                self.all(key);
            }
            Expr::Like(a, set) => {
                set.globs().hash(self);
                self.expr(a);
            }
            Expr::HasText(a, test) => {
                (test.function, &test.texts, test.fold, test.single).hash(self);
                self.expr(a);
            }
            Expr::Matches(a, patterns) => {
                patterns.hash(self);
                self.expr(a);
            }
            Expr::Call(function, args) => {
                function.hash(self);
                self.all(args);
            }
            Expr::Lookup(lookup) => {
                (lookup.table, &lookup.path).hash(self);
                self.all(&lookup.key);
            }
            Expr::Member(a, path) => {
                path.hash(self);
                self.expr(a);
            }
            Expr::Index(a, at) => {
                at.hash(self);
                self.expr(a);
            }
            Expr::Extract(a, pattern) => {
                pattern.hash(self);
                self.expr(a);
            }
            Expr::Some(parts) => {
                self.expr(&parts.0);
                self.expr(&parts.1);
            }
            Expr::Element(outer, path) => (outer, path).hash(self),
        }
    }

    /// Sets come in any order.
    fn set(&mut self, set: &ConstSet) {
        let mut exact: Vec<&[u8]> = set.exact.iter().map(|value| &**value).collect();
        let mut folded: Vec<&str> = set.folded.iter().map(|text| &**text).collect();
        exact.sort_unstable();
        folded.sort_unstable();
        (exact, folded).hash(self);
    }

    fn value(&mut self, value: &Value) {
        std::mem::discriminant(value).hash(self);
        match value {
            Value::Missing => {}
            Value::Bool(flag) => flag.hash(self),
            Value::Int(number) => number.hash(self),
            Value::UInt(number) => number.hash(self),
            Value::Float(number) => number.to_bits().hash(self),
            Value::Str(text) => text.hash(self),
            Value::List(items) => {
                items.len().hash(self);
                items.iter().for_each(|item| self.value(item));
            }
            Value::Object(members) => {
                members.len().hash(self);
                for (name, value) in members {
                    name.hash(self);
                    self.value(value);
                }
            }
            Value::Time(time) => time.hash(self),
            Value::Duration(length) => length.hash(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::plan::glob::Glob;
    use crate::plan::glob_set::GlobSet;
    use crate::syntax::ast::BinaryOp;

    fn text(text: &str) -> Expr {
        Expr::Const(Value::Str(text.into()))
    }

    #[test]
    fn what_says_the_same_has_the_same_bytes() {
        let set = |values: &[&str]| {
            let mut set = ConstSet::default();
            set.folded.extend(values.iter().map(|value| Box::from(*value)));
            Expr::InSet(Box::new(text("x")), Arc::new(set))
        };
        assert_eq!(Digest::of(&set(&["a", "b", "c"])), Digest::of(&set(&["c", "a", "b"])));
        assert_ne!(Digest::of(&set(&["a", "b"])), Digest::of(&set(&["ab"])));
        let like = |pattern: &str, fold| {
            Expr::Like(Box::new(text("x")), Arc::new(GlobSet::new(vec![Glob::new(pattern, fold)])))
        };
        assert_eq!(Digest::of(&like("a*", true)), Digest::of(&like("A*", true)));
        assert_ne!(Digest::of(&like("a*", true)), Digest::of(&like("a*", false)));
        let both = |parts: Vec<Expr>| Expr::And(parts);
        assert_ne!(
            Digest::of(&both(vec![text("a"), both(vec![text("b"), text("c")])])),
            Digest::of(&both(vec![both(vec![text("a"), text("b")]), text("c")]))
        );
        let compare = |op| Expr::Compare(op, Box::new(text("a")), Box::new(text("b")));
        assert_ne!(Digest::of(&compare(BinaryOp::Lt)), Digest::of(&compare(BinaryOp::Le)));
    }
}

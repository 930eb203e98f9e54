//! Calls of `contains`, `starts_with` and `ends_with` whose texts are constant.

use std::sync::Arc;

use super::expr::Expr;
use super::glob_set::TextTest;
use super::lower_expr::{Lowering, Place};
use crate::base::function::Function;
use crate::syntax::ast::{self, ExprKind};

impl Lowering<'_> {
    /// `contains(x, ("a"i, "b"))`: folded and exact texts are two tests. `None` if the texts are not constant.
    pub(super) fn text_test(
        &mut self,
        function: Function,
        value: &ast::Expr,
        texts: &ast::Expr,
        place: Place,
    ) -> Option<Expr> {
        let literal = |item: &'_ ast::Expr| match &item.kind {
            ExprKind::Str(s) => Some((s.value.clone(), s.fold)),
            _ => None,
        };
        let (literals, single): (Vec<(String, bool)>, bool) = match &texts.kind {
            ExprKind::Str(_) => (literal(texts).into_iter().collect(), true),
            ExprKind::List(items) => {
                let literals: Vec<_> = items.iter().filter_map(literal).collect();
                // Beside folded texts only texts count; without them a list may hold anything.
                if literals.len() < items.len() && !literals.iter().any(|(_, fold)| *fold) {
                    return None;
                }
                (literals, false)
            }
            _ => return None,
        };
        let value = self.expr(value, place);
        let mut tests = Vec::new();
        for fold in [true, false] {
            let texts: Vec<&str> = literals.iter().filter(|(_, f)| *f == fold).map(|(text, _)| &**text).collect();
            if texts.is_empty() {
                continue;
            }
            if !tests.is_empty() {
                self.whole_reads += self.whole_reads_in(&value);
            }
            // A single folded text has always compared as a list of one.
            let test = TextTest::new(function, &texts, fold, single && !fold)?;
            tests.push(Expr::HasText(Box::new(value.clone()), Arc::new(test)));
        }
        if tests.len() > 1 { Some(Expr::Or(tests)) } else { tests.pop() }
    }
}

//! Evaluation of conditions on texts: what is folded once an event, and `contains` and its kin over constants.

use std::borrow::Cow;

use super::eval::Ctx;
use super::event::EventView;
use super::expr::{Attr, Expr};
use super::fold::fold_case;
use super::glob_set::TextTest;
use crate::base::ValueRef;
use crate::base::function::Function;

/// The folded form of a text that is the value of `e`, if the event keeps it.
#[inline]
pub(super) fn folded_field<'a, E: EventView>(e: &Expr, text: &str, c: &Ctx<'a, E>) -> Option<&'a str> {
    let field = match e {
        Expr::This(Attr::Field(field)) => field,
        Expr::Call(Function::Texts, args) => match args.as_slice() {
            [Expr::This(Attr::Field(field))] => field,
            _ => return None,
        },
        _ => return None,
    };
    // A list has elements of its own, which are not what the event keeps.
    c.this?.folded(*field).filter(|(plain, _)| std::ptr::eq(*plain, text)).map(|(_, folded)| folded)
}

/// The folded form of a text that is the value of `e`, or an element of it.
pub(super) fn folded_text<'t, E: EventView>(e: &Expr, text: &'t str, c: &Ctx<'t, E>) -> Cow<'t, str> {
    folded_field(e, text, c).map_or_else(|| fold_case(text), Cow::Borrowed)
}

/// `contains`, `starts_with`, `ends_with`: of a list by any element, `contains` by whole elements.
pub(super) fn has_text<'t>(
    test: &TextTest,
    value: ValueRef<'t>,
    folded: impl Fn(&'t str) -> Cow<'t, str>,
) -> Option<bool> {
    let matches = |text: &'t str| test.set.is_match_with(text, || folded(text));
    match value {
        ValueRef::Str(text) => Some(matches(text)),
        ValueRef::List(items) if test.function == Function::Contains => {
            let equals = |text: &str| test.texts.iter().any(|wanted| **wanted == *text);
            let mut any = Some(false);
            for item in items {
                match item.as_ref() {
                    ValueRef::Str(text) if test.fold && equals(&fold_case(text)) => return Some(true),
                    ValueRef::Str(text) if !test.fold && equals(text) => return Some(true),
                    ValueRef::Missing if test.single => any = None,
                    _ => {}
                }
            }
            any
        }
        ValueRef::List(items) => Some(items.iter().filter_map(|item| item.as_ref().as_str()).any(matches)),
        _ => None,
    }
}

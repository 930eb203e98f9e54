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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Value;
    use crate::plan::call::apply;

    fn text(s: &str) -> Value {
        Value::Str(s.into())
    }

    fn list(items: &[Value]) -> Value {
        Value::List(items.into())
    }

    fn folded_value(value: &Value) -> Value {
        match value {
            Value::Str(s) => text(&fold_case(s)),
            Value::List(items) => Value::List(items.iter().map(folded_value).collect()),
            other => other.clone(),
        }
    }

    #[test]
    fn constants_compare_as_the_functions_do() {
        let texts: Vec<Value> = ["", "a", "Ab", "aB c", "xAbx", "\u{130}b"].iter().map(|s| text(s)).collect();
        let mut values = texts.clone();
        values.extend([Value::Missing, Value::Int(1), Value::Bool(true), list(&[])]);
        for a in texts.iter().chain([&Value::Missing, &Value::Int(5)]) {
            values.extend(texts.iter().map(|b| list(&[a.clone(), b.clone()])));
        }
        let wanted: [&[&str]; 6] = [&["a"], &["Ab"], &[""], &["ab", "x"], &["B", "C", "i"], &["xAbx", "AB C"]];
        for function in [Function::Contains, Function::StartsWith, Function::EndsWith] {
            for wanted in wanted {
                let all = list(&wanted.iter().map(|s| text(s)).collect::<Vec<_>>());
                let folded_all = folded_value(&all);
                for value in &values {
                    let bool_of = |value: Value| match value {
                        Value::Bool(v) => Some(v),
                        _ => None,
                    };
                    let ask = |fold, single| {
                        let test = TextTest::new(function, wanted, fold, single).expect("one of the three");
                        has_text(&test, value.as_ref(), fold_case)
                    };
                    let exact = bool_of(apply(function, &[value.as_ref(), all.as_ref()]));
                    assert_eq!(ask(false, false), exact, "{function:?} {value:?} {wanted:?}");
                    let folded = bool_of(apply(function, &[folded_value(value).as_ref(), folded_all.as_ref()]));
                    assert_eq!(ask(true, false), folded, "{function:?} {value:?} {wanted:?} folded");
                    if let [one] = wanted {
                        let single = bool_of(apply(function, &[value.as_ref(), ValueRef::Str(one)]));
                        assert_eq!(ask(false, true), single, "{function:?} {value:?} {one:?} alone");
                    }
                }
            }
        }
    }
}

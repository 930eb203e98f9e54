//! Arguments of functions that are more than values: time zones, patterns, the whole event, elements of lists.

use crate::base::Zone;
use crate::base::function::Kinds;
use crate::check::Checker;
use crate::check::scope::Scope;
use crate::check::suggest::closest;
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{Expr, ExprKind, Ident, Path, RegexLit};
use crate::syntax::source::Span;

impl Checker<'_> {
    /// A time zone that is written out must exist. Whether the argument was judged.
    pub(crate) fn zone_argument(&mut self, arg: &Expr) -> bool {
        let ExprKind::Str(text) = &arg.kind else { return false };
        if Zone::by_name(&text.value).is_some() {
            return true;
        }
        let report = Diagnostic::error(
            codes::UNKNOWN_ZONE,
            format!("there is no time zone \"{}\"", text.value),
            arg.span,
            "the call is always missing",
        );
        let folded = Zone::names().find(|name| name.eq_ignore_ascii_case(&text.value));
        let near = folded.or_else(|| closest(&text.value, Zone::names()));
        self.out.push(match near {
            Some(near) => report.help(format!("did you mean \"{near}\"?")).fix(arg.span, format!("\"{near}\"")),
            None => report.help("zones are called after a continent and a city: \"Europe/Berlin\", \"America/New_York\"; without one the time is UTC"),
        });
        true
    }

    /// `any_value()` reads the current event, so there must be one.
    pub(crate) fn whole_event(&mut self, span: Span, scope: &Scope<'_, '_>) {
        if scope.place.has_event() {
            self.seen.event.get_or_insert(span);
            return;
        }
        self.out.push(
            Diagnostic::error(
                codes::NO_EVENT,
                format!("`any_value()` reads the current event, and {} has none", scope.place.name()),
                span,
                "of which event?",
            )
            .help("use it in the `where` of a step, a guard or an aggregate"),
        );
    }

    /// The pattern of `extract`: it may well match nothing at all.
    pub(crate) fn extract_regex(&mut self, regex: &RegexLit) {
        self.regex(regex);
        if self.out.last().is_some_and(|d| d.code == codes::MATCHES_EVERYTHING) {
            self.out.pop();
        }
    }

    /// The second argument of `extract` where it is no regular expression.
    pub(crate) fn extract_pattern(&mut self, arg: &Expr) {
        let report = Diagnostic::error(
            codes::NOT_LITERAL,
            "`extract` takes a regular expression between slashes",
            arg.span,
            "not a pattern that is known when the rule is compiled",
        );
        self.out.push(match &arg.kind {
            ExprKind::Str(text) => {
                let fixed = format!("/{}/{}", text.value.replace('/', "\\/"), if text.fold { "i" } else { "" });
                report.help(format!("write `{fixed}`")).fix(arg.span, fixed)
            }
            _ => report.help("write `extract(message, /user=(\\w+)/)`"),
        });
    }

    /// A regular expression where no function takes one.
    pub(crate) fn regex_as_value(&mut self, regex: &RegexLit) {
        self.out.push(
            Diagnostic::error(
                codes::REGEX_AS_VALUE,
                "a regular expression cannot stand here",
                regex.span,
                "not a value",
            )
            .help("test a text with `text =~ /re/`, or take a part of it with `extract(text, /re/)`"),
        );
    }

    /// `some(xs as x where …)`
    pub(crate) fn any_element(&mut self, list: &Expr, name: &Ident, condition: &Expr, scope: &Scope<'_, '_>) {
        let kinds = self.infer(list, scope);
        if !kinds.is_empty() && !kinds.meets(Kinds::LIST) {
            self.out.push(
                Diagnostic::error(
                    codes::WRONG_OPERAND,
                    format!("`some` goes through a list, and this is a {kinds}"),
                    list.span,
                    kinds.to_string(),
                )
                .help("write the condition alone: it is about one value"),
            );
        }
        let taken = if scope.is_name(&name.name) {
            Some("a step of this rule")
        } else if self.names.lets.contains_key(name.name.as_str()) {
            Some("a `let`")
        } else if scope.elements.contains(&name.name.as_str()) {
            Some("an element of the list around")
        } else if matches!(name.name.as_str(), "prev" | "key") {
            Some("a word of the language here")
        } else {
            None
        };
        if let Some(what) = taken {
            self.out.push(
                Diagnostic::error(
                    codes::ELEMENT_NAME,
                    format!("`{}` is already {what}", name.name),
                    name.span,
                    "cannot also name an element",
                )
                .help(format!("choose another name: `as {}_element`", name.name)),
            );
            return;
        }
        let mut inner = scope.clone();
        inner.elements.push(&name.name);
        let before = self.out.len();
        self.condition(condition, &inner, "`some`");
        let mut read = false;
        crate::check::walk::paths(condition, &mut |path| read |= path.parts[0].name == name.name);
        if !read && self.out.len() == before {
            self.out.push(
                Diagnostic::error(
                    codes::NO_EFFECT,
                    format!("the condition does not read `{}`", name.name),
                    condition.span,
                    "the same for every element",
                )
                .label(name.span, "what an element is called")
                .help(format!("read the element as `{0}`, its fields as `{0}.field`", name.name)),
            );
        }
    }

    /// `each(…)` anywhere but around a component of a key.
    pub(crate) fn each_out_of_place(&mut self, span: Span) {
        self.out.push(
            Diagnostic::error(
                codes::EACH_OUT_OF_PLACE,
                "`each` gives an event a key for each element of a list",
                span,
                "not a component of a key",
            )
            .help("write `by each(tags)` or `by tag = each(tags)`; for a condition on elements there is `some(xs as x where …)`"),
        );
    }

    /// A path that begins with the name of an element: the element, or a field of it.
    pub(crate) fn element_field(&mut self, path: &Path) -> Kinds {
        if let Some(attribute) = path.parts[1..].iter().find(|p| p.name.starts_with('@')) {
            self.out.push(
                Diagnostic::error(
                    codes::UNKNOWN_ATTRIBUTE,
                    format!("only events have `{}`", attribute.name),
                    attribute.span,
                    "an element of a list is no event",
                )
                .help(format!("for a field of this name write it in backquotes: `` `{}` ``", attribute.name)),
            );
            return Kinds::ANY;
        }
        Kinds::FIELD
    }
}

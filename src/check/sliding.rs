//! What only a sliding count may have: a bound by number of events, and a condition that has to last.

use crate::check::Checker;
use crate::check::model::{Model, minimum};
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::Expr;

impl<'a> Checker<'a> {
    /// `within 100 events`
    pub(crate) fn events_bound(&mut self, model: &Model<'a>) {
        let Some(bound) = model.matching.and_then(|m| m.events) else { return };
        if bound.count == 0 {
            self.out.push(
                Diagnostic::error(codes::NOT_POSITIVE, "a window of 0 events is empty", bound.span, "not above zero")
                    .help("write `within 100 events`"),
            );
            return;
        }
        if !model.is_sliding() {
            let report = Diagnostic::error(
                codes::NOT_SLIDING,
                "`within` a number of events bounds nothing but a sliding count",
                bound.span,
                "this pattern is no sliding count",
            );
            self.out.push(report.help(match model.only_step() {
                Some(step) if step.is_repeated() => "leave out `until`: it makes the pattern a session",
                Some(_) => "count the events: `at least 5 of …`",
                None => "bound the match by a duration: `within 10m`",
            }));
            return;
        }
        let quantifier = model.only_step().and_then(|step| step.step.quantifier.as_ref());
        if let Some(quantifier) = quantifier
            && minimum(quantifier.count) > bound.count
        {
            self.out.push(
                Diagnostic::error(
                    codes::TOO_FEW_EVENTS,
                    format!("{} of the last {} events can never be", minimum(quantifier.count), bound.count),
                    quantifier.span,
                    "never reached",
                )
                .label(bound.span, "so many events are looked at")
                .help("look at more events, or ask for fewer"),
            );
        }
    }

    /// `having C for 10m`
    pub(crate) fn having_for(&mut self, lasting: &Expr, model: &Model<'a>) {
        self.duration(lasting, "`for`");
        if !model.is_sliding() {
            self.out.push(
                Diagnostic::error(
                    codes::NOT_SLIDING,
                    "`for` needs a sliding count, whose condition is looked at again and again",
                    lasting.span,
                    "this pattern is looked at once",
                )
                .help("leave out `for`, or count one repeated step `within` a duration"),
            );
        }
    }
}

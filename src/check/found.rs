//! Named look-backs, `Y if q: X in last d`: where the name may stand, and where it may be read.

use crate::base::function::Kinds;
use crate::check::Checker;
use crate::check::model::{Found, Model, Role, path_text};
use crate::check::scope::Seen;
use crate::check::walk::paths;
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{ClauseKind, Path, Pick, StepGuardKind};

impl<'a> Checker<'a> {
    /// Names: taken, reserved, or where they can mean nothing.
    pub(crate) fn found_names(&mut self, model: &Model<'a>) {
        for (i, found) in model.found.iter().enumerate() {
            let name = found.name;
            let steps = model.steps.iter().filter_map(|s| s.step.name.as_ref());
            let mut others = steps.chain(model.found[..i].iter().map(|f| f.name));
            if let Some(other) = others.find(|n| n.name == name.name) {
                self.out.push(
                    Diagnostic::error(
                        codes::DUPLICATE_STEP,
                        format!("two things in this rule are called `{}`", name.name),
                        name.span,
                        "named again here",
                    )
                    .label(other.span, "also named here")
                    .note("names of steps and of what they look back at are unique in a rule")
                    .help("rename one of them"),
                );
            }
            if matches!(name.name.as_str(), "prev" | "key") {
                self.out.push(
                    Diagnostic::error(
                        codes::RESERVED_NAME,
                        format!("what is looked back at cannot be called `{}`", name.name),
                        name.span,
                        "a reserved name",
                    )
                    .help("choose another name"),
                );
            }
            if let Some((what, why, help)) = against_name(model, found) {
                self.out.push(
                    Diagnostic::error(
                        codes::NAMED_LOOK_BACK,
                        format!("`{}` cannot be named {what}", name.name),
                        name.span,
                        why,
                    )
                    .note("`Y if q: X in last d` names the newest X before Y")
                    .help(help),
                );
            }
        }
    }

    /// A field of what a look-back has found.
    pub(super) fn found_field(&mut self, path: &Path, found: &Found<'_>, seen: Seen) -> Kinds {
        let name = &path.parts[0];
        let report = |message: String, label: &str| {
            Diagnostic::error(codes::FOUND_OUT_OF_SCOPE, message, name.span, label).label(found.name.span, "named here")
        };
        match seen {
            Seen::Yes => {}
            Seen::NotYet => self.out.push(
                report(format!("`{}` is read before it is looked for", name.name), "not known at this point")
                    .note("its step's own `where` can read it, and whatever comes after that step")
                    .help("move the comparison to the `where` of the step that looks back, or behind it"),
            ),
            Seen::OneOfMany => self.out.push(
                report(
                    format!("`{}` does not say for which event: the step that looks back is repeated", path_text(path)),
                    "one for each of its events",
                )
                .help("compare in that step's own `where`, or bind one event"),
            ),
        }
        if let Some(event) = found.guard.events.first() {
            self.alert_class_field(&event.classes, &path.parts[1..]);
        }
        self.fields(&path.parts[1..])
    }
}

/// Where a name cannot stand, why, and what to do.
fn against_name<'m>(model: &'m Model<'_>, found: &Found<'_>) -> Option<(&'m str, &'m str, &'m str)> {
    let info = &model.steps[found.step];
    if found.guard.kind != StepGuardKind::If {
        return Some(("by `unless`", "there must be none", "leave the name out, or write `if`"));
    }
    if found.guard.events.len() > 1 {
        return Some(("for a list", "of which of them?", "name one class, or `(X or Y)`"));
    }
    // Repeated groups take no guards at all, which is reported there.
    if matches!(info.role, Role::GroupMember(_)) {
        return None;
    }
    if model.is_sliding() {
        let help = "look back from a single step that follows, or leave the name out";
        return Some(("in a sliding count", "the window's events come and go without it", help));
    }
    if model.rule.clauses.iter().any(|c| matches!(c.kind, ClauseKind::Pick(Pick::Pending))) {
        let help = "leave `pick pending` out: `pick latest` finds every match";
        return Some(("beside `pick pending`", "a pending match keeps its steps only", help));
    }
    let mut read = false;
    if let Some(condition) = &info.step.condition {
        paths(condition, &mut |path| read |= path.parts.len() > 1 && path.parts[0].name == found.name.name);
    }
    if read && model.nodes[info.node].then.is_some_and(|then| then.next) {
        let help = "leave out `next`, or say what must not lie between with `without`";
        return Some(("after `next`", "what lies between would look back for itself", help));
    }
    None
}

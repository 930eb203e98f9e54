//! Absences of groups, `no { a: X then b: Y } within d`: names inside, what they may be read by, and bounds that leave
//! room. What a group may hold is a matter of the parser.

use crate::base::function::Kinds;
use crate::check::Checker;
use crate::check::bounds::show;
use crate::check::model::{Absent, Model, NodeKind};
use crate::check::scope::{Place, Scope};
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{Absence, AbsentGroup, Clause, Path};

impl<'a> Checker<'a> {
    /// Names inside absences: taken or reserved.
    pub(crate) fn absent_names(&mut self, model: &Model<'a>) {
        for (i, absent) in model.absent.iter().enumerate() {
            let name = absent.name;
            let steps = model.steps.iter().filter_map(|s| s.step.name.as_ref());
            let found = model.found.iter().map(|f| f.name);
            let mut others = steps.chain(found).chain(model.absent[..i].iter().map(|a| a.name));
            if let Some(other) = others.find(|n| n.name == name.name) {
                self.out.push(
                    Diagnostic::error(
                        codes::DUPLICATE_STEP,
                        format!("two things in this rule are called `{}`", name.name),
                        name.span,
                        "named again here",
                    )
                    .label(other.span, "also named here")
                    .note("names of steps are unique in a rule, those inside an absence too")
                    .help("rename one of them"),
                );
            }
            if matches!(name.name.as_str(), "prev" | "key") {
                self.out.push(
                    Diagnostic::error(
                        codes::RESERVED_NAME,
                        format!("a step cannot be called `{}`", name.name),
                        name.span,
                        "a reserved name",
                    )
                    .help("choose another name"),
                );
            }
        }
    }

    /// The conditions of what must not come, each of which may read the events before it.
    pub(crate) fn absent_conditions(&mut self, absence: &'a Absence, scope: &Scope<'_, 'a>) {
        for (at, event) in absence.events.iter().enumerate() {
            let inside = absence.group.as_ref().map(|group| (group, at));
            self.guard(event, &Scope { inside, ..scope.clone() });
        }
    }

    /// A field of an event that must not come.
    pub(super) fn absent_field(&mut self, path: &Path, absent: &Absent<'_>, readable: bool) -> Kinds {
        if !readable {
            let name = &path.parts[0];
            self.out.push(
                Diagnostic::error(
                    codes::ABSENT_OUT_OF_SCOPE,
                    format!("`{}` is a step that must not come: nothing is bound to it", name.name),
                    name.span,
                    "means nothing here",
                )
                .label(absent.name.span, "inside the absence of a group")
                .help("compare in a later step inside the braces, or name a step outside of them"),
            );
        }
        self.alert_class_field(&absent.guard.classes, &path.parts[1..]);
        self.fields(&path.parts[1..])
    }

    /// The bounds inside an absent group, and whether they leave room before its deadline, `whole` if that is constant.
    pub(super) fn absent_bounds(&mut self, model: &Model<'a>, at: usize, absence: &'a Absence, whole: Option<i64>) {
        let Some(group) = &absence.group else { return };
        if absence.events.len() == 1 {
            self.group_without_effect(group.span, "braces around a single step have");
        }
        let mut least = 0_i64;
        for (before, joint) in group.joints.iter().enumerate() {
            let inside = Some((group, before + 2));
            let scope = Scope { inside, ..Scope::before(Place::Bound, model, at) };
            least = least.saturating_add(self.least_gap(joint, &scope).unwrap_or_default());
        }
        if let (Some(whole), Some(within)) = (whole, &absence.within)
            && least > whole
        {
            self.out.push(
                Diagnostic::error(
                    codes::NEVER_MATCHES,
                    format!(
                        "this absence always holds: the gaps inside take {} at least, and it lasts {}",
                        show(least),
                        show(whole)
                    ),
                    within.span,
                    "too short for the group to come",
                )
                .label(group.span, "takes longer")
                .help(format!("let it last longer than {}, or shorten the gaps", show(least))),
            );
        }
    }

    /// A group that must not come, without an end.
    pub(super) fn endless_group(&mut self, absence: &Absence, group: &AbsentGroup) {
        self.out.push(
            Diagnostic::error(
                codes::ABSENT_GROUP,
                "the absence of a group needs `within` or `until`",
                absence.span,
                "for how long?",
            )
            .label(group.span, "no candidate of this may lie before the deadline")
            .note("it is decided at its deadline")
            .help("say for how long: `no { … } within 5m`"),
        );
    }

    /// `repeat every` behind the absence of a group.
    pub(super) fn repeat_of_group(&mut self, clause: &Clause, model: &Model<'a>) {
        let group = model.nodes.iter().rev().map_while(|n| match &n.kind {
            NodeKind::Absence(absence) => Some(*absence),
            _ => None,
        });
        let Some(group) = group.filter_map(|a| a.group.as_ref()).next() else { return };
        self.out.push(
            Diagnostic::error(
                codes::ABSENT_GROUP,
                "`repeat every` cannot follow the absence of a group",
                clause.span,
                "until which event would it be said again?",
            )
            .label(group.span, "a sequence, of which no one event ends the absence")
            .help(
                "name the single event that must not come, or make a rule of the group: `no alert.that_rule within 5m`",
            ),
        );
    }
}

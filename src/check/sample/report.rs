//! What a sample says, as a table and as warnings.

use std::collections::BTreeMap;

use super::reads::show;
use super::{ClassSeen, FieldSeen, Sample, SampleReport, Subject, Use, kind_of};
use crate::base::function::Kinds;
use crate::check::suggest::closest;
use crate::diag::Diagnostic;
use crate::diag::codes::sample as codes;

impl<'a> Sample<'a> {
    /// The report on everything read so far.
    pub fn finish(&self) -> SampleReport {
        let mut report = SampleReport { events: self.events, ..SampleReport::default() };
        report.classes = self
            .classes
            .iter()
            .map(|(class, events)| ClassSeen { class: (*class).to_owned(), events: *events })
            .collect();
        for subject in &self.subjects {
            for (path, counts) in &subject.fields {
                report.fields.push(FieldSeen {
                    class: subject.name(),
                    field: show(path),
                    present: counts.present,
                    events: subject.events,
                    kinds: counts.kinds.iter().map(|(kind, n)| (*kind, *n)).collect(),
                    rules: self.readers(subject, path),
                });
            }
        }
        report.fields.sort_by(|a, b| (&a.class, &a.field).cmp(&(&b.class, &b.field)));
        if self.events > 0 {
            self.unseen_classes(&mut report.diagnostics);
            self.fields(&mut report.diagnostics);
            self.negations(&mut report.diagnostics);
        }
        report.diagnostics.sort_by_key(|d| d.labels.first().map(|l| (l.span.source, l.span.start, l.span.end)));
        report
    }

    /// The rules that read a field of a subject, in order.
    fn readers(&self, subject: &Subject<'a>, path: &[String]) -> Vec<String> {
        let mut rules: Vec<String> = Vec::new();
        for read in self.reads.iter().filter(|r| r.classes == subject.classes && r.path == path) {
            if let Some(rule) = read.rule
                && !rules.iter().any(|r| r == rule)
            {
                rules.push(rule.to_owned());
            }
        }
        rules
    }

    fn unseen_classes(&self, out: &mut Vec<Diagnostic>) {
        for (class, events) in &self.classes {
            if *events != Some(0) {
                continue;
            }
            let Some(read) = self.reads.iter().find(|r| r.path.is_empty() && r.classes.contains(class)) else {
                continue;
            };
            let report = Diagnostic::warning(
                codes::CLASS_NEVER_SEEN,
                format!("none of the {} events of the sample is a `{class}`", self.events),
                read.span,
                "never seen",
            );
            let report = match self.names.classes.get(class) {
                Some(decl) => report
                    .label(decl.condition.span, "what makes an event one of the class")
                    .help("compare the condition with an event of the sample"),
                None => {
                    let field = show(&self.type_field);
                    let report = report
                        .note(format!("the class is not declared: it is every event whose `{field}` is \"{class}\""));
                    match closest(class, self.types.keys().map(String::as_str)) {
                        Some(near) => report.help(format!("did you mean `{near}`?")).fix(read.span, near),
                        None if self.types.is_empty() => report.help(format!(
                            "no event has a text in `{field}`: declare the class, `event {class} = …`, or name another type field"
                        )),
                        None => {
                            let mut types: Vec<_> = self.types.iter().collect();
                            types.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
                            let most: Vec<&str> = types.iter().take(8).map(|(name, _)| name.as_str()).collect();
                            report.help(format!("most events are: {}", most.join(", ")))
                        }
                    }
                }
            };
            out.push(report);
        }
    }

    /// Fields that are never there, keys that are missing, kinds that do not fit. One report a field and class.
    fn fields(&self, out: &mut Vec<Diagnostic>) {
        for subject in self.subjects.iter().filter(|s| s.events > 0) {
            for (path, counts) in &subject.fields {
                let reads: Vec<_> =
                    self.reads.iter().filter(|r| r.classes == subject.classes && r.path == *path).collect();
                if counts.present == 0 {
                    // A field that may be missing is asked for on purpose.
                    let Some(read) = reads.iter().find(|r| r.how != Use::MayMiss) else { continue };
                    let (field, whose) = (show(path), subject.described());
                    let report = Diagnostic::warning(
                        codes::FIELD_NEVER_SEEN,
                        format!("none of the {} {whose} has a field `{field}`", subject.events),
                        read.span,
                        "never there",
                    )
                    .note(self.read_by(subject, path));
                    out.push(match closest(&field, subject.names.iter().map(String::as_str)) {
                        Some(near) => report.help(format!("did you mean `{near}`?")),
                        None => report
                            .help("look at an event of the sample: is the field called otherwise, or nested deeper?"),
                    });
                    continue;
                }
                let missing = subject.events - counts.present;
                if let (Some(read), true) = (reads.iter().find(|r| r.how == Use::Key), missing > 0) {
                    out.push(
                        Diagnostic::warning(
                            codes::KEY_MISSING,
                            format!("{missing} of {} {} have no `{}`", subject.events, subject.described(), show(path)),
                            read.span,
                            "they take no part in the rule",
                        )
                        .note("an event without a key field takes no part, and is counted")
                        .help(format!("write `{}?` if missing should be a key of its own", show(path))),
                    );
                }
                let needs = reads.iter().filter_map(|r| match r.how {
                    Use::Needs(kinds) if !kinds.is_empty() => Some((kinds, r.span)),
                    _ => None,
                });
                // The first use that does not fit stands for the others.
                let misfit = needs
                    .map(|(kinds, span)| (kinds, span, misfits(&counts.kinds, kinds)))
                    .find(|(_, _, wrong)| wrong.iter().map(|(_, n)| n).sum::<u64>() > 0);
                let Some((kinds, span, wrong)) = misfit else { continue };
                let total: u64 = wrong.iter().map(|(_, n)| n).sum();
                // Class conditions meet events of all classes, where a field may well be something else.
                if subject.classes.is_empty() && total < counts.present {
                    continue;
                }
                let found: Vec<String> = wrong.iter().map(|(kind, n)| format!("{kind} in {n}")).collect();
                let report = Diagnostic::warning(
                    codes::KIND_MISMATCH,
                    format!(
                        "`{}` is used as a {kinds}, and is something else in {total} of {} {}",
                        show(path),
                        counts.present,
                        if subject.classes.is_empty() { "events".to_owned() } else { subject.described() }
                    ),
                    span,
                    found.join(", "),
                )
                .note("a comparison of different kinds is never true, and other uses of a wrong kind are missing");
                let strings = wrong.iter().any(|(kind, _)| *kind == "string");
                out.push(if kinds == Kinds::NUMBER && strings {
                    report.help(format!("turn the text into a number: `number({})`", show(path)))
                } else if kinds == Kinds::STRING && wrong.iter().any(|(kind, _)| *kind == "number") {
                    report.help("compare with a number, written without quotes")
                } else {
                    report.help("compare with what the events hold")
                });
            }
        }
    }

    fn read_by(&self, subject: &Subject<'a>, path: &[String]) -> String {
        let rules = self.readers(subject, path);
        match rules.as_slice() {
            [] => "read by the declaration of an event class".to_owned(),
            [one] => format!("read by the rule `{one}`"),
            many => {
                format!("read by the rules {}", many.iter().map(|r| format!("`{r}`")).collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn negations(&self, out: &mut Vec<Diagnostic>) {
        for (negation, skipped) in self.negations.iter().zip(&self.skipped) {
            let Some(subject) = self.subjects.iter().find(|s| s.classes == negation.classes) else { continue };
            // A field that is never there is reported as such.
            if *skipped == 0 || *skipped == subject.events {
                continue;
            }
            let field = show(&negation.path);
            out.push(
                Diagnostic::warning(
                    codes::NEGATION_SKIPS,
                    format!("this negation skips {skipped} of {} {}, which have no `{field}`", subject.events, subject.described()),
                    negation.span,
                    "missing, not true, for them",
                )
                .help(format!("to let them pass, give a default: `({field} ?? \"\")`; to skip them on purpose, add `exists({field}) and`")),
            );
        }
    }
}

impl Subject<'_> {
    fn name(&self) -> String {
        self.classes.join(" or ")
    }

    fn described(&self) -> String {
        if self.classes.is_empty() { "events".to_owned() } else { format!("events of `{}`", self.name()) }
    }
}

/// The kinds seen that do not fit what is needed, with how often. Lists fit: a comparison looks into them.
fn misfits(seen: &BTreeMap<&'static str, u64>, needed: Kinds) -> Vec<(&'static str, u64)> {
    seen.iter().filter(|(kind, _)| !kind_of(kind).meets(needed.or(Kinds::LIST))).map(|(kind, n)| (*kind, *n)).collect()
}

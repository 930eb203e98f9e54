//! Patterns and tests back to text.

use super::ast::{Absence, AbsentGroup, All, ClassRef, Group};
use super::ast::{
    Any, Count, Element, ExpectAlert, Guard, MatchClause, Path, Quantifier, Sequence, Step, StepGuardKind, TestDecl,
    TestEvent, TestItem, TestValue, Then,
};
use super::doc::Doc;
use super::print_expr::quoted;
use super::printer::{Printer, WIDTH};
use super::source::Span;

impl Printer<'_> {
    pub(super) fn classes(&self, classes: &[ClassRef]) -> String {
        let names: Vec<String> = classes.iter().map(|class| self.written.class(class)).collect();
        if names.len() == 1 { names.concat() } else { format!("({})", names.join(" or ")) }
    }

    pub(super) fn match_clause(&mut self, clause: &MatchClause) {
        let bound = clause.within.as_ref().map(|d| self.written.expr(d));
        let bound = bound.or(clause.events.map(|e| Doc::text(format!("{} events", e.count))));
        let within = bound.map(|bound| Doc::concat([Doc::text("within "), bound]));
        if clause.body.elements().count() <= 2 && !self.has_comment(clause.span) {
            let mut parts = vec![Doc::text("match { "), self.sequence(&clause.body), Doc::text(" }")];
            if let Some(within) = within.clone() {
                parts.extend([Doc::text(" "), within]);
            }
            let line = Doc::Concat(parts);
            if self.indent + line.width(WIDTH) <= WIDTH {
                return self.unit(clause.span, &Doc::text(line.flat()));
            }
        }
        self.block(clause.span, &Doc::text("match"), within.as_ref(), |printer| printer.lines(&clause.body));
    }

    /// A sequence, one element a line.
    fn lines(&mut self, sequence: &Sequence) {
        self.element_lines(None, &sequence.first);
        for (then, element) in &sequence.rest {
            self.element_lines(Some(then), element);
        }
    }

    fn element_lines(&mut self, then: Option<&Then>, element: &Element) {
        let span = then.map_or(element.span(), |then| then.span.to(element.span()));
        let joint = then.map(|then| self.then(then));
        let lead = |doc: Doc| match &joint {
            Some(joint) => Doc::concat([joint.clone(), Doc::text(" "), doc]),
            None => doc,
        };
        let line = lead(self.element(element));
        let fits = self.indent + line.width(WIDTH) <= WIDTH;
        let plain = match element {
            Element::Step(_) => true,
            Element::Absence(absence) => absence.group.is_none(),
            _ => false,
        };
        if plain || fits && !self.has_comment(span) {
            return self.unit(span, &line);
        }
        match element {
            Element::Absence(absence @ Absence { group: Some(group), events, .. }) => {
                let end = self.absence_end(absence);
                self.block(span, &lead(Doc::text("no")), end.as_ref(), |printer| {
                    for (i, guard) in events.iter().enumerate() {
                        let then = i.checked_sub(1).and_then(|i| group.joints.get(i));
                        let span = then.map_or(guard.span, |then| then.span.to(guard.span));
                        let doc = printer.absent_step(group, i, guard);
                        printer.unit(span, &doc);
                    }
                });
            }
            Element::All(all) => {
                let without = (!all.without.is_empty())
                    .then(|| Doc::concat([Doc::text("without "), self.guards(&all.without).nest(4).group()]));
                self.block(span, &lead(Doc::text("all")), without.as_ref(), |printer| printer.members(&all.members));
            }
            Element::Any(any) => {
                self.block(span, &lead(Doc::text("any")), None, |printer| printer.members(&any.members));
            }
            Element::Choice(choice) => {
                self.block(span, &lead(Doc::text("any")), None, |printer| {
                    for member in &choice.members {
                        let doc = printer.sequence(member);
                        printer.unit(member.span, &doc);
                    }
                });
            }
            Element::Group(group) => {
                let head = match &group.quantifier {
                    Some(quantifier) => lead(self.quantifier(quantifier)),
                    None => joint.clone().unwrap_or(Doc::text("")),
                };
                let within = group.within.as_ref().map(|d| Doc::concat([Doc::text("within "), self.written.expr(d)]));
                self.block(span, &head, within.as_ref(), |printer| printer.lines(&group.body));
            }
            Element::Step(_) | Element::Absence(_) => {}
        }
    }

    fn members(&mut self, members: &[Step]) {
        for step in members {
            let doc = self.step(step);
            self.unit(step.span, &doc);
        }
    }

    /// A sequence as one text.
    fn sequence(&self, sequence: &Sequence) -> Doc {
        let mut parts = vec![self.element(&sequence.first)];
        for (then, element) in &sequence.rest {
            parts.extend([Doc::text(" "), self.then(then), Doc::text(" "), self.element(element)]);
        }
        Doc::Concat(parts)
    }

    fn then(&self, then: &Then) -> Doc {
        let mut parts = vec![Doc::text("then")];
        if then.directly {
            parts.push(Doc::text(" directly"));
        }
        if then.next {
            parts.push(Doc::text(" next"));
        }
        if let Some(after) = &then.after {
            parts.extend([Doc::text(" after "), self.written.expr(after)]);
        }
        if let Some(within) = &then.within {
            parts.extend([Doc::text(" within "), self.written.expr(within)]);
        }
        Doc::Concat(parts)
    }

    fn element(&self, element: &Element) -> Doc {
        match element {
            Element::Step(step) => self.step(step),
            Element::Absence(absence) => {
                let head = match absence.fewer {
                    None => Doc::text("no "),
                    Some(n) => Doc::text(format!("fewer than {n} of ")),
                };
                let mut parts = match &absence.group {
                    None => vec![head, self.guards(&absence.events).nest(4).group()],
                    Some(group) => vec![head, self.absent_group(absence, group)],
                };
                if let Some(end) = self.absence_end(absence) {
                    parts.extend([Doc::text(" "), end]);
                }
                Doc::Concat(parts)
            }
            Element::All(All { members, without, .. }) => {
                let mut parts = vec![Doc::text("all { "), self.member_list(members), Doc::text(" }")];
                if !without.is_empty() {
                    parts.extend([Doc::text(" without "), self.guards(without)]);
                }
                Doc::Concat(parts)
            }
            Element::Any(Any { members, .. }) => {
                Doc::concat([Doc::text("any { "), self.member_list(members), Doc::text(" }")])
            }
            Element::Choice(choice) => {
                let mut parts = vec![Doc::text("any { ")];
                for (i, member) in choice.members.iter().enumerate() {
                    parts.extend((i > 0).then(|| Doc::text("  ")));
                    parts.push(self.sequence(member));
                }
                parts.push(Doc::text(" }"));
                Doc::Concat(parts)
            }
            Element::Group(Group { quantifier, body, within, .. }) => {
                let mut parts = Vec::new();
                if let Some(quantifier) = quantifier {
                    parts.extend([self.quantifier(quantifier), Doc::text(" ")]);
                }
                parts.extend([Doc::text("{ "), self.sequence(body), Doc::text(" }")]);
                if let Some(within) = within {
                    parts.extend([Doc::text(" within "), self.written.expr(within)]);
                }
                Doc::Concat(parts)
            }
        }
    }

    fn absence_end(&self, absence: &Absence) -> Option<Doc> {
        match (&absence.within, &absence.until) {
            (Some(within), _) => Some(Doc::concat([Doc::text("within "), self.written.expr(within)])),
            (None, Some(until)) => Some(Doc::concat([Doc::text("until "), self.written.expr(until)])),
            (None, None) => None,
        }
    }

    fn absent_group(&self, absence: &Absence, group: &AbsentGroup) -> Doc {
        let mut parts = vec![Doc::text("{ ")];
        for (i, guard) in absence.events.iter().enumerate() {
            parts.extend((i > 0).then(|| Doc::text(" ")));
            parts.push(self.absent_step(group, i, guard));
        }
        parts.push(Doc::text(" }"));
        Doc::Concat(parts)
    }

    /// A step that must not come, with the joint before it.
    fn absent_step(&self, group: &AbsentGroup, at: usize, guard: &Guard) -> Doc {
        let mut parts = Vec::new();
        if let Some(then) = at.checked_sub(1).and_then(|before| group.joints.get(before)) {
            parts.extend([self.then(then), Doc::text(" ")]);
        }
        if let Some(Some(name)) = group.names.get(at) {
            parts.push(Doc::text(format!("{}: ", self.written.ident(name))));
        }
        parts.push(self.guard(guard, false));
        Doc::Concat(parts)
    }

    fn member_list(&self, members: &[Step]) -> Doc {
        let mut parts = Vec::new();
        for (i, step) in members.iter().enumerate() {
            if i > 0 {
                parts.push(Doc::text("  "));
            }
            parts.push(self.step(step));
        }
        Doc::Concat(parts)
    }

    fn quantifier(&self, quantifier: &Quantifier) -> Doc {
        let count = match quantifier.count {
            Count::AtLeast(n) => format!("at least {n}"),
            Count::Exactly(n) => format!("exactly {n}"),
            Count::Range(low, high) => format!("{low}..{high}"),
            Count::OneOrMore => "one or more".to_owned(),
            Count::ZeroOrMore => "zero or more".to_owned(),
            Count::Optional => "optional".to_owned(),
        };
        let mut parts = Vec::new();
        if quantifier.consecutive {
            parts.push(Doc::text("consecutive "));
        }
        parts.push(Doc::text(count));
        if !quantifier.distinct.is_empty() {
            parts.push(Doc::text(" distinct "));
            parts.push(Doc::commas(quantifier.distinct.iter().map(|expr| self.written.expr(expr))).nest(4).group());
        }
        let of = quantifier.count != Count::Optional || !quantifier.distinct.is_empty();
        if of {
            parts.push(Doc::text(" of"));
        }
        Doc::Concat(parts)
    }

    pub(super) fn step(&self, step: &Step) -> Doc {
        let mut head = Vec::new();
        if let Some(name) = &step.name {
            head.push(Doc::text(format!("{}: ", self.written.ident(name))));
        }
        if let Some(quantifier) = &step.quantifier {
            head.extend([self.quantifier(quantifier), Doc::text(" ")]);
        }
        head.push(Doc::text(self.classes(&step.classes)));
        let mut suffixes = Vec::new();
        if let Some(condition) = &step.condition {
            suffixes.push(Doc::concat([Doc::text("where "), self.written.expr(condition).nest(4)]));
        }
        if !step.by.is_empty() {
            suffixes.push(Doc::concat([Doc::text("by "), self.key_items(&step.by).nest(4).group()]));
        }
        // The order of suffixes is fixed: `if` and `unless` stand before `without`.
        let (without, behind): (Vec<_>, Vec<_>) =
            step.guards.iter().partition(|guard| guard.kind == StepGuardKind::Without);
        for guard in behind.into_iter().chain(without) {
            let word = match guard.kind {
                StepGuardKind::Unless => "unless ",
                StepGuardKind::If => "if ",
                StepGuardKind::Without => "without ",
                StepGuardKind::UnlessOpen => "unless open ",
            };
            let mut parts = vec![Doc::text(word)];
            if let Some(name) = &guard.name {
                parts.push(Doc::text(format!("{}: ", self.written.ident(name))));
            }
            parts.push(self.guards(&guard.events).nest(4).group());
            if let Some(last) = &guard.last {
                parts.extend([Doc::text(" in last "), self.written.expr(last)]);
            }
            suffixes.push(Doc::Concat(parts));
        }
        if let Some(until) = &step.until {
            suffixes.push(Doc::concat([Doc::text("until "), self.guard(until, false)]));
        }
        if let Some(ends) = &step.ends {
            let word = if ends.silent { "until silent " } else { "until " };
            suffixes.push(Doc::concat([Doc::text(word), self.written.expr(&ends.length)]));
        }
        let suffixes = suffixes.into_iter().flat_map(|suffix| [Doc::Line, suffix]);
        Doc::concat([Doc::Concat(head), Doc::concat(suffixes).nest(4)]).group()
    }

    pub(super) fn test(&mut self, test: &TestDecl) {
        let mut head = format!("test {}", self.written.ident(&test.rule));
        if let Some(name) = &test.name {
            head.push(' ');
            head.push_str(&self.written.string(name));
        }
        self.block(test.span, &Doc::text(head), None, |printer| {
            for item in &test.items {
                printer.test_item(item);
            }
        });
    }

    fn test_item(&mut self, item: &TestItem) {
        match item {
            TestItem::Event(event) => {
                let doc = self.test_event(event);
                self.unit(event.span, &doc);
            }
            TestItem::Stop { at, span } => {
                let text = format!("{} stop", self.time(*span, *at, None));
                self.unit(*span, &Doc::text(text));
            }
            TestItem::ExpectNone { span } => self.unit(*span, &Doc::text("expect no alert")),
            TestItem::ExpectAlert(expect) => {
                let doc = self.expect(expect);
                self.unit(expect.span, &doc);
            }
        }
    }

    /// A time of a test line as written: the first word of the line, or the one after the keyword.
    fn time(&self, line: Span, nanos: i64, after: Option<&str>) -> String {
        let text = self.written.at(line).unwrap_or("");
        let mut words = text.split_whitespace();
        let word = match after {
            None => words.next(),
            Some(keyword) => {
                let mut words = words.rev();
                let mut found = None;
                let mut last = words.next();
                for word in words {
                    if word == keyword {
                        found = last;
                        break;
                    }
                    last = Some(word);
                }
                found
            }
        };
        let at = word.and_then(|word| {
            let start = line.start as usize + (word.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
            u32::try_from(start).ok().map(|start| Span { start, end: start + word.len() as u32, ..line })
        });
        self.written.duration(at.unwrap_or(Span { end: line.start, ..line }), nanos)
    }

    fn test_event(&self, event: &TestEvent) -> Doc {
        let mut parts = vec![
            Doc::text(format!("{} ", self.time(event.span, event.at, None))),
            Doc::text(self.written.class(&event.class)),
        ];
        if !event.fields.is_empty() {
            parts.push(Doc::text(" "));
            parts.push(self.object(&event.fields));
        }
        if event.times != 1 || event.every != 0 {
            parts.push(Doc::text(format!(" x {}", event.times)));
        }
        if event.every != 0 {
            parts.push(Doc::text(format!(" every {}", self.time(event.span, event.every, Some("every")))));
        }
        Doc::Concat(parts)
    }

    fn object(&self, fields: &[(Path, TestValue)]) -> Doc {
        if fields.is_empty() {
            return Doc::text("{}");
        }
        let fields = fields
            .iter()
            .map(|(path, value)| Doc::concat([Doc::text(format!("{}: ", self.object_key(path))), self.value(value)]));
        let inside = Doc::concat([Doc::Line, Doc::commas(fields)]).nest(2);
        Doc::concat([Doc::text("{"), inside, Doc::Line, Doc::text("}")]).group()
    }

    /// A key as written; a single part that was a text stays one.
    fn object_key(&self, path: &Path) -> String {
        if let (Some(written), [part]) = (self.written.at(path.span), path.parts.as_slice())
            && written.starts_with(['"', 'r'])
            && written.contains('"')
        {
            return if written.starts_with('"') { written.to_owned() } else { quoted(&part.name) };
        }
        let parts: Vec<String> = path.parts.iter().map(|part| self.written.ident(part)).collect();
        parts.join(".")
    }

    fn value(&self, value: &TestValue) -> Doc {
        match value {
            TestValue::Null => Doc::text("null"),
            TestValue::Bool(b) => Doc::text(b.to_string()),
            TestValue::Int(n) => Doc::text(n.to_string()),
            TestValue::Float(x) => Doc::text(format!("{x:?}")),
            TestValue::Str(text) => Doc::text(quoted(text)),
            TestValue::List(items) => {
                let inside = Doc::concat([Doc::Soft, Doc::commas(items.iter().map(|item| self.value(item)))]).nest(2);
                Doc::concat([Doc::text("["), inside, Doc::Soft, Doc::text("]")]).group()
            }
            TestValue::Object(fields) => self.object(fields),
        }
    }

    fn expect(&self, expect: &ExpectAlert) -> Doc {
        let mut parts = vec![match expect.times {
            1 if expect.resolved => Doc::text("expect resolved"),
            n if expect.resolved => Doc::text(format!("expect {n} resolved")),
            1 => Doc::text("expect alert"),
            n => Doc::text(format!("expect {n} alerts")),
        }];
        if let Some(at) = expect.at {
            parts.push(Doc::text(format!(" at {}", self.time(expect.span, at, Some("at")))));
        }
        if !expect.conditions.is_empty() {
            let conditions = Doc::commas(expect.conditions.iter().map(|c| self.written.expr(c).nest(2)));
            let inside = Doc::concat([Doc::Line, conditions]).nest(2);
            parts.push(Doc::concat([Doc::text(" {"), inside, Doc::Line, Doc::text("}")]).group());
        }
        Doc::Concat(parts)
    }
}

//! `tripline explain`: what a rule does, in words, and with `--plan` how it is executed.

use std::fmt::Write;

use tripline::compile::CompileOptions;
use tripline::matcher::Matcher;
use tripline::matcher::state::Memory;
use tripline::plan::ruleset::{Rule, Ruleset, StrategyKind};
use tripline::syntax::ast::{
    Absence, AfterMatch, AlertValue, ClauseKind, Element, ExpectKeys, Pick, RuleDecl, Sequence, Step, Then,
};
use tripline::syntax::source::SourceMap;

use super::args::ExplainArgs;
use super::cost;
use super::exit::{Exit, Stop};
use super::graph::drawing::{self, Drawing};
use super::rules::{self, Selection};
use super::terminal::{Terminal, paint, print, style};
use super::wording::{Wording, count};

/// Runs the command.
pub fn run(args: &ExplainArgs, options: &CompileOptions, terminal: Terminal) -> Result<Exit, Stop> {
    let selection = rules::select(&args.paths, &args.only, options, terminal)?;
    let mut text = String::new();
    let mut matcher = Memory::matcher(&selection.ruleset);
    for rule in selection.rules() {
        if !text.is_empty() {
            text.push('\n');
        }
        let mut page = Page { out: &mut text, color: terminal.color_out };
        page.rule(rule, &selection);
        if let Some(plan) = selection.ruleset.rule(&rule.name.name) {
            let drawing = drawing::draw(rule, Wording::new(&selection.texts.sources));
            page.automaton(&drawing, plan, &selection.ruleset, &mut matcher);
        }
        if args.plan
            && let Some(plan) = selection.ruleset.rule(&rule.name.name)
        {
            page.plan(plan, &selection.ruleset);
        }
    }
    print(&text)?;
    Ok(Exit::Done)
}

/// Writes the explanation of rules.
struct Page<'a> {
    out: &'a mut String,
    color: bool,
}

impl Page<'_> {
    fn rule(&mut self, rule: &RuleDecl, selection: &Selection) {
        let sources = &selection.texts.sources;
        let wording = Wording::new(sources);
        let title = rule.title.as_ref().map(|t| format!("  {}", t.value)).unwrap_or_default();
        let name = paint(self.color, style::BOLD, &rule.name.name);
        self.line(&format!("{name}{title}"));
        self.row("file", &place(sources, rule));
        for clause in &rule.clauses {
            self.meta(&clause.kind, wording);
        }
        let key = rule.clauses.iter().find_map(|clause| match &clause.kind {
            ClauseKind::By(items) => Some(wording.key(items)),
            _ => None,
        });
        match key {
            Some(key) => self.row("key", &format!("{key}; only events with equal values belong together")),
            None => self.row("key", "none; all events belong together"),
        }
        for clause in &rule.clauses {
            if let ClauseKind::Match(found) = &clause.kind {
                self.line("");
                self.head("Pattern");
                self.sequence(&found.body, 1, wording);
                if let Some(within) = &found.within {
                    self.line(&format!(
                        "  All of it within {}, from the first bound event to the last.",
                        wording.expr(within)
                    ));
                }
                if let Some(events) = found.events {
                    self.line(&format!("  Counted among the last {} events of its class and key.", events.count));
                }
            }
        }
        self.conditions(rule, wording);
        let sliding = selection.ruleset.rule(&rule.name.name).is_some_and(Rule::is_sliding);
        self.reports(rule, sliding, wording);
    }

    fn meta(&mut self, clause: &ClauseKind, wording: Wording<'_>) {
        let texts = |list: &[tripline::syntax::ast::StrLit]| {
            list.iter().map(|t| t.value.as_str()).collect::<Vec<_>>().join(", ")
        };
        match clause {
            ClauseKind::Severity(level) => self.row("severity", &wording.expr(level)),
            ClauseKind::Risk(risk) => self.row("risk", &wording.expr(risk)),
            ClauseKind::Tags(tags) => self.row("tags", &texts(tags)),
            ClauseKind::Id(text) => self.row("id", &text.value),
            ClauseKind::Status(text) => self.row("status", &text.value),
            ClauseKind::Description(text) => self.row("about", &text.value),
            ClauseKind::Runbook(text) => self.row("runbook", &text.value),
            ClauseKind::Author(text) => self.row("author", &text.value),
            ClauseKind::References(list) => self.row("see", &texts(list)),
            ClauseKind::FalsePositives(list) => self.row("also fires on", &texts(list)),
            ClauseKind::Enabled(false) => self.row("state", "disabled: takes no events"),
            ClauseKind::Internal(true) => self.row("state", "internal: never notifies, other rules read its alerts"),
            ClauseKind::Shadow(true) => self.row("state", "shadow: evaluated and counted, never notifies"),
            _ => {}
        }
    }

    fn sequence(&mut self, sequence: &Sequence, depth: usize, wording: Wording<'_>) {
        self.element(&sequence.first, None, 1, depth, wording);
        for (n, (then, element)) in sequence.rest.iter().enumerate() {
            self.element(element, Some(then), n + 2, depth, wording);
        }
    }

    fn element(&mut self, element: &Element, then: Option<&Then>, n: usize, depth: usize, wording: Wording<'_>) {
        let indent = "   ".repeat(depth);
        let mut bounds = then.map(|then| wording.bounds(then)).unwrap_or_default();
        bounds.retain(|bound| !bound.is_empty());
        let joint = match (then.is_some(), bounds.is_empty()) {
            (false, _) => String::new(),
            (true, true) => "then ".to_owned(),
            (true, false) => format!("then ({}) ", bounds.join(", ")),
        };
        match element {
            Element::Step(step) => {
                self.line(&format!("{indent}{n}. {joint}{}", step_words(step, wording)));
                self.step_guards(step, &indent, wording);
            }
            Element::Absence(absence) => self.line(&format!("{indent}{n}. {joint}{}", absence_words(absence, wording))),
            Element::All(all) => {
                self.line(&format!("{indent}{n}. {joint}all of these, in any order, each by an event of its own:"));
                for step in &all.members {
                    self.line(&format!("{indent}   - {}", step_words(step, wording)));
                    self.step_guards(step, &indent, wording);
                }
                if !all.without.is_empty() {
                    self.line(&format!("{indent}   and meanwhile no {}", wording.guards(&all.without)));
                }
            }
            Element::Any(any) => {
                self.line(&format!("{indent}{n}. {joint}one of these:"));
                for step in &any.members {
                    self.line(&format!("{indent}   - {}", step_words(step, wording)));
                }
            }
            Element::Choice(choice) => {
                self.line(&format!("{indent}{n}. {joint}one of these sequences:"));
                for member in &choice.members {
                    self.line(&format!("{indent}   -"));
                    self.sequence(member, depth + 2, wording);
                }
            }
            Element::Group(group) => {
                let within = group.within.as_ref().map(|d| format!("within {}", wording.expr(d)));
                let what = match (group.quantifier.as_ref().map(|q| count(q.count)), within) {
                    (None, None) => "once, in this order:".to_owned(),
                    (None, Some(within)) => format!("a part, {within} from its first to its last event:"),
                    (Some(times), None) => format!("{times} times in a row:"),
                    (Some(times), Some(within)) => format!("{times} times in a row, each {within}:"),
                };
                self.line(&format!("{indent}{n}. {joint}{what}"));
                self.sequence(&group.body, depth + 1, wording);
            }
        }
    }

    fn step_guards(&mut self, step: &Step, indent: &str, wording: Wording<'_>) {
        for guard in &step.guards {
            self.line(&format!("{indent}   {}", wording.step_guard(guard)));
        }
        if let Some(until) = &step.until {
            self.line(&format!("{indent}   it ends at {}", wording.guard(until)));
        }
        if let Some(ends) = &step.ends {
            let from = if ends.silent { "last" } else { "first" };
            let length = wording.expr(&ends.length);
            self.line(&format!("{indent}   it ends {length} after its {from} event, that time included"));
        }
    }

    fn conditions(&mut self, rule: &RuleDecl, wording: Wording<'_>) {
        for clause in &rule.clauses {
            match &clause.kind {
                ClauseKind::Having { condition, lasting } => {
                    self.line(&format!("  Only if, over the whole match: {}", wording.expr(condition)));
                    if let Some(lasting) = lasting {
                        let lasting = wording.expr(lasting);
                        self.line(&format!("  and only if all of it was so at every look of the last {lasting}."));
                    }
                }
                ClauseKind::CancelOn(guards) => {
                    let guards = wording.guards(guards);
                    self.line(&format!("  An attempt is given up at: {guards}"));
                }
                _ => {}
            }
        }
    }

    fn reports(&mut self, rule: &RuleDecl, sliding: bool, wording: Wording<'_>) {
        let (mut pick, mut after) = (Pick::Latest, AfterMatch::SkipPastLast);
        for clause in &rule.clauses {
            match &clause.kind {
                ClauseKind::Pick(chosen) => pick = *chosen,
                ClauseKind::AfterMatch(chosen) => after = chosen.clone(),
                _ => {}
            }
        }
        self.line("");
        self.head("Alert");
        if sliding {
            self.line(match &after {
                AfterMatch::NoSkip => "  This is a sliding count: every event at which it is reached gives an alert.",
                _ => "  This is a sliding count: an alert when it is reached, none while it stays so.",
            });
        } else {
            self.selection(pick, &after);
        }
        self.values(rule, wording);
    }

    fn selection(&mut self, pick: Pick, after: &AfterMatch) {
        if pick == Pick::Pending {
            self.line(
                "  One match is pending per step and key: a newer one replaces it, the next step's event moves it on.",
            );
            return;
        }
        self.line(match pick {
            Pick::Latest => "  Of several matches that complete together, the one with the newest events is reported.",
            Pick::First => "  Of several matches that complete together, the one with the oldest events is reported.",
            Pick::All => "  Every match is reported, whichever events it takes.",
            Pick::Each => "  For every first event the oldest match is reported.",
            Pick::Pending => return,
        });
        let to = |which: &str, step: &str| {
            format!("  Afterwards nothing before the {which} event of `{step}` is used again for this key.")
        };
        let used = match after {
            AfterMatch::SkipPastLast => {
                "  Afterwards nothing up to its completion is used again for this key.".to_owned()
            }
            AfterMatch::SkipToNext => {
                "  Afterwards matches may share events, but each first event is reported once.".to_owned()
            }
            AfterMatch::NoSkip => "  Afterwards every event can be used again.".to_owned(),
            AfterMatch::SkipToFirst(step) => to("first", &step.name),
            AfterMatch::SkipToLast(step) => to("last", &step.name),
        };
        self.line(&used);
    }

    fn values(&mut self, rule: &RuleDecl, wording: Wording<'_>) {
        for clause in &rule.clauses {
            match &clause.kind {
                ClauseKind::Alert(fields) => {
                    for field in fields {
                        let value = match &field.value {
                            AlertValue::Expr(expr) => wording.expr(expr),
                            AlertValue::Template(_, text) => wording.span(text.span),
                        };
                        self.line(&format!("  {} = {value}", field.name.name));
                    }
                }
                ClauseKind::Expect(ExpectKeys::Start) => {
                    self.line("  Watched from the first watermark on, as if the first step had happened then.");
                }
                ClauseKind::Expect(ExpectKeys::From { table, .. }) => {
                    self.line(&format!(
                        "  Each key of @{} is watched from the first watermark on, whether it was seen or not.",
                        table.name
                    ));
                }
                ClauseKind::ResolveOn(guards) => {
                    self.line(&format!(
                        "  It is open until {}: then a notice says it is resolved.",
                        wording.guards(guards)
                    ));
                }
                ClauseKind::ResolveWhen(condition) => {
                    let condition = wording.expr(condition);
                    self.line(&format!(
                        "  It is open until an event at which {condition}: then a notice says it is resolved."
                    ));
                }
                ClauseKind::Repeat(period) => {
                    let period = wording.expr(period);
                    self.line(&format!("  It is said again every {period} while the absence lasts."));
                }
                ClauseKind::Suppress { period, by } => {
                    let by: Vec<String> = by.iter().map(|e| wording.expr(e)).collect();
                    let per = if by.is_empty() { "key".to_owned() } else { by.join(", ") };
                    let period = wording.expr(period);
                    self.line(&format!("  At most one alert in {period} per {per}; what was held back is counted."));
                }
                _ => {}
            }
        }
    }

    /// How it runs: strategy, memory, and the automaton as a table.
    fn automaton(&mut self, drawing: &Drawing, rule: &Rule, ruleset: &Ruleset, matcher: &mut Matcher) {
        self.line("");
        self.head("Automaton");
        self.row("strategy", &format!("{}: {}", rule.strategy.as_str(), rule.reason));
        self.row("memory", &held(rule, matcher));
        if rule.reads_whole {
            let kept = rule.kept.iter().any(|field| ruleset.fields[field.index()].is_empty());
            let events = if kept { "; events that are held keep all of it" } else { "; held events keep none of it" };
            self.row("decoding", &format!("every line in full, for `any_value()`{events}"));
        }
        for (name, text) in cost::rows(rule, ruleset) {
            self.row(name, &text);
        }
        let guards: Vec<&str> = rule.guards.iter().map(|guard| &*guard.label).collect();
        self.row("guards", &if guards.is_empty() { "none".to_owned() } else { guards.join(", ") });
        let name = |at: usize| format!("{at} {}", drawing.nodes[at].label);
        let width =
            |names: &mut dyn Iterator<Item = usize>| names.map(|at| name(at).chars().count()).max().unwrap_or(0);
        let from = width(&mut drawing.edges.iter().map(|e| e.from)).max("from".len());
        let to = width(&mut drawing.edges.iter().map(|e| e.to)).max("to".len());
        self.line(&format!("  {:<from$}  {:<to$}  when", "from", "to"));
        for edge in &drawing.edges {
            let when = edge.label.join(", ");
            self.line(&format!("  {:<from$}  {:<to$}  {when}", name(edge.from), name(edge.to)));
        }
    }

    fn plan(&mut self, rule: &Rule, ruleset: &Ruleset) {
        self.line("");
        self.head("Execution");
        let fields: Vec<String> = rule.kept.iter().map(|field| field_name(&ruleset.fields[field.index()])).collect();
        self.row("fields", &if fields.is_empty() { "none".to_owned() } else { fields.join(", ") });
        let memory = match rule.horizon {
            _ if rule.has_computed_deadline() => "an event can matter until the deadline computed from it".to_owned(),
            _ if rule.strategy == StrategyKind::Stateless && !rule.hints.needs_past => {
                "an event matters once".to_owned()
            }
            Some(horizon) => format!("an event can matter for {horizon}"),
            None if rule.closing().is_some() && rule.elements.len() == 1 => {
                "an event can matter until its repetition closes; at most `runs_per_key` of them are held".to_owned()
            }
            None => "an event can matter for ever: there is no bound".to_owned(),
        };
        self.row("reach", &memory);
        self.row(
            "level",
            &match rule.level {
                0 => "reads events only".to_owned(),
                n => format!("{n}: reads alerts of other rules"),
            },
        );
        self.row("limit", &format!("{} events per key", rule.runs_per_key));
        let shared: Vec<&str> = rule.shared.iter().map(|place| &*rule.components[*place]).collect();
        let handed_over = match (rule.handed_over, shared.is_empty()) {
            (false, _) => "no".to_owned(),
            (true, true) => "yes: one state for the whole rule".to_owned(),
            (true, false) => format!("yes: one state for each {}", shared.join(", ")),
        };
        self.row("handed over", &handed_over);
        for step in &rule.steps {
            let mut needs = Vec::new();
            if let Some(finder) = step.found_by {
                let finder = &rule.steps[finder.index()].label;
                let behind = rule.must_not_come(step);
                let what = if behind {
                    format!("{}: a step of a sequence that must not come behind `{finder}`", step.label)
                } else {
                    format!("{}: the newest that `{finder}` looks back at, sought from there", step.label)
                };
                self.row(if behind { "absent" } else { "found" }, &what);
                continue;
            }
            if step.arrival.is_some() {
                needs.push("a condition on the event");
            }
            if step.cross.is_some() {
                needs.push("a condition on bound events");
            }
            if !step.joins.is_empty() {
                needs.push("an equality with a later step");
            }
            if step.own_history {
                needs.push("its own earlier events");
            }
            let needs =
                if needs.is_empty() { "its class and stateless conditions".to_owned() } else { needs.join(", ") };
            self.row("step", &format!("{}: {needs}", step.label));
        }
    }

    fn head(&mut self, text: &str) {
        let text = paint(self.color, style::BOLD, text);
        self.line(&text);
    }

    fn row(&mut self, name: &str, text: &str) {
        let name = paint(self.color, style::DIM, &format!("{name:<12}"));
        self.line(&format!("  {name}{text}"));
    }

    fn line(&mut self, text: &str) {
        writeln!(self.out, "{}", text.trim_end()).expect("a String takes any text");
    }
}

/// What the keys of a rule take.
fn held(rule: &Rule, matcher: &mut Matcher) -> String {
    if rule.strategy == StrategyKind::Stateless && !rule.hints.needs_past {
        return "none".to_owned();
    }
    let memory = Memory::of(rule, matcher);
    let ready = format!("about {} bytes a key and {} an event it holds", memory.key, memory.event);
    let at_rest = memory.at_rest.map(|bytes| format!("; {bytes} for a key at rest with one event"));
    ready + &at_rest.unwrap_or_default()
}

fn field_name(path: &[String]) -> String {
    if path.is_empty() { "any_value()".to_owned() } else { path.join(".") }
}

fn place(sources: &SourceMap, rule: &RuleDecl) -> String {
    let (line, _) = sources.line_column(rule.span.source, rule.span.start);
    format!("{}:{line}", sources.get(rule.span.source).name)
}

fn step_words(step: &Step, wording: Wording<'_>) -> String {
    let name = step.name.as_ref().map(|name| format!("{}: ", name.name)).unwrap_or_default();
    let event = wording.event_of(step);
    match &step.quantifier {
        Some(quantifier) => format!("{name}{} of {event}", wording.quantifier(quantifier)),
        None => format!("{name}{event}"),
    }
}

fn absence_words(absence: &Absence, wording: Wording<'_>) -> String {
    let events = match (absence.fewer, &absence.group) {
        (None, None) => format!("no {}", wording.guards(&absence.events)),
        (None, Some(group)) => format!("no sequence {}", wording.span(group.span)),
        (Some(n), _) => format!("fewer than {n} of {}", wording.guards(&absence.events)),
    };
    match (&absence.within, &absence.until) {
        (Some(within), _) => format!("for {} {events}; decided when that time is over", wording.expr(within)),
        (None, Some(until)) => format!("{events} until {}; decided then", wording.expr(until)),
        (None, None) => format!("{events} up to the next step"),
    }
}

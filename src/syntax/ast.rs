//! The syntax tree of a rule file: owned nodes, each with the span it was read from.
//!
//! The tree is what was written, not what it means: names are unresolved, durations are expressions,
//! nothing is folded. The formatter prints it back; `check` and `plan` read it.

use super::source::Span;

/// One rule file.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct File {
    /// Declarations in the order of the file.
    pub items: Vec<Item>,
}

/// A declaration at the top level of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `event auth = …`
    Event(EventDecl),
    /// `let internal = …`
    Let(LetDecl),
    /// `table vpn from "…" key cidr`
    Table(TableDecl),
    /// `clock six = daily "06:00" "Europe/Berlin"`
    Clock(ClockDecl),
    /// `rule name { … }`
    Rule(RuleDecl),
    /// `test rule_name { … }`
    Test(TestDecl),
}

impl Item {
    /// Where the declaration stands, first keyword to last character.
    pub fn span(&self) -> Span {
        match self {
            Self::Event(d) => d.span,
            Self::Let(d) => d.span,
            Self::Table(d) => d.span,
            Self::Clock(d) => d.span,
            Self::Rule(d) => d.span,
            Self::Test(d) => d.span,
        }
    }
}

/// A name, without the backquotes it may have been written in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ident {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

/// A string literal: its value, escapes resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct StrLit {
    /// The text.
    pub value: String,
    /// Suffix `i`: comparisons fold case.
    pub fold: bool,
    /// Written as `r"…"`.
    pub raw: bool,
    /// Where it stands.
    pub span: Span,
}

/// A dotted path as written: `source.ip`, `ok.@ts`, `` `user-agent`.name ``, `@ts`.
///
/// Whether the first part is a step, a `let` or a field is for `check` to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The parts; never empty. An attribute keeps its `@`: `["ok", "@ts"]`. A backquoted part cannot start with `@`.
    pub parts: Vec<Ident>,
    /// Where it stands.
    pub span: Span,
}

/// `event auth = event.category == "authentication"`
#[derive(Clone, Debug, PartialEq)]
pub struct EventDecl {
    /// The class.
    pub name: Ident,
    /// What makes an event one of the class.
    pub condition: Expr,
    /// The whole declaration.
    pub span: Span,
}

/// `let internal = cidr(ip, "10.0.0.0/8")`
#[derive(Clone, Debug, PartialEq)]
pub struct LetDecl {
    /// The name.
    pub name: Ident,
    /// The expression it stands for.
    pub value: Expr,
    /// The whole declaration.
    pub span: Span,
}

/// `table vpn from "tables/vpn.csv" key cidr`
#[derive(Clone, Debug, PartialEq)]
pub struct TableDecl {
    /// The name, used as `@vpn`.
    pub name: Ident,
    /// The file, relative to the rule file.
    pub path: StrLit,
    /// What it is looked up by: columns, or one of the single words `cidr` and `polygon`.
    pub key: Vec<Ident>,
    /// The whole declaration.
    pub span: Span,
}

impl TableDecl {
    /// How many values a look-up gives: one a column, latitude and longitude for areas.
    pub fn key_length(&self) -> usize {
        match self.key.as_slice() {
            [only] if only.name == "polygon" => 2,
            columns => columns.len(),
        }
    }
}

/// `rule name "Title" { clauses }`
#[derive(Clone, Debug, PartialEq)]
pub struct RuleDecl {
    /// The name, unique in a rule set.
    pub name: Ident,
    /// The title after the name.
    pub title: Option<StrLit>,
    /// Clauses in written order.
    pub clauses: Vec<Clause>,
    /// The whole declaration.
    pub span: Span,
}

/// `clock six = daily "06:00" "Europe/Berlin"`: a class of events that time itself brings.
#[derive(Clone, Debug, PartialEq)]
pub struct ClockDecl {
    /// The class.
    pub name: Ident,
    /// When it ticks.
    pub ticks: ClockTicks,
    /// The whole declaration.
    pub span: Span,
}

/// When a clock ticks.
#[derive(Clone, Debug, PartialEq)]
pub enum ClockTicks {
    /// `daily "06:00" "Europe/Berlin"`
    Daily(ClockTime),
    /// `weekdays "06:00"`: Monday to Friday.
    Weekdays(ClockTime),
    /// `weekly "mon 06:00"`
    Weekly(ClockTime),
    /// `every 15m`
    Every(Expr),
}

/// A time of day, with the day of the week where one is asked for, and the zone.
#[derive(Clone, Debug, PartialEq)]
pub struct ClockTime {
    /// `"06:00"`, `"mon 06:00"`
    pub time: StrLit,
    /// `"Europe/Berlin"`; UTC if none is written.
    pub zone: Option<StrLit>,
}

/// One clause of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// Which, with its parts.
    pub kind: ClauseKind,
    /// The clause from its keyword on.
    pub span: Span,
}

/// The clauses a rule may have.
#[derive(Clone, Debug, PartialEq)]
pub enum ClauseKind {
    /// `severity high`, or an expression over the match. A bare level word is a [`ExprKind::Path`] of one part.
    Severity(Expr),
    /// `tags "a", "b"`
    Tags(Vec<StrLit>),
    /// `title "…"`
    Title(StrLit),
    /// `id "…"`: what the rule is called where it came from, kept through renaming.
    Id(StrLit),
    /// `status "stable"`: how far the rule is trusted.
    Status(StrLit),
    /// `description "…"`
    Description(StrLit),
    /// `runbook "…"`
    Runbook(StrLit),
    /// `author "…"`
    Author(StrLit),
    /// `references "…", "…"`
    References(Vec<StrLit>),
    /// `false_positives "…", "…"`: what else fires it.
    FalsePositives(Vec<StrLit>),
    /// `risk 70`: a number, or an expression over the match.
    Risk(Expr),
    /// `by source.ip, user = user.name`
    By(Vec<KeyItem>),
    /// `match { … } within 10m`
    Match(MatchClause),
    /// `having …`
    Having {
        /// On the whole match.
        condition: Expr,
        /// `for 10m`: true at every look for that long.
        lasting: Option<Expr>,
    },
    /// `pick first`
    Pick(Pick),
    /// `after match skip to next`
    AfterMatch(AfterMatch),
    /// `cancel on X where …, Y`
    CancelOn(Vec<Guard>),
    /// `alert { name = expr … }`
    Alert(Vec<AlertField>),
    /// `suppress 1h by user.name`
    Suppress {
        /// For how long.
        period: Expr,
        /// Per what; the rule's key when empty.
        by: Vec<Expr>,
    },
    /// `enabled false`
    Enabled(bool),
    /// `shadow`
    Shadow(bool),
    /// `internal`
    Internal(bool),
    /// `resolve on X where …, Y`
    ResolveOn(Vec<Guard>),
    /// `resolve when …`
    ResolveWhen(Expr),
    /// `repeat every 5m`
    Repeat(Expr),
    /// `expect device.id from @devices`, `expect start`
    Expect(ExpectKeys),
    /// `limits { runs_per_key = 1000 }`
    Limits(Vec<(Ident, u64)>),
}

/// What a rule watches for without having seen it.
#[derive(Clone, Debug, PartialEq)]
pub enum ExpectKeys {
    /// `expect start`
    Start,
    /// `expect device.id from @devices`
    From {
        /// The key, as in the rule's `by`.
        keys: Vec<KeyItem>,
        /// The table, without its `@`.
        table: Ident,
    },
}

/// A component of a key: `user = user.name`, `source.ip`, `host.id?`.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyItem {
    /// The component's name where one is written.
    pub name: Option<Ident>,
    /// Its value, an expression over the event.
    pub value: Expr,
    /// `?`: missing is a key of its own.
    pub optional: bool,
    /// The item.
    pub span: Span,
}

impl KeyItem {
    /// What the component is called: as written, or else like the one field that it is or that its function is of.
    /// `None` for anything else, which needs a written name.
    pub fn component_name(&self) -> Option<String> {
        fn field(expr: &Expr) -> Option<String> {
            match &expr.kind {
                ExprKind::Path(path) if !path.parts[0].name.starts_with('@') => {
                    Some(path.parts.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join("."))
                }
                ExprKind::Index(inner, _) | ExprKind::Member(inner, _) => field(inner),
                ExprKind::Call(call) => {
                    let literal = |e: &Expr| {
                        matches!(e.kind, ExprKind::Str(_) | ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Regex(_))
                    };
                    let mut fields = call.args.iter().filter(|arg| !literal(arg));
                    let name = field(fields.next()?)?;
                    fields.next().is_none().then_some(name)
                }
                _ => None,
            }
        }
        self.name.as_ref().map(|name| name.name.clone()).or_else(|| field(&self.value))
    }

    /// The list that `each(…)` goes through, if the component has a key for each element.
    pub fn each(&self) -> Option<&Expr> {
        match &self.value.kind {
            ExprKind::Call(call) if call.name.name == "each" => match call.args.as_slice() {
                [list] => Some(list),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Which candidate a completion reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pick {
    /// The newest binding.
    Latest,
    /// The oldest binding.
    First,
    /// Every one, subsets of repeated steps included.
    All,
    /// For every first event the oldest.
    Each,
    /// What one pending match per step gives, a newer one overwriting it (EQL).
    Pending,
}

/// What a match uses up [`AFTER MATCH SKIP`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AfterMatch {
    /// `skip past last`: everything up to the completion.
    SkipPastLast,
    /// `skip to next`: the first event.
    SkipToNext,
    /// `no skip`: nothing.
    NoSkip,
    /// `skip to first a`: what lies before the first event of a step.
    SkipToFirst(Ident),
    /// `skip to last a`: what lies before the last event of a step.
    SkipToLast(Ident),
}

/// `match { … } within 10m`
#[derive(Clone, Debug, PartialEq)]
pub struct MatchClause {
    /// The pattern.
    pub body: Sequence,
    /// The bound from the first to the last bound event.
    pub within: Option<Expr>,
    /// `within 100 events`: the bound of a sliding count by number.
    pub events: Option<EventsBound>,
    /// The whole clause.
    pub span: Span,
}

/// `100 events`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventsBound {
    /// How many.
    pub count: u64,
    /// Where it stands.
    pub span: Span,
}

/// Elements joined by `then`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// What comes first.
    pub first: Box<Element>,
    /// What follows, each with its joint.
    pub rest: Vec<(Then, Element)>,
    /// From the first to the last element.
    pub span: Span,
}

impl Sequence {
    /// The elements in order, joints left out.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        std::iter::once(&*self.first).chain(self.rest.iter().map(|(_, element)| element))
    }
}

/// `then`, `then directly`, `then next`, `then after 5s within 1m`.
#[derive(Clone, Debug, PartialEq)]
pub struct Then {
    /// `directly`: nothing of the named classes may lie between.
    pub directly: bool,
    /// `next`: the step is also its own `without`.
    pub next: bool,
    /// The least gap.
    pub after: Option<Expr>,
    /// The greatest gap.
    pub within: Option<Expr>,
    /// From `then` to the end of its bounds.
    pub span: Span,
}

/// What may stand between two `then`s.
// A rule has a handful of them: a box would cost every reader more than it saves.
#[expect(clippy::large_enum_variant, reason = "few of them, most are steps")]
#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    /// A step that binds one or more events.
    Step(Step),
    /// `no X where P within d`
    Absence(Absence),
    /// `all { a: X  b: Y } without Z`
    All(All),
    /// `any { a: X  b: Y }`
    Any(Any),
    /// `any { a: X then b: Y  c: Z }`
    Choice(Choice),
    /// `{ a: X then b: Y }`, or `at least 3 of { … }`
    Group(Group),
}

impl Element {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Step(e) => e.span,
            Self::Absence(e) => e.span,
            Self::All(e) => e.span,
            Self::Any(e) => e.span,
            Self::Choice(e) => e.span,
            Self::Group(e) => e.span,
        }
    }
}

/// `fail: at least 5 of auth where outcome == "failure" by ip = source.ip unless X in last 1h without Y until Z`
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The name before the colon.
    pub name: Option<Ident>,
    /// How many events it binds; one if none is written.
    pub quantifier: Option<Quantifier>,
    /// The event class, or the classes of `(X or Y)`.
    pub classes: Vec<ClassRef>,
    /// The condition.
    pub condition: Option<Expr>,
    /// The step's own key.
    pub by: Vec<KeyItem>,
    /// `unless`, `if` and `without`, in written order.
    pub guards: Vec<StepGuard>,
    /// `until U`: what ends the repetition.
    pub until: Option<Guard>,
    /// `until silent 30m`, `until 5m`: the time that ends the repetition.
    pub ends: Option<Ends>,
    /// The whole step.
    pub span: Span,
}

/// `until silent 30m`, `until 5m`
#[derive(Clone, Debug, PartialEq)]
pub struct Ends {
    /// So long after the last event, not after the first.
    pub silent: bool,
    /// How long.
    pub length: Expr,
    /// Both.
    pub span: Span,
}

/// An event class: `auth`, `any`, `alert.other_rule`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClassRef {
    /// The name; `alert.r` keeps its dot.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

/// `consecutive at least 5 distinct dst.port of`
#[derive(Clone, Debug, PartialEq)]
pub struct Quantifier {
    /// `consecutive`
    pub consecutive: bool,
    /// How many.
    pub count: Count,
    /// `distinct f, g`; empty if every event counts.
    pub distinct: Vec<Expr>,
    /// The quantifier up to and with `of`.
    pub span: Span,
}

/// How many events a step, or iterations a group, takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Count {
    /// `at least N of`
    AtLeast(u64),
    /// `exactly N of`
    Exactly(u64),
    /// `N..M of`
    Range(u64, u64),
    /// `one or more of`
    OneOrMore,
    /// `zero or more of`
    ZeroOrMore,
    /// `optional`
    Optional,
}

/// A guard beside a step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepGuard {
    /// Which.
    pub kind: StepGuardKind,
    /// `if q: X in last d`: what the newest such X is called.
    pub name: Option<Ident>,
    /// What must (not) have happened; never empty.
    pub events: Vec<Guard>,
    /// `in last d`; absent for `without`.
    pub last: Option<Expr>,
    /// The whole guard.
    pub span: Span,
}

/// The three guards a step may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepGuardKind {
    /// `unless X in last d`
    Unless,
    /// `if X in last d`
    If,
    /// `without X`
    Without,
    /// `unless open alert.r`: its one event is the class of the alerts.
    UnlessOpen,
}

/// `X where P by k = f`, as it stands in an absence, a guard, `until` or `cancel on`.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// The class or classes.
    pub classes: Vec<ClassRef>,
    /// The condition.
    pub condition: Option<Expr>,
    /// Its own key.
    pub by: Vec<KeyItem>,
    /// The whole.
    pub span: Span,
}

/// `no X where P, Y within d`, `fewer than 3 of X until T`, `no { a: X then b: Y } within d`
#[derive(Clone, Debug, PartialEq)]
pub struct Absence {
    /// `fewer than N of`: as many break it; none for `no`, which the first breaks.
    pub fewer: Option<u64>,
    /// What must not come; never empty. Of a group: its steps, in order.
    pub events: Vec<Guard>,
    /// What makes a sequence of them.
    pub group: Option<AbsentGroup>,
    /// For how long; without it and `until` the absence lasts until the next step.
    pub within: Option<Expr>,
    /// Until what time.
    pub until: Option<Expr>,
    /// The whole.
    pub span: Span,
}

impl Absence {
    /// Whether it ends at a deadline, rather than with the next step.
    pub fn is_timed(&self) -> bool {
        self.within.is_some() || self.until.is_some()
    }
}

/// `{ a: X then b: Y }` of an absence: the names and joints of a sequence of events that must not come as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct AbsentGroup {
    /// The name of each step; as many as the absence has events. They mean something inside the braces only.
    pub names: Vec<Option<Ident>>,
    /// What joins each step but the first to the one before.
    pub joints: Vec<Then>,
    /// The braces.
    pub span: Span,
}

/// `all { a: X  b: Y } without Z`
#[derive(Clone, Debug, PartialEq)]
pub struct All {
    /// The members, in written order.
    pub members: Vec<Step>,
    /// What must not lie inside its span.
    pub without: Vec<Guard>,
    /// The whole.
    pub span: Span,
}

/// `any { a: X  b: Y }`
#[derive(Clone, Debug, PartialEq)]
pub struct Any {
    /// The members, in written order.
    pub members: Vec<Step>,
    /// The whole.
    pub span: Span,
}

/// `any { a: X then b: Y  c: Z }`: `any` of which some member is more than a single step.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The members, in written order.
    pub members: Vec<Sequence>,
    /// The whole.
    pub span: Span,
}

/// `{ a: X then b: Y } within 5m`, repeated if it has a quantifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// How often; once if none is written.
    pub quantifier: Option<Quantifier>,
    /// The inner pattern.
    pub body: Sequence,
    /// The bound from its first to its last bound event; of each iteration, if it is repeated.
    pub within: Option<Expr>,
    /// The whole.
    pub span: Span,
}

/// `name = expr` in an `alert` block.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertField {
    /// The name.
    pub name: Ident,
    /// The value.
    pub value: AlertValue,
    /// The whole.
    pub span: Span,
}

/// A value of an alert: an expression, or a text with `{expr}` in it.
#[derive(Clone, Debug, PartialEq)]
pub enum AlertValue {
    /// Any expression.
    Expr(Expr),
    /// A string literal, split at its `{…}`; `{{` and `}}` are braces.
    Template(Vec<TemplatePart>, StrLit),
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum TemplatePart {
    /// Plain text.
    Text(String),
    /// `{expr}`
    Expr(Expr),
}

/// An expression with its span.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands, parentheses included.
    pub span: Span,
}

/// The forms of expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `"text"`, `"text"i`, `r"text"`
    Str(StrLit),
    /// `5`: any integer that fits `i64` or `u64`.
    Int(i128),
    /// `0.95`, `1e3`
    Float(f64),
    /// `true`, `false`
    Bool(bool),
    /// `5m`, `1h30m`: nanoseconds.
    Duration(i64),
    /// A field, `step.field`, `let` name, `prev.field`, `@ts`, or a bare level word.
    Path(Path),
    /// `f(x, y)`; also aggregates over steps and running statistics.
    Call(Call),
    /// `not x`
    Not(Box<Expr>),
    /// `-x`
    Neg(Box<Expr>),
    /// `a + b`, `a and b`, `a == b`, `a ?? b`
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `x in (1, 2)`, `x in @table`, `x not in (…)`
    In {
        /// What is sought.
        value: Box<Expr>,
        /// Where.
        set: InSet,
        /// `not in`
        negated: bool,
    },
    /// `x like "*.exe"i`, `x like ("a*", "b*")`
    Like {
        /// The text.
        value: Box<Expr>,
        /// Any of these globs; never empty.
        patterns: Vec<StrLit>,
        /// `not like`
        negated: bool,
    },
    /// `x =~ /re/i`, `x =~ (/a/, /b/)`
    Matches {
        /// The text.
        value: Box<Expr>,
        /// Any of these; never empty.
        patterns: Vec<RegexLit>,
    },
    /// `(a, b)`: a list of values.
    List(Vec<Expr>),
    /// `@assets[host.id]` ; fields follow by [`ExprKind::Member`].
    Lookup {
        /// The table, without its `@`.
        table: Ident,
        /// The key, one expression a column.
        key: Vec<Expr>,
    },
    /// `first(a).f`, `@assets[k].owner`, `xs[0].f`
    Member(Box<Expr>, Vec<Ident>),
    /// `xs[0]`
    Index(Box<Expr>, i64),
    /// `some(xs as x where …)`: whether the condition is true for an element, which it reads by the name.
    AnyElement {
        /// The list.
        list: Box<Expr>,
        /// What the condition calls an element.
        name: Ident,
        /// The condition.
        condition: Box<Expr>,
    },
    /// `/re/` as an argument of a call; stands nowhere else.
    Regex(RegexLit),
    /// `< 10m` after `within` or `in last`: the bound itself is excluded. Stands nowhere else.
    Below(Box<Expr>),
}

/// `/re/i`
#[derive(Clone, Debug, PartialEq)]
pub struct RegexLit {
    /// The text between the slashes, `\/` unescaped.
    pub pattern: String,
    /// Suffix `i`.
    pub fold: bool,
    /// Where it stands.
    pub span: Span,
}

/// Where `in` looks.
#[derive(Clone, Debug, PartialEq)]
pub enum InSet {
    /// `(1, 2, 3)`
    List(Vec<Expr>),
    /// `@table`
    Table(Ident),
}

/// `count(distinct a.f where a.x > 1)`, `zscore(value, 24h)`, `mean(x, 4 events)`
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function.
    pub name: Ident,
    /// `distinct` before the first argument.
    pub distinct: bool,
    /// The arguments.
    pub args: Vec<Expr>,
    /// `4 events` as the last argument: a window by count.
    pub events: Option<u64>,
    /// `where …` after the arguments.
    pub condition: Option<Box<Expr>>,
    /// `by …` after that: the key of a running statistic of its own.
    pub by: Vec<KeyItem>,
}

/// Operators between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `or`
    Or,
    /// `and`
    And,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `??`
    Default,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Rem,
}

impl BinaryOp {
    /// The comparison with its sides exchanged: `a < b` is `b > a`. Other operators stay.
    pub fn mirrored(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            other => other,
        }
    }

    /// The comparison that holds for two values where this one does not. Other operators stay.
    pub fn opposite(self) -> Self {
        match self {
            Self::Eq => Self::Ne,
            Self::Ne => Self::Eq,
            Self::Lt => Self::Ge,
            Self::Le => Self::Gt,
            Self::Gt => Self::Le,
            Self::Ge => Self::Lt,
            other => other,
        }
    }

    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Default => "??",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Rem => "%",
        }
    }
}

/// `test rule "name" { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct TestDecl {
    /// The rule under test.
    pub rule: Ident,
    /// What the test is called.
    pub name: Option<StrLit>,
    /// Events and expectations in written order.
    pub items: Vec<TestItem>,
    /// The whole.
    pub span: Span,
}

/// A line of a test.
#[derive(Clone, Debug, PartialEq)]
pub enum TestItem {
    /// `0s auth { outcome: "failure" } x 5 every 1s`
    Event(TestEvent),
    /// `8m stop`: time goes no further, undecided absences stay pending.
    Stop {
        /// When, in nanoseconds from the test's start.
        at: i64,
        /// The line.
        span: Span,
    },
    /// `expect alert at 30s { attempts == 5 }`
    ExpectAlert(ExpectAlert),
    /// `expect no alert`
    ExpectNone {
        /// The line.
        span: Span,
    },
}

/// An event of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct TestEvent {
    /// Nanoseconds from the test's start.
    pub at: i64,
    /// The class it is made to be of.
    pub class: ClassRef,
    /// Its fields.
    pub fields: Vec<(Path, TestValue)>,
    /// `x 5`
    pub times: u64,
    /// `every 1s`, in nanoseconds.
    pub every: i64,
    /// The line.
    pub span: Span,
}

/// A JSON value in a test event.
#[derive(Clone, Debug, PartialEq)]
pub enum TestValue {
    /// `null`
    Null,
    /// `true`
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// A text.
    Str(String),
    /// `[…]`
    List(Vec<TestValue>),
    /// `{…}`; keys may be paths.
    Object(Vec<(Path, TestValue)>),
}

/// `expect alert at 30s { attempts == 5 }`
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectAlert {
    /// How many alerts this line stands for: `expect 3 alerts`; 1 if not written.
    pub times: u64,
    /// `expect resolved`: the notice that an alert is closed, not an alert.
    pub resolved: bool,
    /// Nanoseconds from the test's start, if written.
    pub at: Option<i64>,
    /// Conditions over the alert's values and key; each must be true.
    pub conditions: Vec<Expr>,
    /// The line.
    pub span: Span,
}

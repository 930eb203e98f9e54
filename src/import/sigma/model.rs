//! Sigma documents as they are written: detection rules, correlations and filters, each part with its place.
//!
//! The model is Sigma's, not Tripline's: modifiers are words in a row, conditions are texts, references are not
//! followed. `read` makes it from YAML; lowering gives it meaning.

use crate::syntax::source::Span;

/// A text with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// The text, quotes and escapes resolved.
    pub value: String,
    /// Where it stands, quotes included.
    pub span: Span,
}

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.value
    }

    /// The span of a part of the text, in bytes; the whole where escapes or line breaks move its characters.
    pub fn part(&self, start: usize, end: usize) -> Span {
        let written = (self.span.end - self.span.start) as usize;
        let quote = match written.checked_sub(self.value.len()) {
            Some(0) => 0,
            Some(2) => 1,
            _ => return self.span,
        };
        let at = self.span.start as usize + quote;
        Span::new(self.span.source, at + start, at + end)
    }
}

/// A document of a Sigma file.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// A rule over single events.
    Detection(Box<DetectionRule>),
    /// A rule over the matches of other rules.
    Correlation(Box<CorrelationRule>),
    /// A condition that is added to other rules.
    Filter(Box<FilterRule>),
    /// A document with an error: what it would have been called, so that those who need it can say so.
    Refused(Box<Head>),
}

impl Document {
    /// What all documents have.
    pub fn head(&self) -> &Head {
        match self {
            Self::Detection(rule) => &rule.head,
            Self::Correlation(rule) => &rule.head,
            Self::Filter(rule) => &rule.head,
            Self::Refused(head) => head,
        }
    }
}

/// What every document says about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// `title`
    pub title: Option<Text>,
    /// `id`
    pub id: Option<Text>,
    /// `name`: what correlations call the rule.
    pub name: Option<Text>,
    /// `status`: `stable`, `test`, `experimental`, `deprecated`, `unsupported`.
    pub status: Option<Text>,
    /// `level`
    pub level: Option<(Level, Span)>,
    /// `description`
    pub description: Option<Text>,
    /// `author`
    pub author: Option<Text>,
    /// `references`
    pub references: Vec<Text>,
    /// `tags`
    pub tags: Vec<Text>,
    /// `falsepositives`
    pub false_positives: Vec<Text>,
    /// `date`
    pub date: Option<Text>,
    /// `modified`
    pub modified: Option<Text>,
    /// `taxonomy`
    pub taxonomy: Option<Text>,
    /// `fields`: what an analyst wants to see.
    pub fields: Vec<Text>,
    /// The whole document.
    pub span: Span,
}

/// How bad a match is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// `informational`
    Informational,
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `critical`
    Critical,
}

/// A rule over single events.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectionRule {
    /// What it says about itself.
    pub head: Head,
    /// Which events it is about.
    pub logsource: Logsource,
    /// What it looks for.
    pub detection: Detection,
}

/// Which events a rule is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Logsource {
    /// `category`: `process_creation`
    pub category: Option<Text>,
    /// `product`: `windows`
    pub product: Option<Text>,
    /// `service`: `sysmon`
    pub service: Option<Text>,
    /// `definition`: for readers.
    pub definition: Option<Text>,
    /// The whole part.
    pub span: Span,
}

/// Selections and the condition over them.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// In written order, each name once.
    pub selections: Vec<Selection>,
    /// Of several any one is enough; never empty.
    pub conditions: Vec<Text>,
    /// `timeframe`: the bound of an old-style aggregation.
    pub timeframe: Option<Text>,
    /// Detections that must hold besides: what pipelines and filters add. Each has selections of its own.
    pub besides: Vec<Detection>,
    /// The whole part.
    pub span: Span,
}

/// A named search.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Its name in conditions.
    pub name: Text,
    /// What it looks for.
    pub tree: Tree,
}

/// What a selection looks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// A map: every item.
    All(Vec<Item>, Span),
    /// A list: any member. Values side by side are one item without a field.
    Any(Vec<Tree>, Span),
}

impl Tree {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Self::All(_, span) | Self::Any(_, span) => *span,
        }
    }

    /// Every item in it.
    pub fn items(&self) -> Vec<&Item> {
        match self {
            Self::All(items, _) => items.iter().collect(),
            Self::Any(trees, _) => trees.iter().flat_map(Self::items).collect(),
        }
    }
}

/// `field|modifier|modifier: values`
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The field; none for keywords, which are looked for in the whole event.
    pub field: Option<Text>,
    /// Other fields that may hold what is looked for: any of all the fields is enough. Rules write none, pipelines that
    /// map one field to several do.
    pub also: Vec<Text>,
    /// The ids of the parts of pipelines that have changed the item.
    pub marks: Vec<String>,
    /// The words after the field, in written order.
    pub modifiers: Vec<Text>,
    /// The values; any of them is enough, unless a modifier says otherwise. May be empty (`[]`).
    pub values: Vec<Value>,
    /// Written as a list.
    pub list: bool,
    /// Key and values.
    pub span: Span,
}

/// A value of an item.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// What it is.
    pub kind: ValueKind,
    /// As it is written, quotes and escapes of YAML resolved.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueKind {
    /// `null`
    Null,
    /// `true`
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// A text, which may have wildcards.
    Str,
}

/// A rule over the matches of other rules.
#[derive(Clone, Debug, PartialEq)]
pub struct CorrelationRule {
    /// What it says about itself.
    pub head: Head,
    /// `type`
    pub kind: CorrelationKind,
    /// Where the type stands.
    pub kind_span: Span,
    /// `rules`: ids and names, in written order. May be empty where a boolean condition names them.
    pub rules: Vec<Text>,
    /// `group-by`
    pub group_by: Vec<Text>,
    /// `timespan`
    pub timespan: Timespan,
    /// `condition`
    pub condition: Option<CorrelationCondition>,
    /// `aliases`
    pub aliases: Vec<Alias>,
    /// `generate`: the rules it refers to give alerts of their own.
    pub generate: bool,
    /// The `correlation` part.
    pub span: Span,
}

/// The types of correlations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CorrelationKind {
    /// `event_count`
    EventCount,
    /// `value_count`
    ValueCount,
    /// `temporal`
    Temporal,
    /// `temporal_ordered`
    TemporalOrdered,
    /// `value_sum`
    ValueSum,
    /// `value_avg`
    ValueAvg,
    /// `value_percentile`
    ValuePercentile,
    /// `value_median`
    ValueMedian,
}

impl CorrelationKind {
    /// Every one with its word.
    pub const ALL: [(&'static str, Self); 8] = [
        ("event_count", Self::EventCount),
        ("value_count", Self::ValueCount),
        ("temporal", Self::Temporal),
        ("temporal_ordered", Self::TemporalOrdered),
        ("value_sum", Self::ValueSum),
        ("value_avg", Self::ValueAvg),
        ("value_percentile", Self::ValuePercentile),
        ("value_median", Self::ValueMedian),
    ];
}

/// `timespan: 5m`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timespan {
    /// How long, more than nothing.
    pub nanos: i64,
    /// Where it stands.
    pub span: Span,
}

/// The condition of a correlation.
#[derive(Clone, Debug, PartialEq)]
pub enum CorrelationCondition {
    /// `gte: 10`, `gt: 10` with `lte: 20`: all must hold.
    Bounds {
        /// The comparisons, never empty.
        bounds: Vec<Bound>,
        /// `field`: what is counted or summed up; several are counted together.
        field: Vec<Text>,
        /// `percentile`: from 0 to 100.
        percentile: Option<(f64, Span)>,
        /// The whole.
        span: Span,
    },
    /// `rule_a and not rule_b`
    Expression(Text),
}

/// A comparison of a correlation's condition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// How.
    pub op: BoundOp,
    /// With what; finite.
    pub value: Number,
    /// The pair.
    pub span: Span,
}

/// A number as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number.
    Int(i128),
    /// Any other number.
    Float(f64),
}

/// The comparisons of a correlation's condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BoundOp {
    /// `gt`
    Gt,
    /// `gte`
    Gte,
    /// `lt`
    Lt,
    /// `lte`
    Lte,
    /// `eq`
    Eq,
    /// `neq`
    Neq,
}

/// A name for fields that are called differently from rule to rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    /// The name, as `group-by` uses it.
    pub name: Text,
    /// Rule and field.
    pub fields: Vec<(Text, Text)>,
}

/// A condition that is added to other rules.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterRule {
    /// What it says about itself.
    pub head: Head,
    /// Rules of other log sources are left alone.
    pub logsource: Logsource,
    /// To which rules.
    pub rules: FilterRules,
    /// The condition; `selection` alone keeps what matches, `not selection` drops it.
    pub detection: Detection,
}

/// To which rules a filter is added.
#[derive(Clone, Debug, PartialEq)]
pub enum FilterRules {
    /// `any`: every rule of the log source.
    Any(Span),
    /// By id or name.
    Named(Vec<Text>),
}

//! Correlations and filters from YAML.

use super::model::{
    Alias, Bound, BoundOp, CorrelationCondition, CorrelationKind, CorrelationRule, Document, FilterRule, FilterRules,
    Head, Number, Text, Timespan, ValueKind,
};
use super::read::Reader;
use super::read_detection::value;
use super::yaml::{Entry, NodeKind};
use crate::diag::codes::sigma as codes;
use crate::syntax::source::Span;

/// The parts of `correlation`.
const PARTS: [&str; 7] = ["type", "rules", "group-by", "timespan", "condition", "aliases", "generate"];

/// The parts of a correlation's condition.
const BOUNDS: [(&str, BoundOp); 6] = [
    ("gt", BoundOp::Gt),
    ("gte", BoundOp::Gte),
    ("lt", BoundOp::Lt),
    ("lte", BoundOp::Lte),
    ("eq", BoundOp::Eq),
    ("neq", BoundOp::Neq),
];

impl Reader {
    /// A document with `correlation`.
    pub(super) fn correlation_rule(&mut self, head: &Head, entries: &[Entry], part: &Entry) -> Option<Document> {
        let parts = self.map(part)?;
        let mut kind = None;
        let (mut rules, mut group_by, mut aliases) = (Vec::new(), Vec::new(), Vec::new());
        let (mut timespan, mut condition, mut generate) = (None, None, false);
        let above = entries.iter().filter(|entry| entry.key.as_str() == "generate");
        for entry in parts.iter().chain(above) {
            match entry.key.as_str() {
                "type" => {
                    let Some(word) = self.text(entry) else { continue };
                    kind =
                        CorrelationKind::ALL.iter().find(|(name, _)| *name == word.as_str()).map(|k| (k.1, word.span));
                    if kind.is_none() {
                        self.one_of("type of correlation", &word, &CorrelationKind::ALL.map(|(name, _)| name));
                        return None;
                    }
                }
                "rules" => rules = self.texts(entry),
                "group-by" => group_by = self.texts(entry),
                "timespan" => timespan = self.timespan(entry),
                "condition" => condition = self.correlation_condition(entry),
                "aliases" => aliases = self.aliases(entry),
                "generate" => generate = self.flag(entry),
                _ => self.unknown_key("correlation", &entry.key, &PARTS),
            }
        }
        let Some((kind, kind_span)) = kind else {
            let help = "add `type: event_count`, or another one: `tripline rule E0802` lists them";
            self.error(codes::WRONG_PART, "the correlation has no `type`", part.key.span, help);
            return None;
        };
        if timespan.is_none() && !parts.iter().any(|entry| entry.key.as_str() == "timespan") {
            let help = "add how far apart the events may lie: `timespan: 5m`";
            self.error(codes::WRONG_PART, "the correlation has no `timespan`", part.key.span, help);
        }
        if rules.is_empty() && !matches!(condition, Some(CorrelationCondition::Expression(_))) {
            let help = "add the rules by id or name: `rules: [failed_login]`";
            self.error(codes::WRONG_PART, "the correlation names no `rules`", part.key.span, help);
        }
        Some(Document::Correlation(Box::new(CorrelationRule {
            head: head.clone(),
            kind,
            kind_span,
            rules,
            group_by,
            timespan: timespan?,
            condition,
            aliases,
            generate,
            span: part.key.span.to(part.value.span),
        })))
    }

    fn flag(&mut self, entry: &Entry) -> bool {
        match (&entry.value.kind, value(&entry.value).map(|value| value.kind)) {
            (NodeKind::Scalar(_), Some(ValueKind::Bool(flag))) => flag,
            _ => {
                let message = format!("`{}` is neither true nor false", entry.key.as_str());
                self.error(codes::WRONG_PART, message, entry.value.span, "write `true` or `false`");
                false
            }
        }
    }

    fn timespan(&mut self, entry: &Entry) -> Option<Timespan> {
        let text = self.text(entry)?;
        let seconds = |unit: &str| match unit {
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3600),
            "d" => Some(86_400),
            "w" => Some(7 * 86_400),
            _ => None,
        };
        let digits = text.value.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.value.split_at(digits);
        let nanos = number.parse::<i64>().ok().filter(|n| *n > 0).zip(seconds(unit));
        let nanos = nanos.and_then(|(n, unit)| n.checked_mul(unit)?.checked_mul(1_000_000_000));
        if nanos.is_none() {
            let help = match unit {
                "M" => "months are of different lengths: write days, `30d`",
                "y" => "years are of different lengths: write days, `365d`",
                _ => "write a whole number above 0 with `s`, `m`, `h`, `d` or `w`: `90m`",
            };
            self.error(codes::WRONG_PART, format!("`{}` is no timespan", text.as_str()), text.span, help);
        }
        nanos.map(|nanos| Timespan { nanos, span: text.span })
    }

    fn correlation_condition(&mut self, entry: &Entry) -> Option<CorrelationCondition> {
        let NodeKind::Map(parts) = &entry.value.kind else {
            return self.text(entry).map(CorrelationCondition::Expression);
        };
        let (mut bounds, mut field, mut percentile) = (Vec::new(), Vec::new(), None);
        for part in parts {
            let span = part.key.span.to(part.value.span);
            match part.key.as_str() {
                "field" => field = self.texts(part),
                "percentile" => {
                    let number = self.number(part)?;
                    let value = match number {
                        #[expect(clippy::cast_precision_loss, reason = "what is above 100 is refused")]
                        Number::Int(value) => value as f64,
                        Number::Float(value) => value,
                    };
                    if !(0.0..=100.0).contains(&value) {
                        let message = format!("{value} is no percentile");
                        self.error(codes::WRONG_PART, message, part.value.span, "a percentile lies from 0 to 100");
                    }
                    percentile = Some((value, span));
                }
                word => match BOUNDS.iter().find(|(name, _)| *name == word) {
                    Some((_, op)) => bounds.push(Bound { op: *op, value: self.number(part)?, span }),
                    None => {
                        let mut known: Vec<&str> = BOUNDS.iter().map(|(name, _)| *name).collect();
                        known.extend(["field", "percentile"]);
                        self.unknown_key("condition", &part.key, &known);
                    }
                },
            }
        }
        if bounds.is_empty() {
            let help = "add a bound: `gte: 10`";
            self.error(codes::WRONG_PART, "the condition compares with nothing", entry.key.span, help);
            return None;
        }
        Some(CorrelationCondition::Bounds { bounds, field, percentile, span: entry.value.span })
    }

    fn number(&mut self, entry: &Entry) -> Option<Number> {
        let kind = value(&entry.value).map(|value| (value.kind, value.text));
        match kind {
            Some((ValueKind::Int(value), _)) => return Some(Number::Int(value)),
            Some((ValueKind::Float(value), _)) => return Some(Number::Float(value)),
            Some((ValueKind::Str, text)) => {
                if let Ok(value) = text.parse() {
                    return Some(Number::Int(value));
                }
            }
            _ => {}
        }
        self.error(
            codes::WRONG_PART,
            format!("`{}` needs a number", entry.key.as_str()),
            entry.value.span,
            "write a number",
        );
        None
    }

    fn aliases(&mut self, entry: &Entry) -> Vec<Alias> {
        let mut aliases = Vec::new();
        for alias in self.map(entry).unwrap_or_default() {
            let mut fields = Vec::new();
            for rule in self.map(alias).unwrap_or_default() {
                if let Some(field) = self.text(rule) {
                    fields.push((rule.key.clone(), field));
                }
            }
            aliases.push(Alias { name: alias.key.clone(), fields });
        }
        aliases
    }

    /// A document with `filter`.
    pub(super) fn filter_rule(&mut self, head: &Head, entries: &[Entry], part: &Entry) -> Option<Document> {
        let logsource = self.logsource(entries, head.span);
        let parts = self.map(part)?;
        let rules = self.filter_rules(parts, part.key.span);
        let detection = self.detection(parts, part.value.span, part.key.span, &["rules"]);
        Some(Document::Filter(Box::new(FilterRule {
            head: head.clone(),
            logsource: logsource?,
            rules: rules?,
            detection: detection?,
        })))
    }

    fn filter_rules(&mut self, parts: &[Entry], key: Span) -> Option<FilterRules> {
        let Some(entry) = parts.iter().find(|entry| entry.key.as_str() == "rules") else {
            let help = "add the rules by id or name, or `rules: any` for all of the log source";
            self.error(codes::WRONG_PART, "the filter names no `rules`", key, help);
            return None;
        };
        let rules: Vec<Text> = self.texts(entry);
        match rules.as_slice() {
            [only] if only.as_str() == "any" => Some(FilterRules::Any(only.span)),
            [] => {
                self.error(
                    codes::WRONG_PART,
                    "the filter names no `rules`",
                    entry.key.span,
                    "write `rules: any` for all",
                );
                None
            }
            _ => Some(FilterRules::Named(rules)),
        }
    }
}

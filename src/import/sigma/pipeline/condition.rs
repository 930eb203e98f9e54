//! Whether the conditions of a step hold for a rule, an item or a field.

use super::super::model::{DetectionRule, Item, Level, ValueKind};
use super::apply::Run;
use super::model::{AttributeOp, Conditions, FieldCondition, ItemCondition, Join, Pattern, RuleCondition};
use super::values;

impl<C> Conditions<C> {
    /// Whether they hold; no conditions hold always.
    pub(super) fn hold(&self, mut one: impl FnMut(&C) -> bool) -> bool {
        if self.list.is_empty() {
            return true;
        }
        let joined = match &self.join {
            Join::And => self.list.iter().all(|(_, condition)| one(condition)),
            Join::Or => self.list.iter().any(|(_, condition)| one(condition)),
            Join::Expression(logic) => logic.holds(&mut |at| one(&self.list[at].1)),
        };
        joined != self.negated
    }
}

impl Pattern {
    /// Whether a text is what is sought.
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Plain(plain) => plain == text,
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

impl Run<'_> {
    fn state_is(&self, key: &str, value: &str) -> bool {
        self.state.get(key).is_some_and(|found| found == value)
    }

    /// Whether a condition holds for the rule as it is now.
    pub(super) fn rule_holds(&self, condition: &RuleCondition) -> bool {
        let any_item = |test: &dyn Fn(&Item) -> bool| items(self.rule).into_iter().any(test);
        match condition {
            RuleCondition::Logsource { category, product, service } => {
                let source = &self.rule.logsource;
                let same = |wanted: &Option<String>, found: &Option<super::super::model::Text>| {
                    wanted.as_ref().is_none_or(|wanted| found.as_ref().is_some_and(|found| found.value == *wanted))
                };
                same(category, &source.category) && same(product, &source.product) && same(service, &source.service)
            }
            RuleCondition::ContainsItem(field, value) => any_item(&|item| {
                item.field.as_ref().is_some_and(|name| name.value == *field)
                    && item.values.iter().any(|found| found.text == *value || values::shown(item, found) == *value)
            }),
            RuleCondition::ContainsField(field) => {
                any_item(&|item| item.field.iter().chain(&item.also).any(|name| name.value == *field))
            }
            RuleCondition::IsRule => true,
            RuleCondition::IsCorrelation => false,
            RuleCondition::Tag(tag) => self.rule.head.tags.iter().any(|found| found.value == *tag),
            RuleCondition::Attribute(name, op, wanted) => attribute_holds(self.rule, name, *op, wanted),
            RuleCondition::Applied(id) => self.done.contains(id),
            RuleCondition::State(key, value) => self.state_is(key, value),
        }
    }

    /// Whether a condition holds for an item.
    pub(super) fn item_holds(&self, condition: &ItemCondition, item: &Item) -> bool {
        let quantified = |all: bool, test: &dyn Fn(&super::super::model::Value) -> bool| {
            if all { !item.values.is_empty() && item.values.iter().all(test) } else { item.values.iter().any(test) }
        };
        match condition {
            ItemCondition::MatchString { all, pattern, negated } => {
                let text = |value: &super::super::model::Value| {
                    value.kind == ValueKind::Str && pattern.is_match(values::shown(item, value).as_str())
                };
                quantified(*all, &text) != *negated
            }
            ItemCondition::MatchValue(all, wanted) => {
                quantified(*all, &|value| value.text == *wanted || values::shown(item, value) == *wanted)
            }
            ItemCondition::Wildcard(all) => quantified(*all, &|value| {
                values::is_text(item, value) && values::has_wildcard(&values::shown(item, value))
            }),
            ItemCondition::Null(all) => quantified(*all, &|value| value.kind == ValueKind::Null),
            ItemCondition::Applied(id) => item.marks.contains(id),
            ItemCondition::State(key, value) => self.state_is(key, value),
        }
    }

    /// Whether a condition holds for a field of an item; keywords have none.
    pub(super) fn field_holds(&self, condition: &FieldCondition, item: &Item, field: Option<&str>) -> bool {
        match condition {
            FieldCondition::Include(patterns) => {
                field.is_some_and(|field| patterns.iter().any(|pattern| pattern.matches(field)))
            }
            FieldCondition::Exclude(patterns) => {
                field.is_none_or(|field| !patterns.iter().any(|pattern| pattern.matches(field)))
            }
            FieldCondition::Applied(id) => item.marks.contains(id),
            FieldCondition::State(key, value) => self.state_is(key, value),
        }
    }
}

/// Every item of a rule, those that were added included.
fn items(rule: &DetectionRule) -> Vec<&Item> {
    let mut found = Vec::new();
    let mut left = vec![&rule.detection];
    while let Some(detection) = left.pop() {
        found.extend(detection.selections.iter().flat_map(|selection| selection.tree.items()));
        left.extend(&detection.besides);
    }
    found
}

fn attribute_holds(rule: &DetectionRule, name: &str, op: AttributeOp, wanted: &[String]) -> bool {
    let head = &rule.head;
    if name == "level" {
        let level = |word: &str| LEVELS.iter().position(|(known, _)| *known == word);
        let Some(found) = head.level.and_then(|(level, _)| LEVELS.iter().position(|(_, known)| *known == level)) else {
            return matches!(op, AttributeOp::Ne | AttributeOp::NotIn);
        };
        let first = wanted.first().and_then(|word| level(word));
        return match op {
            AttributeOp::In => wanted.iter().any(|word| level(word) == Some(found)),
            AttributeOp::NotIn => !wanted.iter().any(|word| level(word) == Some(found)),
            AttributeOp::Ne => first != Some(found),
            AttributeOp::Eq => first == Some(found),
            AttributeOp::Gte => first.is_some_and(|first| found >= first),
            AttributeOp::Gt => first.is_some_and(|first| found > first),
            AttributeOp::Lte => first.is_some_and(|first| found <= first),
            AttributeOp::Lt => first.is_some_and(|first| found < first),
        };
    }
    let text = match name {
        "title" => &head.title,
        "id" => &head.id,
        "name" => &head.name,
        "status" => &head.status,
        "author" => &head.author,
        "date" => &head.date,
        "modified" => &head.modified,
        _ => &head.description,
    };
    let Some(found) = text.as_ref().map(|text| text.value.replace('/', "-")) else {
        return matches!(op, AttributeOp::Ne | AttributeOp::NotIn);
    };
    // Dates are written `2024-01-31`, or `2024/01/31` in older rules: as texts they have the order of time.
    let first = wanted.first().map_or(String::new(), |text| text.replace('/', "-"));
    match op {
        AttributeOp::In => wanted.iter().any(|word| word.replace('/', "-") == found),
        AttributeOp::NotIn => !wanted.iter().any(|word| word.replace('/', "-") == found),
        AttributeOp::Ne => found != first,
        AttributeOp::Eq => found == first,
        AttributeOp::Gte => found >= first,
        AttributeOp::Gt => found > first,
        AttributeOp::Lte => found <= first,
        AttributeOp::Lt => found < first,
    }
}

const LEVELS: [(&str, Level); 5] = [
    ("informational", Level::Informational),
    ("low", Level::Low),
    ("medium", Level::Medium),
    ("high", Level::High),
    ("critical", Level::Critical),
];

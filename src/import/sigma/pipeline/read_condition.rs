//! The conditions of a pipeline's steps from YAML, and how they are joined.

use regex_automata::meta::Regex;

use super::super::yaml::{Entry, Node, NodeKind};
use super::model::{AttributeOp, Conditions, FieldCondition, ItemCondition, Join, Logic, Pattern, RuleCondition};
use super::read::{Parts, Reader, Unreadable};
use crate::syntax::source::Span;
use crate::syntax::spelling::nearest;

/// The conditions on rules.
pub(super) const RULE: &[&str] = &[
    "logsource",
    "contains_detection_item",
    "contains_field",
    "is_sigma_rule",
    "is_sigma_correlation_rule",
    "tag",
    "rule_attribute",
    "processing_item_applied",
    "processing_state",
];

/// The conditions on items.
pub(super) const ITEM: &[&str] =
    &["match_string", "match_value", "contains_wildcard", "is_null", "processing_item_applied", "processing_state"];

/// The conditions on names of fields.
pub(super) const FIELD: &[&str] = &["include_fields", "exclude_fields", "processing_item_applied", "processing_state"];

const ATTRIBUTE_OPS: [(&str, AttributeOp); 8] = [
    ("eq", AttributeOp::Eq),
    ("ne", AttributeOp::Ne),
    ("gte", AttributeOp::Gte),
    ("gt", AttributeOp::Gt),
    ("lte", AttributeOp::Lte),
    ("lt", AttributeOp::Lt),
    ("in", AttributeOp::In),
    ("not_in", AttributeOp::NotIn),
];

/// The attributes of rules that `rule_attribute` may compare.
const ATTRIBUTES: [&str; 9] = ["title", "id", "name", "level", "status", "author", "date", "modified", "description"];

/// `PREFIX_conditions` with `PREFIX_cond_op`, `_not` and `_expr`.
pub(super) fn conditions<C>(
    reader: &mut Reader,
    entries: &[Entry],
    prefix: &str,
    known: &[&str],
    one: fn(&mut Reader, &str, &mut Parts<'_>, Span) -> Result<Option<C>, Unreadable>,
) -> Result<Conditions<C>, Unreadable> {
    let part = |suffix: &str| {
        entries.iter().find(|entry| entry.key.value.strip_prefix(prefix).is_some_and(|rest| rest == suffix))
    };
    let mut list = Vec::new();
    if let Some(entry) = part("_conditions") {
        let nodes: Vec<(String, &Node)> = match &entry.value.kind {
            NodeKind::List(items) => items.iter().map(|item| (String::new(), item)).collect(),
            NodeKind::Map(entries) => entries.iter().map(|entry| (entry.key.value.clone(), &entry.value)).collect(),
            NodeKind::Scalar(_) => {
                let message = format!("`{}` is no list", entry.key.as_str());
                return Err(reader.error(entry.key.span, message, "begin each condition with `- type: …`"));
            }
        };
        for (name, node) in nodes {
            let parts = reader.map(node, "a condition")?;
            let Some(kind) = parts.iter().find(|entry| entry.key.as_str() == "type") else {
                return Err(reader.error(
                    node.span,
                    "the condition has no `type`",
                    format!("add `type: {}`", known[0]),
                ));
            };
            let word = reader.text(&kind.value)?;
            let mut own = Parts::new(parts.iter().filter(|entry| entry.key.as_str() != "type").collect());
            match one(reader, &word, &mut own, kind.value.span)? {
                Some(condition) => list.push((name, condition)),
                None => {
                    let help = match nearest(&word, known.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("known are {}", known.join(", ")),
                    };
                    return Err(reader.error(kind.value.span, format!("`{word}` is no condition of this place"), help));
                }
            }
            own.finish(reader, &word)?;
        }
    }
    let negated = match part("_cond_not") {
        Some(entry) => reader.flag(&entry.value)?,
        None => false,
    };
    let join = match (part("_cond_op"), part("_cond_expr")) {
        (Some(_), Some(entry)) => {
            let help = "keep one of them";
            return Err(reader.error(entry.key.span, "both an operator and an expression join the conditions", help));
        }
        (Some(entry), None) => match reader.text(&entry.value)?.as_str() {
            "and" => Join::And,
            "or" => Join::Or,
            other => {
                let message = format!("`{other}` does not join conditions");
                return Err(reader.error(entry.value.span, message, "write `and` or `or`"));
            }
        },
        (None, Some(entry)) => {
            let text = reader.text(&entry.value)?;
            let names: Vec<&str> = list.iter().map(|(name, _)| name.as_str()).collect();
            match Logic::parse(&text, &names) {
                Ok(logic) => Join::Expression(logic),
                Err(message) => {
                    let help = "give each condition a name, `a: {type: …}`, and write `a and not b`";
                    return Err(reader.error(entry.value.span, message, help));
                }
            }
        }
        (None, None) => Join::And,
    };
    Ok(Conditions { list, join, negated })
}

impl Logic {
    /// Reads `a and (b or not c)` over names.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in a sentence.
    pub fn parse(text: &str, names: &[&str]) -> Result<Self, String> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let mut words = spaced.split_whitespace().peekable();
        let logic = Self::or(&mut words, names, 0)?;
        match words.next() {
            Some(word) => Err(format!("`{word}` cannot stand there")),
            None => Ok(logic),
        }
    }

    fn or<'t>(
        words: &mut std::iter::Peekable<impl Iterator<Item = &'t str>>,
        names: &[&str],
        depth: usize,
    ) -> Result<Self, String> {
        let mut parts = vec![Self::and(words, names, depth)?];
        while words.next_if(|word| word.eq_ignore_ascii_case("or")).is_some() {
            parts.push(Self::and(words, names, depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Self::Or(parts) })
    }

    fn and<'t>(
        words: &mut std::iter::Peekable<impl Iterator<Item = &'t str>>,
        names: &[&str],
        depth: usize,
    ) -> Result<Self, String> {
        let mut parts = vec![Self::not(words, names, depth)?];
        while words.next_if(|word| word.eq_ignore_ascii_case("and")).is_some() {
            parts.push(Self::not(words, names, depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Self::And(parts) })
    }

    fn not<'t>(
        words: &mut std::iter::Peekable<impl Iterator<Item = &'t str>>,
        names: &[&str],
        depth: usize,
    ) -> Result<Self, String> {
        if depth > 64 {
            return Err("the expression is nested too deep".into());
        }
        match words.next() {
            None => Err("the expression ends too early".into()),
            Some(word) if word.eq_ignore_ascii_case("not") => {
                Ok(Self::Not(Box::new(Self::not(words, names, depth + 1)?)))
            }
            Some("(") => {
                let inner = Self::or(words, names, depth + 1)?;
                match words.next() {
                    Some(")") => Ok(inner),
                    _ => Err("a parenthesis is not closed".into()),
                }
            }
            Some(word) => names
                .iter()
                .position(|name| *name == word)
                .map(Self::Name)
                .ok_or_else(|| format!("`{word}` names nothing")),
        }
    }

    /// What it comes to.
    pub fn holds(&self, of: &mut impl FnMut(usize) -> bool) -> bool {
        match self {
            Self::Name(at) => of(*at),
            Self::Not(inner) => !inner.holds(of),
            Self::And(parts) => parts.iter().all(|part| part.holds(of)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(of)),
        }
    }
}

/// An expression that is looked for from the beginning of a text.
pub(super) fn regex(reader: &mut Reader, node: &Node, anchored: bool) -> Result<Box<Regex>, Unreadable> {
    let text = reader.text(node)?;
    let pattern = if anchored { format!("^(?:{text})") } else { text };
    Regex::new(&pattern).map(Box::new).map_err(|_| {
        let help = "write one without look-around and back-references";
        reader.error(node.span, "this is no regular expression that can be run", help)
    })
}

/// `cond: any` or `all`.
fn is_all(reader: &mut Reader, parts: &mut Parts<'_>) -> Result<bool, Unreadable> {
    match parts.take("cond") {
        None => Ok(false),
        Some(node) => match reader.text(node)?.as_str() {
            "any" => Ok(false),
            "all" => Ok(true),
            _ => Err(reader.error(node.span, "neither `any` nor `all`", "write `any` or `all`")),
        },
    }
}

fn optional(reader: &mut Reader, node: Option<&Node>) -> Result<Option<String>, Unreadable> {
    node.map(|node| reader.text(node)).transpose()
}

/// A condition on rules; none for a word that is not known.
pub(super) fn rule(
    reader: &mut Reader,
    word: &str,
    parts: &mut Parts<'_>,
    span: Span,
) -> Result<Option<RuleCondition>, Unreadable> {
    Ok(Some(match word {
        "logsource" => {
            let (category, product, service) = logsource(reader, parts)?;
            if category.is_none() && product.is_none() && service.is_none() {
                let help = "add `product: windows`, or delete the condition";
                return Err(reader.error(span, "`logsource` asks for nothing", help));
            }
            RuleCondition::Logsource { category, product, service }
        }
        "contains_detection_item" => {
            let field = parts.need(reader, "field", word, span)?;
            let value = parts.need(reader, "value", word, span)?;
            RuleCondition::ContainsItem(reader.text(field)?, reader.scalar(value)?.text())
        }
        "contains_field" => {
            let field = parts.need(reader, "field", word, span)?;
            RuleCondition::ContainsField(reader.text(field)?)
        }
        "is_sigma_rule" => RuleCondition::IsRule,
        "is_sigma_correlation_rule" => RuleCondition::IsCorrelation,
        "tag" => {
            let tag = parts.need(reader, "tag", word, span)?;
            RuleCondition::Tag(reader.text(tag)?)
        }
        "rule_attribute" => {
            let attribute = parts.need(reader, "attribute", word, span)?;
            let value = parts.need(reader, "value", word, span)?;
            let name = reader.text(attribute)?;
            if !ATTRIBUTES.contains(&name.as_str()) {
                let help = format!("it is one of {}", ATTRIBUTES.join(", "));
                return Err(reader.error(attribute.span, format!("rules have no attribute `{name}`"), help));
            }
            let op = match parts.take("op") {
                None => AttributeOp::Eq,
                Some(node) => {
                    let word = reader.text(node)?;
                    match ATTRIBUTE_OPS.iter().find(|(name, _)| *name == word) {
                        Some((_, op)) => *op,
                        None => {
                            let help = "it is one of eq, ne, gte, gt, lte, lt, in, not_in";
                            return Err(reader.error(node.span, format!("`{word}` is no comparison"), help));
                        }
                    }
                }
            };
            RuleCondition::Attribute(name, op, reader.texts(value)?)
        }
        "processing_item_applied" => RuleCondition::Applied(applied(reader, word, parts, span)?),
        "processing_state" => {
            let (key, value) = state(reader, word, parts, span)?;
            RuleCondition::State(key, value)
        }
        _ => return Ok(None),
    }))
}

/// `category`, `product` and `service`.
pub(super) fn logsource(
    reader: &mut Reader,
    parts: &mut Parts<'_>,
) -> Result<(Option<String>, Option<String>, Option<String>), Unreadable> {
    let category = optional(reader, parts.take("category"))?;
    let product = optional(reader, parts.take("product"))?;
    let service = optional(reader, parts.take("service"))?;
    Ok((category, product, service))
}

fn applied(reader: &mut Reader, word: &str, parts: &mut Parts<'_>, span: Span) -> Result<String, Unreadable> {
    let id = parts.need(reader, "processing_item_id", word, span)?;
    reader.text(id)
}

fn state(reader: &mut Reader, word: &str, parts: &mut Parts<'_>, span: Span) -> Result<(String, String), Unreadable> {
    let key = parts.need(reader, "key", word, span)?;
    let value = parts.need(reader, "val", word, span)?;
    Ok((reader.text(key)?, reader.scalar(value)?.text()))
}

/// A condition on items; none for a word that is not known.
pub(super) fn item(
    reader: &mut Reader,
    word: &str,
    parts: &mut Parts<'_>,
    span: Span,
) -> Result<Option<ItemCondition>, Unreadable> {
    Ok(Some(match word {
        "match_string" => {
            let all = is_all(reader, parts)?;
            let pattern = parts.need(reader, "pattern", word, span)?;
            let pattern = regex(reader, pattern, true)?;
            let negated = match parts.take("negate") {
                Some(node) => reader.flag(node)?,
                None => false,
            };
            ItemCondition::MatchString { all, pattern, negated }
        }
        "match_value" => {
            let all = is_all(reader, parts)?;
            let value = parts.need(reader, "value", word, span)?;
            ItemCondition::MatchValue(all, reader.scalar(value)?.text())
        }
        "contains_wildcard" => ItemCondition::Wildcard(is_all(reader, parts)?),
        "is_null" => ItemCondition::Null(is_all(reader, parts)?),
        "processing_item_applied" => ItemCondition::Applied(applied(reader, word, parts, span)?),
        "processing_state" => {
            let (key, value) = state(reader, word, parts, span)?;
            ItemCondition::State(key, value)
        }
        _ => return Ok(None),
    }))
}

/// A condition on names of fields; none for a word that is not known.
pub(super) fn field(
    reader: &mut Reader,
    word: &str,
    parts: &mut Parts<'_>,
    span: Span,
) -> Result<Option<FieldCondition>, Unreadable> {
    Ok(Some(match word {
        "include_fields" | "exclude_fields" => {
            let fields = parts.need(reader, "fields", word, span)?;
            let is_regex = match parts.take("mode").or_else(|| parts.take("type")) {
                None => false,
                Some(node) => match reader.text(node)?.as_str() {
                    "plain" => false,
                    "re" => true,
                    _ => return Err(reader.error(node.span, "neither `plain` nor `re`", "write `plain` or `re`")),
                },
            };
            let mut patterns = Vec::new();
            let nodes: Vec<&Node> = match &fields.kind {
                NodeKind::List(items) => items.iter().collect(),
                _ => vec![fields],
            };
            for node in nodes {
                patterns.push(if is_regex {
                    Pattern::Regex(regex(reader, node, true)?)
                } else {
                    Pattern::Plain(reader.text(node)?)
                });
            }
            if word == "include_fields" { FieldCondition::Include(patterns) } else { FieldCondition::Exclude(patterns) }
        }
        "processing_item_applied" => FieldCondition::Applied(applied(reader, word, parts, span)?),
        "processing_state" => {
            let (key, value) = state(reader, word, parts, span)?;
            FieldCondition::State(key, value)
        }
        _ => return Ok(None),
    }))
}

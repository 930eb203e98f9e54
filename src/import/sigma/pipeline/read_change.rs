//! The changes of a pipeline's steps from YAML.

use std::collections::BTreeMap;

use super::super::yaml::{Node, NodeKind};
use super::model::{Case, Change, Chosen};
use super::read::{Parts, Reader, Unreadable};
use super::read_condition::{logsource, regex};
use crate::syntax::source::Span;
use crate::syntax::spelling::nearest;

/// Every change that is carried out.
const CHANGES: [&str; 22] = [
    "field_name_mapping",
    "field_name_prefix_mapping",
    "field_name_prefix",
    "field_name_suffix",
    "drop_detection_item",
    "add_condition",
    "change_logsource",
    "hashes_fields",
    "value_placeholders",
    "wildcard_placeholders",
    "replace_string",
    "map_string",
    "set_value",
    "convert_type",
    "case",
    "set_state",
    "set_custom_attribute",
    "rule_failure",
    "detection_item_failure",
    "strict_field_mapping_failure",
    "nest",
    "query_expression_placeholders",
];

/// The change that a step makes.
pub(super) fn change(
    reader: &mut Reader,
    word: &str,
    span: Span,
    parts: &mut Parts<'_>,
    depth: usize,
) -> Result<Change, Unreadable> {
    Ok(match word {
        "field_name_mapping" => Change::Map(mapping(reader, word, span, parts)?),
        "field_name_prefix_mapping" => Change::MapPrefix(mapping(reader, word, span, parts)?.into_iter().collect()),
        "field_name_prefix" => {
            let node = parts.need(reader, "prefix", word, span)?;
            Change::Prefix(reader.text(node)?)
        }
        "field_name_suffix" => {
            let node = parts.need(reader, "suffix", word, span)?;
            Change::Suffix(reader.text(node)?)
        }
        "drop_detection_item" => Change::Drop,
        "add_condition" => {
            let node = parts.need(reader, "conditions", word, span)?;
            let mut items = Vec::new();
            for entry in reader.map(node, "`conditions`")? {
                let list = matches!(entry.value.kind, NodeKind::List(_));
                items.push((entry.key.clone(), reader.scalars(&entry.value)?, list));
            }
            if items.is_empty() {
                return Err(reader.error(node.span, "`conditions` is empty", "write `field: value` below it"));
            }
            if let Some(name) = parts.take("name") {
                reader.text(name)?;
            }
            let mut flag = |key| parts.take(key).map(|node| reader.flag(node)).transpose();
            let negated = flag("negated")?.unwrap_or(false);
            let template = flag("template")?.unwrap_or(false);
            Change::AddCondition { items, negated, template }
        }
        "change_logsource" => {
            let (category, product, service) = logsource(reader, parts)?;
            if category.is_none() && product.is_none() && service.is_none() {
                let help = "add `product: windows`, or another part";
                return Err(reader.error(span, "`change_logsource` names no log source", help));
            }
            Change::Logsource { category, product, service }
        }
        "hashes_fields" => {
            let node = parts.need(reader, "valid_hash_algos", word, span)?;
            let algorithms = reader.texts(node)?;
            let prefix = match parts.take("field_prefix") {
                Some(node) => reader.text(node)?,
                None => String::new(),
            };
            let drop = match parts.take("drop_algo_prefix") {
                Some(node) => reader.flag(node)?,
                None => false,
            };
            Change::Hashes { algorithms, prefix, drop }
        }
        "value_placeholders" => Change::ValuePlaceholders(chosen(reader, parts)?),
        "wildcard_placeholders" => Change::WildcardPlaceholders(chosen(reader, parts)?),
        "query_expression_placeholders" => {
            let help = "give the values in `vars` and use `value_placeholders`";
            return Err(reader.error(span, "`query_expression_placeholders` needs a query language of its own", help));
        }
        "replace_string" => {
            let node = parts.need(reader, "regex", word, span)?;
            let pattern = regex(reader, node, false)?;
            let node = parts.need(reader, "replacement", word, span)?;
            let replacement = reader.scalar(node)?.text();
            for key in ["skip_special", "interpret_special"] {
                if let Some(node) = parts.take(key)
                    && reader.flag(node)?
                {
                    let help = "write the expression so that it leaves `*` and `?` alone";
                    return Err(reader.error(node.span, format!("`{key}` is not carried out"), help));
                }
            }
            Change::Replace(pattern, replacement)
        }
        "map_string" => Change::MapString(mapping(reader, word, span, parts)?),
        "set_value" => {
            let node = parts.need(reader, "value", word, span)?;
            Change::SetValue(reader.scalar(node)?)
        }
        "convert_type" => {
            let node = parts.need(reader, "target_type", word, span)?;
            match reader.text(node)?.as_str() {
                "str" => Change::Convert { text: true },
                "num" => Change::Convert { text: false },
                _ => return Err(reader.error(node.span, "neither `str` nor `num`", "write `str` or `num`")),
            }
        }
        "case" => {
            let node = parts.take("method");
            let method = node.map(|node| reader.text(node)).transpose()?;
            Change::Case(match method.as_deref() {
                None | Some("lower") => Case::Lower,
                Some("upper") => Case::Upper,
                Some("snake_case") => Case::Snake,
                Some(other) => {
                    let message = format!("`{other}` is no way of writing");
                    let span = node.map_or(span, |node| node.span);
                    return Err(reader.error(span, message, "write `lower`, `upper` or `snake_case`"));
                }
            })
        }
        "set_state" => {
            let (key, value) = (parts.need(reader, "key", word, span)?, parts.need(reader, "val", word, span)?);
            Change::SetState(reader.text(key)?, reader.scalar(value)?.text())
        }
        "set_custom_attribute" => {
            let key = parts.need(reader, "attribute", word, span)?;
            let value = parts.need(reader, "value", word, span)?;
            Change::SetAttribute(reader.text(key)?, reader.scalar(value)?.text())
        }
        "rule_failure" => Change::RuleFailure(message(reader, word, span, parts)?),
        "detection_item_failure" => Change::ItemFailure(message(reader, word, span, parts)?),
        "strict_field_mapping_failure" => Change::Strict(match parts.take("message") {
            Some(node) => reader.text(node)?,
            None => "the field is not mapped".into(),
        }),
        "nest" => {
            let node = parts.need(reader, "items", word, span)?;
            Change::Nest(reader.steps(node, depth + 1))
        }
        _ => {
            let help = match nearest(word, CHANGES) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}", CHANGES[..21].join(", ")),
            };
            return Err(reader.error(span, format!("`{word}` is no transformation that is known here"), help));
        }
    })
}

fn mapping(
    reader: &mut Reader,
    word: &str,
    span: Span,
    parts: &mut Parts<'_>,
) -> Result<BTreeMap<String, Vec<String>>, Unreadable> {
    let node: &Node = parts.need(reader, "mapping", word, span)?;
    let mut found = BTreeMap::new();
    for entry in reader.map(node, "`mapping`")? {
        let targets = reader.texts(&entry.value)?;
        if targets.is_empty() {
            let help = "name what it is mapped to, or use `drop_detection_item`";
            return Err(reader.error(entry.key.span, format!("`{}` is mapped to nothing", entry.key.as_str()), help));
        }
        found.insert(entry.key.value.clone(), targets);
    }
    Ok(found)
}

fn chosen(reader: &mut Reader, parts: &mut Parts<'_>) -> Result<Chosen, Unreadable> {
    let mut list = |key| parts.take(key).map(|node| reader.texts(node)).transpose();
    Ok(Chosen { include: list("include")?.unwrap_or_default(), exclude: list("exclude")?.unwrap_or_default() })
}

fn message(reader: &mut Reader, word: &str, span: Span, parts: &mut Parts<'_>) -> Result<String, Unreadable> {
    let node = parts.need(reader, "message", word, span)?;
    reader.text(node)
}

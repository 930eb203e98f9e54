//! Pipelines as they are written: an ordered list of changes to rules, each with the conditions under which it is made.
//!
//! The model is pySigma's. Everything a pipeline can say and cannot be carried out is refused when it is read, so what
//! is here can be carried out.

use std::collections::BTreeMap;

use regex_automata::meta::Regex;

use super::super::model::Text;
use crate::syntax::source::Span;

/// A pipeline.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// What it is called.
    pub name: String,
    /// Pipelines of a smaller number are applied first, equal ones in the order in which they are named.
    pub priority: i64,
    /// Values of placeholders.
    pub vars: BTreeMap<String, Vec<String>>,
    /// What it does, in order.
    pub steps: Vec<Step>,
}

/// A change with its conditions.
#[derive(Clone, Debug)]
pub struct Step {
    /// `id`, for conditions that ask whether it was applied.
    pub id: Option<String>,
    /// What is changed.
    pub change: Change,
    /// Of which rules.
    pub rules: Conditions<RuleCondition>,
    /// Of which items of them.
    pub items: Conditions<ItemCondition>,
    /// Of which fields of those.
    pub fields: Conditions<FieldCondition>,
    /// Where its type stands.
    pub span: Span,
}

/// Conditions and how they are joined.
#[derive(Clone, Debug)]
pub struct Conditions<C> {
    /// With their names, which are empty for conditions in a list.
    pub list: Vec<(String, C)>,
    /// How they are joined.
    pub join: Join,
    /// The opposite of it.
    pub negated: bool,
}

/// How conditions are joined.
#[derive(Clone, Debug)]
pub enum Join {
    /// All hold.
    And,
    /// One of them holds.
    Or,
    /// As an expression over their names says.
    Expression(Logic),
}

/// An expression over named conditions.
#[derive(Clone, Debug, PartialEq)]
pub enum Logic {
    /// The condition at this place of the list.
    Name(usize),
    /// Not.
    Not(Box<Logic>),
    /// All.
    And(Vec<Logic>),
    /// Any.
    Or(Vec<Logic>),
}

/// A text that is sought as it is, or as an expression.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Equal.
    Plain(String),
    /// Matches from the beginning.
    Regex(Box<Regex>),
}

/// Conditions on whole rules.
#[derive(Clone, Debug)]
pub enum RuleCondition {
    /// `logsource`: every part that is given is the rule's.
    Logsource {
        /// `category`
        category: Option<String>,
        /// `product`
        product: Option<String>,
        /// `service`
        service: Option<String>,
    },
    /// `contains_detection_item`
    ContainsItem(String, String),
    /// `contains_field`
    ContainsField(String),
    /// `is_sigma_rule`
    IsRule,
    /// `is_sigma_correlation_rule`
    IsCorrelation,
    /// `tag`
    Tag(String),
    /// `rule_attribute`: the attribute, the comparison and the values.
    Attribute(String, AttributeOp, Vec<String>),
    /// `processing_item_applied`
    Applied(String),
    /// `processing_state`
    State(String, String),
}

/// The comparisons of `rule_attribute`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeOp {
    /// `eq`
    Eq,
    /// `ne`
    Ne,
    /// `gte`
    Gte,
    /// `gt`
    Gt,
    /// `lte`
    Lte,
    /// `lt`
    Lt,
    /// `in`
    In,
    /// `not_in`
    NotIn,
}

/// Conditions on items.
#[derive(Clone, Debug)]
pub enum ItemCondition {
    /// `match_string`
    MatchString {
        /// Every value, rather than one.
        all: bool,
        /// What they match from the beginning.
        pattern: Box<Regex>,
        /// `negate`
        negated: bool,
    },
    /// `match_value`
    MatchValue(bool, String),
    /// `contains_wildcard`
    Wildcard(bool),
    /// `is_null`
    Null(bool),
    /// `processing_item_applied`
    Applied(String),
    /// `processing_state`
    State(String, String),
}

/// Conditions on names of fields.
#[derive(Clone, Debug)]
pub enum FieldCondition {
    /// `include_fields`
    Include(Vec<Pattern>),
    /// `exclude_fields`
    Exclude(Vec<Pattern>),
    /// `processing_item_applied`
    Applied(String),
    /// `processing_state`
    State(String, String),
}

/// What a pipeline may change.
#[derive(Clone, Debug)]
pub enum Change {
    /// `field_name_mapping`
    Map(BTreeMap<String, Vec<String>>),
    /// `field_name_prefix_mapping`
    MapPrefix(Vec<(String, Vec<String>)>),
    /// `field_name_prefix`
    Prefix(String),
    /// `field_name_suffix`
    Suffix(String),
    /// `drop_detection_item`
    Drop,
    /// `add_condition`
    AddCondition {
        /// Key, as in a rule, and values.
        items: Vec<(Text, Vec<Scalar>, bool)>,
        /// The opposite of them.
        negated: bool,
        /// `$category`, `$product` and `$service` stand for those of the rule.
        template: bool,
    },
    /// `change_logsource`
    Logsource {
        /// `category`
        category: Option<String>,
        /// `product`
        product: Option<String>,
        /// `service`
        service: Option<String>,
    },
    /// `hashes_fields`
    Hashes {
        /// `valid_hash_algos`
        algorithms: Vec<String>,
        /// `field_prefix`
        prefix: String,
        /// `drop_algo_prefix`
        drop: bool,
    },
    /// `value_placeholders`, of those that are chosen.
    ValuePlaceholders(Chosen),
    /// `wildcard_placeholders`, of those that are chosen.
    WildcardPlaceholders(Chosen),
    /// `replace_string`
    Replace(Box<Regex>, String),
    /// `map_string`
    MapString(BTreeMap<String, Vec<String>>),
    /// `set_value`
    SetValue(Scalar),
    /// `convert_type`: to a text, rather than to a number.
    Convert {
        /// To a text.
        text: bool,
    },
    /// `case`
    Case(Case),
    /// `set_state`
    SetState(String, String),
    /// `set_custom_attribute`
    SetAttribute(String, String),
    /// `rule_failure`
    RuleFailure(String),
    /// `detection_item_failure`
    ItemFailure(String),
    /// `strict_field_mapping_failure`
    Strict(String),
    /// `nest`
    Nest(Vec<Step>),
}

/// Which placeholders are meant.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// Only these, if there are any.
    pub include: Vec<String>,
    /// Not these.
    pub exclude: Vec<String>,
}

/// The forms of `case`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// `lower`
    Lower,
    /// `upper`
    Upper,
    /// `snake_case`
    Snake,
}

/// A value in a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// `null`
    Null,
    /// `true`
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(String),
}

impl Scalar {
    /// As a text; null is none.
    pub fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

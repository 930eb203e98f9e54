//! Why a text does not parse: pest's error, in words of the rule language.

use pest::error::{Error, ErrorVariant, InputLocation};

use super::grammar::Rule;

/// Where a text stopped parsing, and what could have stood there, most telling first; empty if that is too much to say.
pub(super) struct Stop {
    pub(super) at: usize,
    pub(super) expected: Vec<&'static str>,
}

/// Reads pest's error.
pub(super) fn stop(error: &Error<Rule>) -> Stop {
    let at = match error.location {
        InputLocation::Pos(at) => at,
        InputLocation::Span((at, _)) => at,
    };
    let mut expected = Vec::new();
    if let ErrorVariant::ParsingError { positives, .. } = &error.variant {
        // Where a clause may begin, its many keywords are one thing to say.
        let clause = positives.contains(&Rule::kw_severity);
        let words = positives.iter().filter(|rule| !(clause && begins_clause(**rule))).filter_map(|rule| name(*rule));
        for word in words.chain(clause.then_some("a clause")) {
            if !expected.contains(&word) {
                expected.push(word);
            }
        }
    }
    Stop { at, expected }
}

fn begins_clause(rule: Rule) -> bool {
    matches!(rule, Rule::kw_by | Rule::kw_match | Rule::kw_alerts)
}

/// How a grammar rule is called in front of users; `None` for what need not be said.
fn name(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::EOI => return None,
        Rule::word | Rule::quoted | Rule::name | Rule::call_name => "a name",
        Rule::label => return None,
        Rule::path => "a field",
        Rule::class | Rule::classes => "an event class",
        Rule::table => "a table such as `@vpn`",
        Rule::integer | Rule::json_number | Rule::index_value | Rule::range_start => "a whole number",
        Rule::float => return None,
        Rule::duration | Rule::test_time => "a duration such as `5m`",
        Rule::string => "a text in double quotes",
        Rule::regex => "a regular expression such as `/^a/`",
        Rule::boolean => "`true` or `false`",
        Rule::list => "a list in parentheses",
        Rule::expr | Rule::operand | Rule::paren | Rule::call | Rule::lookup => "an expression",
        Rule::or
        | Rule::and
        | Rule::equal
        | Rule::unequal
        | Rule::less
        | Rule::less_equal
        | Rule::greater
        | Rule::greater_equal
        | Rule::default
        | Rule::plus
        | Rule::minus
        | Rule::times
        | Rule::divide
        | Rule::remainder
        | Rule::in_tail
        | Rule::like_tail
        | Rule::regex_tail
        | Rule::op_match
        | Rule::kw_in
        | Rule::kw_like => "an operator",
        Rule::index | Rule::member | Rule::kw_not | Rule::not | Rule::negate | Rule::attribute | Rule::list_end => {
            return None;
        }
        Rule::sequence | Rule::element | Rule::step | Rule::member_sequence => "a step",
        Rule::absence | Rule::all | Rule::any | Rule::group => "a step",
        Rule::quantifier => "a number of events",
        Rule::then | Rule::kw_then => "`then`",
        Rule::step_where | Rule::kw_where | Rule::call_where => "`where`",
        Rule::step_by | Rule::guard_by | Rule::kw_by => "`by`",
        Rule::step_guard | Rule::kw_unless | Rule::kw_if => "`unless`",
        Rule::step_without | Rule::kw_without => "`without`",
        Rule::step_until | Rule::kw_until => "`until`",
        Rule::match_within | Rule::absence_within | Rule::kw_within | Rule::then_within => "`within`",
        Rule::kw_in_last | Rule::in_last => "`in last`",
        Rule::kw_of => "`of`",
        Rule::kw_from => "`from`",
        Rule::kw_key => "`key`",
        Rule::colon => "`:`",

        Rule::kw_on => "`on`",
        Rule::kw_match => "`match`",
        Rule::kw_least => "`least`",
        Rule::kw_more => "`more`",
        Rule::kw_skip | Rule::skip_past_last | Rule::skip_to_next | Rule::no_skip => "`skip past last` or the like",
        Rule::assign_sign | Rule::key_assign => "`=`",
        Rule::alert_field => "a line such as `name = value`",
        Rule::key_item => "a key field",
        Rule::object | Rule::conditions => "`{`",
        Rule::object_field | Rule::object_key => "a field",
        Rule::json | Rule::json_list | Rule::null => "a value",
        Rule::kw_alerts => "`alert`",
        Rule::expect_alert | Rule::expect_none => "`expect`",
        Rule::test_line => "an event such as `0s login { … }`",
        Rule::repetition | Rule::kw_x => "`x N`",
        _ => return None,
    })
}

/// `a`, `a or b`, `a, b or c`
pub(super) fn joined(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

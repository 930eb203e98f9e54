//! Codes of EQL queries, and of the files that hold them: E07xx and W07xx.

use crate::diag::Code;
use crate::diag::code::CodeInfo;

macro_rules! table {
    ($($name:ident $code:literal $title:literal, $text:literal, $language:literal wrong $wrong:literal, right $right:literal;)*) => {
        $(#[doc = $title] pub const $name: Code = Code($code);)*

        /// The table, sorted by code.
        pub const CODES: &[CodeInfo] = &[$(CodeInfo {
            code: $code,
            title: $title,
            explanation: concat!($text, "\n\nWrong:\n\n```", $language, "\n", $wrong, "\n```\n\nRight:\n\n```", $language, "\n", $right, "\n```\n"),
        }),*];
    };
}

table! {
    UNEXPECTED "E0701" "unexpected text in a query",
        "The query does not go on as EQL does. The message names what was found and, if there are few possibilities, what could have stood there. A query without its end gives this too.",
        "eql" wrong "process where process.name === \"cmd.exe\"",
        right "process where process.name == \"cmd.exe\"";
    HABIT "E0702" "written as in another language",
        "EQL has one way of writing each operator, and texts stand in double quotes. What is meant here is clear, so the report holds the mend.",
        "eql" wrong "process where process.name = \"cmd.exe\" && process.pid > 4",
        right "process where process.name == \"cmd.exe\" and process.pid > 4";
    NOT_IN_EQL "E0703" "not part of Elastic's EQL",
        "Elasticsearch refuses this too: it belongs to Endgame's EQL, to an older version, or to what the documentation lists as not supported. The report says what to write instead.",
        "eql" wrong "process where wildcard(process.name, \"cmd*\")",
        right "process where process.name like \"cmd*\"";
    NOT_ON_A_STREAM "E0704" "not possible on a stream",
        "Some of EQL asks a question of all events at once: `sample` looks for events without order, `head` for the first of all matches. A stream has no end at which that could be answered.",
        "eql" wrong "process where process.name == \"cmd.exe\" | head 10",
        right "process where process.name == \"cmd.exe\"";
    WRONG_CALL "E0705" "a function is called in the wrong way",
        "The function does not exist, or takes other arguments. EQL's functions are written as in its documentation: `stringContains`, not `stringcontains`.",
        "eql" wrong "process where length(process.name, 3) > 1",
        right "process where length(process.name) > 3";
    SEQUENCE_SHAPE "E0706" "a sequence that cannot be",
        "A sequence has two stages or more, or one with `runs`; one of them must be an event that happens; all stages have equally many keys; a missing event needs `maxspan`.",
        "eql" wrong "sequence by host.id [ process where true ]",
        right "sequence by host.id [ process where true ] [ network where true ]";
    NULL_VALUE "E0707" "`null` where nothing can come of it",
        "`null` can be compared by `==` and `!=`, which ask whether a value is missing. Anywhere else it makes the whole condition missing, so that it is never true.",
        "eql" wrong "process where process.name in (\"cmd.exe\", null)",
        right "process where process.name == \"cmd.exe\" or process.name == null";
    WRONG_OPERAND "E0708" "an operand of the wrong kind",
        "`in` takes constants, and `:`, `like` and `regex` texts; two fields cannot be compared. Elasticsearch refuses the others as well.",
        "eql" wrong "process where process.pid : 4",
        right "process where process.pid == 4";
    REGEX "E0709" "a regular expression that cannot be translated",
        "EQL's regular expressions are Lucene's: they match the whole text, know no anchors, and have operators of their own (`~`, `&`, `<1-9>`). What has no exact translation is refused.",
        "eql" wrong "process where process.name regex \"^cmd.*$\"",
        right "process where process.name regex \"cmd.*\"";
    NOT_READABLE "E0710" "a file of detection rules that cannot be read",
        "The file is not TOML or JSON, or a rule in it lacks a part that every rule has.",
        "toml" wrong "[rule]\ntype = \"eql\"\nname = \"Shells\"",
        right "[rule]\ntype = \"eql\"\nname = \"Shells\"\nquery = 'process where process.name : \"cmd.exe\"'";
    RULE_PART "E0711" "a part of a detection rule that cannot be kept to",
        "The rule says more than its query, and that part has no exact meaning on a stream, or lies in another system. It is refused, because the rule without it would alert on other events.",
        "toml" wrong "[rule]\ntype = \"eql\"\nname = \"Shells\"\nquery = 'process where process.name : \"cmd.exe\"'\n[rule.alert_suppression]\ngroup_by = [\"host.id\"]",
        right "[rule]\ntype = \"eql\"\nname = \"Shells\"\nquery = 'process where process.name : \"cmd.exe\"'\n[rule.alert_suppression]\ngroup_by = [\"host.id\"]\nduration = { value = 1, unit = \"h\" }";
    TAIL "W0701" "`tail` on a stream",
        "`tail` limits what one search gives to the newest matches. On a stream every match is the newest when it completes, so all are reported; the pipe changes nothing.",
        "eql" wrong "process where process.name == \"cmd.exe\" | tail 10",
        right "process where process.name == \"cmd.exe\"";
    PASSED_OVER "W0702" "a detection rule of another kind",
        "The file holds a rule that is no EQL query (a threshold, machine learning, ES|QL, …). It is passed over.",
        "toml" wrong "[rule]\ntype = \"threshold\"\nname = \"Many\"",
        right "[rule]\ntype = \"eql\"\nname = \"Shells\"\nquery = 'process where process.name : \"cmd.exe\"'\n";
}

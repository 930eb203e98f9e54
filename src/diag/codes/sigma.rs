//! Codes of Sigma rules: E08xx errors, of which each refuses one rule, and W08xx warnings.
//!
//! The examples are whole Sigma files: a test holds that the wrong one gives the code and the right one gives nothing.

macro_rules! codes {
    ($($name:ident $code:literal $title:literal, $text:literal, wrong $wrong:literal, right $right:literal;)*) => {
        $(#[doc = $title] pub const $name: $crate::diag::Code = $crate::diag::Code($code);)*

        /// The table, sorted by code.
        pub const CODES: &[$crate::diag::code::CodeInfo] = &[$($crate::diag::code::CodeInfo {
            code: $code,
            title: $title,
            explanation: concat!(
                $text, "\n\nWrong:\n\n```yaml\n", $wrong, "\n```\n\nRight:\n\n```yaml\n", $right, "\n```\n",
            ),
        },)*];
    };
}

codes! {
    NOT_YAML "E0801" "a document is not YAML",
        "Sigma rules are YAML. A document that is none is refused; the others of its file are read.",
        wrong "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: \"sh\n  condition: sel",
        right "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: \"sh\"\n  condition: sel";

    WRONG_PART "E0802" "a part of a Sigma document is missing or of the wrong shape",
        "A rule has `logsource` and `detection` with a `condition`; a correlation has `correlation` with `type`, `rules` and `timespan`; a filter has `filter` with `rules` and a `condition`. A level is `informational`, `low`, `medium`, `high` or `critical`. The types of correlations are `event_count`, `value_count`, `temporal`, `temporal_ordered`, `value_sum`, `value_avg`, `value_percentile` and `value_median`.",
        wrong "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\nlevel: severe",
        right "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n  condition: sel\nlevel: high";

    UNKNOWN_KEY "E0803" "an unknown key where every key has a meaning",
        "The parts of `logsource` and `correlation` decide what a rule matches. One that is not known is refused: the rule would match something else than its author meant.",
        wrong "title: Shell\nlogsource:\n  prodcut: linux\ndetection:\n  sel:\n    cmd: sh\n  condition: sel",
        right "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n  condition: sel";

    REPEATED_KEY "E0804" "a key is written twice in one map",
        "Of two equal keys YAML keeps one, and what the other says would be lost.",
        wrong "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n    cmd: bash\n  condition: sel",
        right "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd:\n      - sh\n      - bash\n  condition: sel";

    UNKNOWN_MODIFIER "E0805" "an unknown modifier",
        "The words behind a field's name change what its values mean, so one that is not known cannot be passed over.",
        wrong "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd|contians: sh\n  condition: sel",
        right "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd|contains: sh\n  condition: sel";

    WRONG_MODIFIERS "E0806" "modifiers that do not go together",
        "`re`, `cidr`, `fieldref`, `exists`, `lt`, `lte`, `gt` and `gte` take the value as it is written, so they come first and nothing that transforms a text goes with them. Encodings come before `contains`. `i`, `m` and `s` stand behind `re`.",
        wrong "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd|contains|base64: sh\n  condition: sel",
        right "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd|base64|contains: sh\n  condition: sel";

    WRONG_VALUE "E0807" "a value that the modifiers cannot take",
        "`exists` takes true or false, `cidr` a network, `lt` and its kin a number, `fieldref` the name of a field.",
        wrong "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    size|gt: large\n  condition: sel",
        right "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    size|gt: 1000\n  condition: sel";

    CONDITION "E0808" "a condition that cannot be read",
        "A condition joins names of selections with `and`, `or`, `not` and parentheses, and takes several with `1 of`, `any of` and `all of`.",
        wrong "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n  condition: sel and",
        right "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n  condition: sel";

    ABSENT_SELECTION "E0809" "a condition names a selection that is not there",
        "The words of a condition are names of the selections beside it.",
        wrong "title: Shell\nlogsource:\n  product: linux\ndetection:\n  selection:\n    cmd: sh\n  condition: selecton",
        right "title: Shell\nlogsource:\n  product: linux\ndetection:\n  selection:\n    cmd: sh\n  condition: selection";

    OLD_AGGREGATION "E0810" "an aggregation in a condition",
        "Counting and `near` in conditions, with their `timeframe`, were replaced by correlations, which say by what the events belong together.",
        wrong "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n  timeframe: 5m\n  condition: sel | count() by host > 5",
        right "title: Shell\nname: shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n  condition: sel\n---\ntitle: Many\ncorrelation:\n  type: event_count\n  rules: [shell]\n  group-by: [host]\n  timespan: 5m\n  condition: {gt: 5}";

    REGEX "E0811" "a regular expression that cannot be run",
        "Matching takes time linear in the text, whatever the expression. Look-around and back-references would break that.",
        wrong "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd|re: 'sh(?!ell)'\n  condition: sel",
        right "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd|re: sh\n  not_this:\n    cmd|re: shell\n  condition: sel and not not_this";

    PLACEHOLDER "E0812" "a placeholder of which nothing is known",
        "With `expand`, `%name%` stands for values that a pipeline gives. A rule whose placeholders are not known cannot run.",
        wrong "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    user|expand: '%administrators%'\n  condition: sel",
        right "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    user:\n      - root\n      - admin\n  condition: sel";

    DUPLICATE_RULE "E0813" "two rules have one id or name",
        "An id or a name means one rule over all files of a rule set, so that correlations and filters can refer to it.",
        wrong "title: Shell\nname: shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n  condition: sel\n---\ntitle: Bash\nname: shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: bash\n  condition: sel",
        right "title: Shell\nname: shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n  condition: sel\n---\ntitle: Bash\nname: bash\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: bash\n  condition: sel";

    UNKNOWN_KEY_HINT "W0801" "a key looks misspelt",
        "Sigma documents may have keys of their own at the top level, which are not read. This one is nearly a key of Sigma.",
        wrong "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n  condition: sel\nfalsepositive:\n  - Administrators",
        right "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n  condition: sel\nfalsepositives:\n  - Administrators";

    UNUSED_SELECTION "W0802" "a selection that the condition does not ask for",
        "What is written in the selection has no effect on what the rule matches.",
        wrong "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n  filter:\n    user: root\n  condition: sel",
        right "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n  filter:\n    user: root\n  condition: sel and not filter";

    UNKNOWN_FIELD_HINT "W0803" "a field looks misspelt",
        "No event needs to have a field, so a rule that asks for a misspelt one never fires. This field is one letter away from one that events of this log source have.",
        wrong "title: Shell\nlogsource:\n  product: windows\n  category: process_creation\ndetection:\n  sel:\n    ComandLine|contains: sh\n  condition: sel",
        right "title: Shell\nlogsource:\n  product: windows\n  category: process_creation\ndetection:\n  sel:\n    CommandLine|contains: sh\n  condition: sel";
}

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

    UNKNOWN_KEY_HINT "W0801" "a key looks misspelt",
        "Sigma documents may have keys of their own at the top level, which are not read. This one is nearly a key of Sigma.",
        wrong "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n  condition: sel\nfalsepositive:\n  - Administrators",
        right "title: Shell\nlogsource:\n  product: linux\ndetection:\n  sel:\n    cmd: sh\n  condition: sel\nfalsepositives:\n  - Administrators";
}

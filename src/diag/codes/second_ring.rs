//! Codes of constructs that the language has and this version does not build yet: E01xx.

use crate::diag::code::CodeInfo;

macro_rules! table {
    ($($code:literal, $title:literal, $text:literal, $wrong:literal, $right:literal;)*) => {
        /// The table, sorted by code.
        pub const CODES: &[CodeInfo] = &[$(CodeInfo {
            code: $code,
            title: concat!($title, " is not built yet"),
            explanation: concat!(
                $text, " It is part of the language but not of this version, and it is refused rather than ignored, ",
                "because a rule without it would mean something else.\n\nRefused:\n\n```text\n", $wrong,
                "\n```\n\nInstead:\n\n```text\n", $right, "\n```\n"
            ),
        }),*];
    };
}

table! {
    "E0105", "the absence of a group",
    "`no { … } within d` says that no candidate of a whole pattern completes in time.",
    "match { a: start then no { b: x then c: y } within 5m }",
    "match { a: start then no y within 5m }";


}

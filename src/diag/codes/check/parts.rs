//! E038x and E039x: bounds on parts of a pattern, `any` of sequences, absent groups, sessions.

codes! {
    PART_IS_WHOLE "E0380" "a bounded part is the whole pattern",
        "`{ … } within d` bounds a part of a pattern. A bound of the whole match follows the braces of `match`.",
        wrong "rule r {\n  by user\n  match { { a: login then b: logout } within 10m }\n}",
        right "rule r {\n  by user\n  match { a: login then b: logout } within 10m\n}";
}

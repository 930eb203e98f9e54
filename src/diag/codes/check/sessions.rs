//! E0395 to E0399: repetitions that time ends.

codes! {
    TIME_CANNOT_END "E0395" "a time cannot end this repetition",
        "`until silent 30m` and `until 5m` end a repetition at a time that follows from its events. Where it is not settled which events those are, there is no such time: beside `consecutive` and `directly`, with `pick all`, and with a key that is handed over. A single step with `until 5m` takes no `within`.",
        wrong "rule r {\n  by user\n  match { a: at least 3 of click until 5m } within 10m\n}",
        right "rule r {\n  by user\n  match { a: at least 3 of click until 5m }\n}";
}

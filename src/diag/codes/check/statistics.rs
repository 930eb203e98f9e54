//! E035x: running statistics and sliding counts.

codes! {
    STATISTIC_OPTION "E0350" "an option of a running statistic does not fit",
        "A statistic takes a value, how much of the past it looks at, and a least number of values: `mean(x, 24h, 20)`, `mean(x, ever)`, `ewma(x, 0.1)`, `rate(x, 5m)`, `prior(x, 2)`; then `where` and `by`, over the earlier event. An option that changes nothing is refused too.",
        wrong "rule r {\n  by user\n  match { a: login where bytes > 3 * ewma(bytes, 10) }\n}",
        right "rule r {\n  by user\n  match { a: login where bytes > 3 * ewma(bytes, 0.1) }\n}";

    PARTIAL_STATISTIC_KEY "E0351" "a statistic's key leaves out a part of the rule's key",
        "With a `by` that leaves out a part of the rule's key a statistic is over events of several keys of the rule, so all of them share one state. A sliding count has one window for each key, and contiguity is between the events of one key.",
        wrong "rule r {\n  by user, host\n  match { a: at least 5 of failure where bytes > mean(bytes, 1h by user) } within 5m\n}",
        right "rule r {\n  by user, host\n  match { a: at least 5 of failure where bytes > mean(bytes, 1h by user, host, port) } within 5m\n}";

    NOT_SLIDING "E0352" "a clause needs a sliding count",
        "A sliding count is a pattern of one repeated step with `within` and without `until`: it is looked at on each event. `within 100 events` and `having C for 10m` have a meaning there only.",
        wrong "rule r {\n  by user\n  match { a: login then b: logout } within 100 events\n}",
        right "rule r {\n  by user\n  match { a: at least 5 of login } within 100 events\n}";

    TOO_FEW_EVENTS "E0353" "a sliding count over a number of events that it never reaches",
        "Of the last N events of the class no more than N can qualify.",
        wrong "rule r {\n  by user\n  match { a: at least 5 of login where ok == false } within 4 events\n}",
        right "rule r {\n  by user\n  match { a: at least 5 of login where ok == false } within 20 events\n}";
}

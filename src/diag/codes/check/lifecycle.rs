//! E036x: what becomes of an alert, and what comes without an event: clocks, expected keys.

codes! {
    RESOLVE_WHEN_WITHOUT_COUNT "E0360" "`resolve when` on a rule that is no sliding count",
        "`resolve when` is looked at with every event that is added to a window. Other patterns are looked at once, when they complete; what ends the trouble is an event there.",
        wrong "rule r {\n  by host\n  match { a: failure then b: failure } within 1h\n  resolve when count(a) == 0\n}",
        right "rule r {\n  by host\n  match { a: failure then b: failure } within 1h\n  resolve on success\n}";

    REPEAT_WITHOUT_ABSENCE "E0361" "`repeat every` on a rule that does not end in an absence",
        "An alert is said again while an absence lasts. A match that ends with an event does not last.",
        wrong "rule r {\n  by host\n  match { a: failure then b: failure } within 1h\n  repeat every 5m\n}",
        right "rule r {\n  by host\n  match { a: beat then no beat within 5m }\n  repeat every 5m\n}";

    REPEAT_HANDED_OVER "E0362" "`repeat every` on a rule whose key is handed over",
        "What ends the repetition is found by the key of the alert. Where the key changes from step to step, the absent events may have another one.",
        wrong "rule r {\n  match { a: login by user = user\n    then b: session by user = user, host = host\n    then no beat by host = host within 5m } within 10m\n  repeat every 5m\n}",
        right "rule r {\n  match { a: login by user = user\n    then b: session by user = user, host = host\n    then no beat by host = host within 5m } within 10m\n}";

    OPEN_WITHOUT_RESOLVE "E0363" "`unless open` on a rule whose alerts are never resolved",
        "An alert is open until it is resolved. Without `resolve` the first alert would hold the step back for ever.",
        wrong "rule maintenance {\n  by host\n  match { m: work_begins }\n}\nrule r {\n  by host\n  match { e: error unless open alert.maintenance }\n}",
        right "rule maintenance {\n  by host\n  match { m: work_begins }\n  resolve on work_ends\n}\nrule r {\n  by host\n  match { e: error unless open alert.maintenance }\n}";

    OPEN_KEY "E0364" "`unless open` where the step lacks a part of the other rule's key",
        "The open alert is found by its key, so the step must have each component of it, under the same name.",
        wrong "rule maintenance {\n  by host\n  match { m: work_begins }\n  resolve on work_ends\n}\nrule r {\n  by user\n  match { e: error unless open alert.maintenance }\n}",
        right "rule maintenance {\n  by host\n  match { m: work_begins }\n  resolve on work_ends\n}\nrule r {\n  by user, host\n  match { e: error unless open alert.maintenance }\n}";

    OPEN_NO_ALERT "E0365" "`unless open` takes the alerts of a rule",
        "Only alerts are open and closed. For events there is `unless X in last d`.",
        wrong "rule r {\n  by host\n  match { e: error unless open work_begins }\n}",
        right "rule r {\n  by host\n  match { e: error unless work_begins in last 1h }\n}";

    CLOCK_TIME "E0366" "a clock cannot tick at this time",
        "`daily` and `weekdays` take a time of day, `weekly` a day of the week before it. Zones are named as in the IANA database.",
        wrong "clock six = daily \"6 o'clock\"\nrule r {\n  match { t: six }\n}",
        right "clock six = daily \"06:00\" \"Europe/Berlin\"\nrule r {\n  match { t: six }\n}";

    CLOCK_KEY "E0367" "a clock where a key is needed",
        "A tick has no fields, so it has no key. In a rule with a key it goes to each key that has begun, or with `expect` to each that is expected.",
        wrong "clock six = daily \"06:00\"\nrule r {\n  by host\n  match { t: six then no beat within 1h }\n}",
        right "clock six = daily \"06:00\"\nrule r {\n  match { t: six then no beat within 1h }\n}";

    CLOCK_PLACE "E0368" "a clock that should end an alert",
        "What ends an open alert is an event or an alert.",
        wrong "clock six = daily \"06:00\"\nrule r {\n  by host\n  match { f: failure }\n  resolve on six\n}",
        right "rule r {\n  by host\n  match { f: failure }\n  resolve on success\n}";

    EXPECT_FIRST "E0369" "`expect` before a first step that binds more than one event",
        "`expect` begins each key as if its first step had happened once.",
        wrong "rule r {\n  match { a: at least 3 of login then no logout within 5m } within 1h\n  expect start\n}",
        right "rule r {\n  match { a: login then no logout within 5m }\n  expect start\n}";

    EXPECT_KEY "E0370" "`expect` and the key of the rule do not fit",
        "`expect` names the fields of the rule's `by`, and the table has a key column for each. A rule without a key says `expect start`.",
        wrong "rule r {\n  by host\n  match { a: login then no logout within 5m }\n  expect start\n}",
        right "rule r {\n  match { a: login then no logout within 5m }\n  expect start\n}";
}

//! E027x: functions of time zones, of whole events and of list elements.

codes! {
    UNKNOWN_ZONE "E0270" "there is no such time zone",
        "Time zones have the names of the IANA data base, such as `Europe/Berlin`. They know about summer time; abbreviations such as `CET` for part of a year do not.",
        wrong "rule r {\n  match { a: login where hour(@ts, \"Europe/Berlim\") < 6 }\n}",
        right "rule r {\n  match { a: login where hour(@ts, \"Europe/Berlin\") < 6 }\n}";

    ELEMENT_NAME "E0271" "the name of an element is taken",
        "In `some(xs as x where …)` the name stands for an element. It must differ from the rule's steps, from `let` names, and from other elements around it.",
        wrong "rule r {\n  match { item: order where some(items as item where item.price > 100) then b: payment } within 1h\n}",
        right "rule r {\n  match { a: order where some(items as item where item.price > 100) then b: payment } within 1h\n}";

    REGEX_AS_VALUE "E0272" "a regular expression is not a value",
        "A regular expression stands after `=~`, and as the second argument of `extract`.",
        wrong "rule r {\n  match { a: login where contains(user, /adm/) }\n}",
        right "rule r {\n  match { a: login where user =~ /adm/ }\n}";

    WRONG_PERCENTILE "E0273" "a percentile is not from 0 to 100",
        "`percentile(a.f, 95)` is the value that 95 % of the values do not exceed. Which one is meant is fixed when the rule is compiled.",
        wrong "rule r {\n  by host\n  match { a: at least 3 of request } within 5m\n  having percentile(a.latency, 950) > 2\n}",
        right "rule r {\n  by host\n  match { a: at least 3 of request } within 5m\n  having percentile(a.latency, 95) > 2\n}";

    WRONG_NTH "E0274" "`nth` asks for an event that cannot be",
        "`nth(a, 1)` is the oldest event that a step bound. The number is written out, and no greater than what the step may bind.",
        wrong "rule r {\n  by user\n  match { a: exactly 3 of login then b: logout } within 5m\n  alert { host = nth(a, 4).host }\n}",
        right "rule r {\n  by user\n  match { a: exactly 3 of login then b: logout } within 5m\n  alert { host = nth(a, 2).host }\n}";

    EACH_OUT_OF_PLACE "E0275" "`each` stands outside a key",
        "`each(tags)` in a `by` gives an event one key for every different element of a list. It is no function of other expressions.",
        wrong "rule r {\n  match { a: login where each(tags) == \"vip\" }\n}",
        right "rule r {\n  match { a: login where some(tags as tag where tag == \"vip\") }\n}";

    EACH_IN_PARTS "E0276" "`each` in a rule without one key",
        "With `each` an event belongs to several keys, and takes part in the rule for each of them as if for that key alone. So all steps and guards have the same components.",
        wrong "rule r {\n  match { a: login by tag = each(tags) then b: logout by tag = tag, user = user } within 1h\n}",
        right "rule r {\n  match { a: login by tag = each(tags) then b: logout by tag = tag } within 1h\n}";
}

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
}

//! W05xx: rules that run, but perhaps not as meant.

codes! {
    UNBOUNDED "W0501" "a pattern has no bound in time",
        "Without `within` every first event stays open until it matches, and events of any age are combined.",
        wrong "rule r {\n  by user\n  match { a: login then b: logout }\n}",
        right "rule r {\n  by user\n  match { a: login then b: logout } within 8h\n}";

    PICK_ALL_UNBOUNDED "W0502" "`pick all` without `within`",
        "`pick all` reports every combination of events. Only a bound in time keeps their number small.",
        wrong "rule r {\n  by user\n  match { a: login then within 1h b: logout }\n  pick all\n}",
        right "rule r {\n  by user\n  match { a: login then b: logout } within 1h\n  pick all\n}";

    DEAD_BOUND "W0503" "a gap bound is larger than the bound of the whole match",
        "The whole match ends earlier, so the bound of the gap never acts.",
        wrong "rule r {\n  by user\n  match { a: login then within 1h b: logout } within 10m\n}",
        right "rule r {\n  by user\n  match { a: login then within 5m b: logout then c: login } within 10m\n}";

    AMBIGUOUS_ANY "W0504" "a member of `any` is never bound",
        "If one event fits several members, the one that is written first binds it.",
        wrong "rule r {\n  by user\n  match { any { a: login  b: login where user == \"root\" } then c: logout } within 1h\n}",
        right "rule r {\n  by user\n  match { any { b: login where user == \"root\"  a: login } then c: logout } within 1h\n}";

    CONTRADICTION "W0505" "two conditions exclude each other",
        "No single value meets both. Only an array field could, each by an element of its own.",
        wrong "rule r {\n  match { a: sale where amount > 500 and amount < 300 }\n}",
        right "rule r {\n  match { a: sale where amount > 300 and amount < 500 }\n}";

    SKIPS_MISSING "W0506" "a negation skips events that lack the field",
        "A comparison with a missing field is missing, `not` of it too, and a condition must be true to pass. So `user != \"root\"` skips events without a user.",
        wrong "rule r {\n  match { a: login where user != \"root\" }\n}",
        right "rule r {\n  match { a: login where (user ?? \"\") != \"root\" }\n}";

    STEP_HIDES_FIELD "W0507" "a step's name hides a field",
        "In conditions a path that begins with a step's name is a field of that step.",
        wrong "rule r {\n  by user.name\n  match { user: login then b: logout } within 1h\n}",
        right "rule r {\n  by user.name\n  match { a: login then b: logout } within 1h\n}";

    UNDECLARED_CLASS "W0508" "an event class is probably misspelt",
        "A class that is never declared means every event whose type field has this value, so a slip of the pen is not an error.",
        wrong "event failed_login = outcome == \"failure\"\nrule r {\n  match { a: failed_logn }\n}",
        right "event failed_login = outcome == \"failure\"\nrule r {\n  match { a: failed_login }\n}";

    GROUP_WITHOUT_EFFECT "W0509" "braces change nothing",
        "A group without a quantifier, or `all` and `any` with one member, is what it holds.",
        wrong "rule r {\n  by user\n  match { { a: login then b: badge } then c: logout } within 1h\n}",
        right "rule r {\n  by user\n  match { a: login then b: badge then c: logout } within 1h\n}";

    AT_LEAST_ONE "W0510" "`at least 1`",
        "A repeated step binds every event that qualifies. If one event is meant, leave the count out.",
        wrong "rule r {\n  by user\n  match { a: at least 1 of login then b: logout } within 1h\n}",
        right "rule r {\n  by user\n  match { a: one or more of login then b: logout } within 1h\n}";

    CLASS_AS_FIELD "W0511" "an event class is read as a field",
        "In a condition a name is a field of the event. Event classes stand where a step names its events.",
        wrong "event failed = outcome == \"failure\"\nevent failed_root = failed and user == \"root\"",
        right "let is_failed = outcome == \"failure\"\nevent failed = is_failed\nevent failed_root = is_failed and user == \"root\"";

    MATCHES_EVERYTHING "W0512" "a pattern matches every text",
        "`=~` searches, so an expression that can match nothing is found everywhere; `*` is any run of characters.",
        wrong "rule r {\n  match { a: login where user =~ /x*/ }\n}",
        right "rule r {\n  match { a: login where user =~ /^x+$/ }\n}";

    SUSPICIOUS_PATTERN "W0513" "a wildcard or regular expression where it is none",
        "`==` compares whole texts, `like` takes the wildcards `*` and `?`, and `=~` takes regular expressions.",
        wrong "rule r {\n  match { a: process where name == \"*.exe\" }\n}",
        right "rule r {\n  match { a: process where name like \"*.exe\" }\n}";

    NETWORK_HOST_BITS "W0514" "a network has bits behind its prefix",
        "Only the bits of the prefix count, the others are ignored.",
        wrong "rule r {\n  match { a: login where cidr(source.ip, \"10.1.2.3/8\") }\n}",
        right "rule r {\n  match { a: login where cidr(source.ip, \"10.0.0.0/8\") }\n}";

    SILENT_RULE "W0515" "a rule builds on one that gives no alerts",
        "A rule in shadow, or one that is switched off, feeds no other rule.",
        wrong "rule a {\n  shadow\n  match { x: login }\n}\nrule b {\n  match { x: alert.a }\n}",
        right "rule a {\n  match { x: login }\n}\nrule b {\n  match { x: alert.a }\n}";

    MISSPELT_STEP "W0516" "a path is probably a misspelt step",
        "A path whose first part is no step is a field of the event.",
        wrong "rule r {\n  by user\n  match { login: login then b: logout where host == logn.host } within 1h\n}",
        right "rule r {\n  by user\n  match { login: login then b: logout where host == login.host } within 1h\n}";

    TEST_NOT_OF_CLASS "W0517" "an event of a test is not of its class",
        "A test fills in the fields that a class compares with `==` or `in`. Other fields the class needs must be written.",
        wrong "event big = amount > 1000\nrule r {\n  match { a: big }\n}\ntest r {\n  0s big { user: \"x\" }\n  expect no alert\n}",
        right "event big = amount > 1000\nrule r {\n  match { a: big }\n}\ntest r {\n  0s big { amount: 2000 }\n  expect alert\n}";

    ALERT_WITHOUT_KEY "W0518" "alerts as events lack the key that they are found by",
        "An alert as an event has the parts of its key under `key`. Where this rule's key is read from a field that the alerts do not have, no alert belongs to any key.",
        wrong "rule up {\n  by host\n  match { u: at least 3 of online } within 1m\n}\nrule down {\n  by host\n  match { d: offline }\n  resolve on alert.up\n}",
        right "rule up {\n  by host\n  match { u: at least 3 of online } within 1m\n}\nrule down {\n  by host\n  match { d: offline }\n  resolve on alert.up by host = key.host\n}";

    UNREAD_INTERNAL "W0520" "no rule reads an internal rule",
        "An internal rule never notifies. It is there for rules that build on its alerts, and none does.",
        wrong "rule a {\n  internal\n  match { x: login }\n}",
        right "rule a {\n  internal\n  match { x: login }\n}\nrule b {\n  match { y: at least 3 of alert.a } within 1h\n}";
}

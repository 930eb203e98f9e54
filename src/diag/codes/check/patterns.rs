//! E03xx: patterns, bounds and clauses.

codes! {
    NO_MATCH "E0301" "a rule has no `match`",
        "`match` says what a rule looks for.",
        wrong "rule r {\n  severity high\n}",
        right "rule r {\n  severity high\n  match { a: login }\n}";

    DUPLICATE_CLAUSE "E0302" "a clause is given twice",
        "Every clause acts, so each can be given once. Lists and conditions are joined in one clause.",
        wrong "rule r {\n  match { a: login }\n  having a.x > 1\n  having a.y > 1\n}",
        right "rule r {\n  match { a: login }\n  having a.x > 1 and a.y > 1\n}";

    NOT_A_DURATION "E0303" "a constant duration is needed",
        "Some bounds in time must be known when the rule is compiled: those of `after`, `suppress`, `repeat every`, of repeated groups and of sliding counts. `90s`, `1h30m`, `7 * 24h` are.",
        wrong "let window = 10\nrule r {\n  match { a: login then b: logout } within window\n}",
        right "let window = 10m\nrule r {\n  match { a: login then b: logout } within window\n}";

    NOT_POSITIVE "E0304" "a duration or window is not above zero",
        "A bound of no time at all, or of no events, has no effect or can never be met.",
        wrong "rule r {\n  match { a: login }\n  suppress 0s\n}",
        right "rule r {\n  match { a: login }\n  suppress 10m\n}";

    AFTER_PAST_WITHIN "E0305" "a gap has its least length above its greatest",
        "`then after A within B` asks for a gap of at least A and at most B.",
        wrong "rule r {\n  match { a: login then after 5m within 1m b: logout }\n}",
        right "rule r {\n  match { a: login then after 1m within 5m b: logout }\n}";

    NEVER_MATCHES "E0306" "the gaps take longer than the whole match may",
        "The least gaps and the absences between steps add up. Together they must fit into `within`.",
        wrong "rule r {\n  match { a: login then after 5m b: logout then no login within 5m then c: login } within 10m\n}",
        right "rule r {\n  match { a: login then after 5m b: logout then no login within 5m then c: login } within 15m\n}";

    GAP_INSIDE_ABSENCE "E0307" "a step must come before the absence in front of it is over",
        "A step after `no X within d` comes after that deadline. Its own `within` is measured from the same event.",
        wrong "rule r {\n  match { a: login then no logout within 10m then within 5m b: login }\n}",
        right "rule r {\n  match { a: login then no logout within 10m then within 15m b: login }\n}";

    WRONG_COUNT "E0308" "a count cannot be",
        "A count is a number from 1 on, or a range from a smaller to a larger number. Nothing at all is an absence.",
        wrong "rule r {\n  by user\n  match { a: 5..3 of login then b: logout } within 1h\n}",
        right "rule r {\n  by user\n  match { a: 3..5 of login then b: logout } within 1h\n}";

    TOO_MANY_STEPS "E0309" "a rule has too many parts",
        "Steps, guards and statistics of one rule are limited, so that its state stays small.",
        wrong "rule r {\n  match { a: login where count(x, 1s) > 0 and count(x, 2s) > 0 and count(x, 3s) > 0 and count(x, 4s) > 0 and count(x, 5s) > 0 and count(x, 6s) > 0 and count(x, 7s) > 0 and count(x, 8s) > 0 and count(x, 9s) > 0 and count(x, 10s) > 0 and count(x, 11s) > 0 and count(x, 12s) > 0 and count(x, 13s) > 0 and count(x, 14s) > 0 and count(x, 15s) > 0 and count(x, 16s) > 0 and count(x, 17s) > 0 and count(x, 18s) > 0 and count(x, 19s) > 0 and count(x, 20s) > 0 and count(x, 21s) > 0 and count(x, 22s) > 0 and count(x, 23s) > 0 and count(x, 24s) > 0 and count(x, 25s) > 0 and count(x, 26s) > 0 and count(x, 27s) > 0 and count(x, 28s) > 0 and count(x, 29s) > 0 and count(x, 30s) > 0 and count(x, 31s) > 0 and count(x, 32s) > 0 and count(x, 33s) > 0 and count(x, 34s) > 0 and count(x, 35s) > 0 and count(x, 36s) > 0 and count(x, 37s) > 0 and count(x, 38s) > 0 and count(x, 39s) > 0 and count(x, 40s) > 0 and count(x, 41s) > 0 and count(x, 42s) > 0 and count(x, 43s) > 0 and count(x, 44s) > 0 and count(x, 45s) > 0 and count(x, 46s) > 0 and count(x, 47s) > 0 and count(x, 48s) > 0 and count(x, 49s) > 0 and count(x, 50s) > 0 and count(x, 51s) > 0 and count(x, 52s) > 0 and count(x, 53s) > 0 and count(x, 54s) > 0 and count(x, 55s) > 0 and count(x, 56s) > 0 and count(x, 57s) > 0 and count(x, 58s) > 0 and count(x, 59s) > 0 and count(x, 61s) > 0 and count(x, 62s) > 0 and count(x, 63s) > 0 and count(x, 64s) > 0 and count(x, 65s) > 0 }\n}",
        right "rule r {\n  match { a: login where count(x, 1m) > 0 }\n}";

    BEGINS_WITH_ABSENCE "E0310" "a pattern begins with an absence",
        "An absence runs from an event to a deadline, so a step comes first. Looking back is a guard of the step: `unless X in last 5m`.",
        wrong "rule r {\n  by user\n  match { no login within 5m then b: logout }\n}",
        right "rule r {\n  by user\n  match { b: logout unless login in last 5m }\n}";

    BOUND_BEFORE_ABSENCE "E0311" "a gap is bounded before an absence",
        "`directly`, `next`, `after` and `within` after `then` speak of the next step's event, and an absence has none. Its own length follows it.",
        wrong "rule r {\n  by user\n  match { a: login then within 5m no logout }\n}",
        right "rule r {\n  by user\n  match { a: login then no logout within 5m }\n}";

    ENDLESS_ABSENCE "E0312" "an absence at the end has no `within`",
        "An absence is decided at its deadline. Without one it would never be.",
        wrong "rule r {\n  by user\n  match { a: login then no logout }\n}",
        right "rule r {\n  by user\n  match { a: login then no logout within 8h }\n}";

    LAST_MAY_BE_EMPTY "E0313" "the last step may bind nothing",
        "A match completes as soon as its last step is satisfied. One that is satisfied by nothing never waits for an event.",
        wrong "rule r {\n  by user\n  match { a: login then b: optional logout } within 1h\n}",
        right "rule r {\n  by user\n  match { a: login then b: logout } within 1h\n}";

    MAY_BIND_NOTHING "E0314" "a pattern may bind no event",
        "An absence at the end runs from the last bound event. If every step may bind nothing there is none.",
        wrong "rule r {\n  by user\n  match { a: optional login then no logout within 1h }\n}",
        right "rule r {\n  by user\n  match { a: login then no logout within 1h }\n}";

    WITHOUT_ON_FIRST "E0315" "`without` on the first step",
        "`Y without X` looks between the step before and Y. The first step has none before; `unless X in last d` looks back from the event itself.",
        wrong "rule r {\n  by user\n  match { a: login without logout then b: login } within 1h\n}",
        right "rule r {\n  by user\n  match { a: login unless logout in last 1h then b: login } within 1h\n}";

    NO_EFFECT "E0316" "this has no effect",
        "Every clause that parses acts. One that cannot change anything is probably meant otherwise.",
        wrong "rule r {\n  match { a: login }\n  pick first\n}",
        right "rule r {\n  match { a: login }\n}";

    WITHIN_WITHOUT_EFFECT "E0317" "`within` on a single step",
        "`within` bounds the time from the first to the last bound event. One event spans no time.",
        wrong "rule r {\n  by user\n  match { a: login where outcome == \"failure\" } within 5m\n}",
        right "rule r {\n  by user\n  match { a: at least 5 of login where outcome == \"failure\" } within 5m\n}";

    EMPTY_ALERT "E0318" "an `alert` block is empty",
        "An alert names its rule, key, time and events by itself; the block adds values.",
        wrong "rule r {\n  match { a: login }\n  alert { }\n}",
        right "rule r {\n  match { a: login }\n  alert { who = a.user }\n}";

    UNTIL_WITHOUT_REPETITION "E0319" "`until` on a step that is not repeated",
        "`until U` ends the repetition of a step at U.",
        wrong "rule r {\n  by user\n  match { a: login then b: click until logout } within 1h\n}",
        right "rule r {\n  by user\n  match { a: login then b: one or more of click until logout } within 1h\n}";

    MEMBER_NOT_SINGLE "E0320" "a member of `all` or `any` is repeated",
        "Members bind one event each; repeated members are not built yet.",
        wrong "rule r {\n  by user\n  match { all { a: at least 3 of login  b: badge } } within 1h\n}",
        right "rule r {\n  by user\n  match { all { a: login  b: badge } then c: at least 3 of login } within 1h\n}";

    GROUP_TOO_RICH "E0321" "a repeated group holds more than single steps",
        "A repeated group is single steps joined by `then`, with bounds and `directly`. More is not built yet.",
        wrong "rule r {\n  by user\n  match { at least 3 of { a: login then no badge within 1m then b: logout } } within 1h\n}",
        right "rule r {\n  by user\n  match { at least 3 of { a: login then b: logout } } within 1h\n}";

    WRONG_NEXT "E0322" "`next` before something else than a single step",
        "`then next X` means: X, and no other such X in between. It takes a step that binds one event.",
        wrong "rule r {\n  by user\n  match { a: login then next b: at least 2 of click } within 1h\n}",
        right "rule r {\n  by user\n  match { a: login then next b: click } within 1h\n}";

    NEVER_BINDS "E0323" "a step can never bind an event",
        "What a step asks for is excluded by its own guards or by its `until`.",
        wrong "rule r {\n  by user\n  match { a: login then b: one or more of click until click then c: logout } within 1h\n}",
        right "rule r {\n  by user\n  match { a: login then b: one or more of click until click where last == true then c: logout } within 1h\n}";

    WITHOUT_IN_GROUP "E0324" "`without` at a member of `all` or `any`",
        "Members of `all` come in any order, so there is no \"between\" for one of them: `without` after the braces covers the whole span.",
        wrong "rule r {\n  by user\n  match { all { a: login without logout  b: badge } } within 1h\n}",
        right "rule r {\n  by user\n  match { all { a: login  b: badge } without logout } within 1h\n}";

    ABSENCE_BEFORE_GROUP "E0325" "an absence without `within` is not followed by a step",
        "`no X` without `within` lasts until the next step's event, so a step must follow it in the same braces.",
        wrong "rule r {\n  by user\n  match { a: login then no logout then all { b: badge  c: click } } within 1h\n}",
        right "rule r {\n  by user\n  match { a: login then all { b: badge  c: click } without logout } within 1h\n}";

    PARTIAL_GUARD_KEY "E0326" "a guard's key leaves out a part of the rule's key",
        "A sliding count has one window for each key, and contiguity is between the events of one key. A guard there agrees on the whole key.",
        wrong "rule r {\n  by user, host\n  match { a: at least 5 of failure without login by user } within 5m\n}",
        right "rule r {\n  by user, host\n  match { a: at least 5 of failure without login } within 5m\n}";

    SKIP_TO_UNKNOWN "E0340" "`after match skip to` names no step",
        "After a match, `skip to first a` and `skip to last a` let the search go on at an event that the step `a` bound: nothing before it is bound again.",
        wrong "rule r {\n  match { a: login then b: download } within 1h\n  after match skip to last c\n}",
        right "rule r {\n  match { a: login then b: download } within 1h\n  after match skip to last b\n}";

    NOT_A_TIME "E0341" "`until` after an absence is not a time",
        "`no X until T` lasts until the time T, an expression over the events bound before and tables. A length of time stands after `within`.",
        wrong "rule r {\n  match { a: payment then no shipment until 48h }\n}",
        right "rule r {\n  match { a: payment then no shipment until a.@ts + 48h }\n}";

    COMPUTED_REACH "E0342" "a computed bound over a repeated first step",
        "A bound of the whole match, or of the part that a pattern begins with, decides how far a repeated first step reaches back, and what a sliding count holds. It must be known before the events are: a constant.",
        wrong "rule r {\n  match { a: at least 3 of error then b: crash } within b.minutes * 1m\n}",
        right "rule r {\n  match { a: at least 3 of error then b: crash } within 1h\n  having b.@ts - first(a).@ts <= b.minutes * 1m\n}";

    PENDING_SHAPE "E0343" "`pick pending` on more than a sequence of single steps",
        "`pick pending` keeps one pending match per step and key, as EQL does: an event moves the match of the step before, over what was there. So it takes single steps under one key, absences between them and at the end, and neither repetitions, groups nor `after match`.",
        wrong "rule r {\n  by user\n  match { a: at least 3 of login then b: download } within 1h\n  pick pending\n}",
        right "rule r {\n  by user\n  match { a: login then b: download } within 1h\n  pick pending\n}";

    NAMED_LOOK_BACK "E0344" "a name for what is looked back at cannot stand here",
        "`Y if q: X in last d` names the newest such X. It needs one kind of event that must be there, and a step that looks back once for each match.",
        wrong "rule r {\n  by symbol\n  match { t: trade where price > q.ask unless q: quote in last 5s }\n}",
        right "rule r {\n  by symbol\n  match { t: trade where price > q.ask if q: quote in last 5s }\n}";

    FOUND_OUT_OF_SCOPE "E0345" "what is looked back at is read where it is not known",
        "The name that `Y if q: X in last d` gives can be read in Y's own `where` and by what comes after Y. A repeated step looks back for each of its events, so there only its own `where` can read it.",
        wrong "rule r {\n  by symbol\n  match { o: order where price > q.ask then t: trade if q: quote in last 5s } within 1m\n}",
        right "rule r {\n  by symbol\n  match { o: order then t: trade where price > q.ask if q: quote in last 5s } within 1m\n}";
}

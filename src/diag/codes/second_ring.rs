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
    "E0101", "`clock`",
    "`clock` declares an event class that ticks at fixed times.",
    "clock six = daily \"06:00\" \"Europe/Berlin\"",
    "event six = event.kind == \"tick\"   // events from a scheduler";

    "E0102", "an absence `until` a time",
    "`no X until T` is an absence that lasts until a computed time.",
    "match { a: order then no shipment until workday(a.@ts, 1) }",
    "match { a: order then no shipment within 24h }";

    "E0103", "a computed bound",
    "A bound may depend on the bound events or on a table.",
    "match { a: order then b: shipment } within @sla[a.class].hours * 1h",
    "match { a: order then b: shipment } within 48h";

    "E0104", "`fewer than N of`",
    "`fewer than N of X within d` is an absence that tolerates some events.",
    "match { a: start then fewer than 3 of beat within 5m }",
    "match { a: start then no beat within 5m }";

    "E0105", "the absence of a group",
    "`no { … } within d` says that no candidate of a whole pattern completes in time.",
    "match { a: start then no { b: x then c: y } within 5m }",
    "match { a: start then no y within 5m }";

    "E0106", "`within` on a part of the pattern",
    "A group in a pattern may carry a bound of its own.",
    "match { { a: x then b: y } within 5m then c: z } within 1h",
    "match { a: x then within 5m b: y then c: z } within 1h";

    "E0107", "`any` of sequences",
    "The members of `any` may be sequences, of which one has to match.",
    "match { any { a: x then b: y  c: z } }",
    "match { any { a: x  c: z } }";

    "E0108", "`until` a silence or a duration",
    "A repetition may end when no event came for some time, or some time after its first event.",
    "match { a: one or more of click until silent 30m }",
    "match { a: one or more of click until logout }";

    "E0109", "`within` a number of events",
    "A bound may count events of the class and key instead of time.",
    "match { a: at least 3 of error } within 100 events",
    "match { a: at least 3 of error } within 5m";

    "E0110", "`having … for` a duration",
    "`having C for d` on a sliding count asks that the condition hold at every look for that long.",
    "having avg(a.load) > 90 for 10m",
    "having avg(a.load) > 90";

    "E0111", "a named guard",
    "`if q: X in last d` names the newest such event, so that other conditions can read it.",
    "a: trade if q: quote in last 1m",
    "match { q: quote then within 1m a: trade }";

    "E0112", "`unless open alert`",
    "`unless open alert.r` holds while another rule has no open alert for the key.",
    "a: error unless open alert.maintenance",
    "a: error unless alert.maintenance in last 1h";

    "E0113", "`resolve`",
    "`resolve on X` and `resolve when C` close an alert when the trouble is over.",
    "resolve on host_up",
    "suppress 1h";

    "E0114", "`repeat every`",
    "`repeat every d` alerts again while an absence lasts.",
    "repeat every 5m",
    "match { a: beat then no beat within 5m }";

    "E0116", "`expect`",
    "`expect` makes a rule watch for keys that were never seen, or from the start of the input.",
    "expect device.id from @devices",
    "match { a: beat then no beat within 5m }";

    "E0118", "`pick pending`",
    "`pick pending` keeps one pending match for each step and key, which a newer one overwrites.",
    "pick pending",
    "pick latest";

    "E0119", "`prior`",
    "`prior(x)` reads x of the previous event of the class and key, whether it was bound or not.",
    "where price < prior(price)",
    "where price < prev.price";

    "E0120", "`ewma` or `rate`",
    "`ewma` and `rate` are running statistics over earlier events.",
    "where load > ewma(load, 0.1) * 2",
    "where load > mean(load, 1h) * 2";

    "E0121", "an option of a statistic",
    "A running statistic may ask for a least number of values, have a condition or a key of its own, or look at all \
     earlier events with `ever`.",
    "where zscore(load, 24h, 20) > 3",
    "where zscore(load, 24h) > 3";
}

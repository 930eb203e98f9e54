//! E038x and E039x: bounds on parts of a pattern, `any` of sequences, absent groups, sessions.

codes! {
    PART_IS_WHOLE "E0380" "a bounded part is the whole pattern",
        "`{ … } within d` bounds a part of a pattern. A bound of the whole match follows the braces of `match`.",
        wrong "rule r {\n  by user\n  match { { a: login then b: logout } within 10m }\n}",
        right "rule r {\n  by user\n  match { a: login then b: logout } within 10m\n}";

    TOO_MANY_WAYS "E0381" "too many ways through a pattern",
        "`any` of sequences gives a way through the pattern for each member, and several of them multiply. Each way is searched for.",
        wrong "rule r {\n  by user\n  match {\n    any { a: x then b: y  c: z }\n    then any { d: x then e: y  f: z }\n    then any { g: x then h: y  i: z }\n    then any { j: x then k: y  l: z }\n    then any { m: x then n: y  o: z }\n    then any { p: x then q: y  s: z }\n    then any { t: x then u: y  v: z }\n  } within 1h\n}",
        right "rule r {\n  by user\n  match {\n    any { a: x then b: y  c: z }\n    then any { d: x then e: y  f: z }\n  } within 1h\n}";

    CHOICE_HANDED_OVER "E0382" "`any` of sequences where the key changes",
        "Which keys a later step may rely on would depend on the member that matched.",
        wrong "rule r {\n  match { any { a: x by user then b: y by user, host  c: z by user } then d: x by user } within 1h\n}",
        right "rule r {\n  by user\n  match { any { a: x then b: y  c: z } then d: x } within 1h\n}";

    CHOICE_TOO_RICH "E0383" "`any` of sequences beside what does not go with it",
        "A pattern with `any` of sequences is searched for on each way through it. A repeated group in a member, a computed deadline, a time that ends a repetition, and `repeat every` are not built for that yet.",
        wrong "rule r {\n  by user\n  match { a: w then any { b: x then at least 2 of { c: y then d: z }  e: z } } within 1h\n}",
        right "rule r {\n  by user\n  match { a: w then any { b: x then c: at least 2 of y  e: z } } within 1h\n}";

    ABSENT_OUT_OF_SCOPE "E0384" "a name inside an absence is read where it means nothing",
        "What must not come binds nothing: names inside `no { … }` are read by the steps behind them inside the braces.",
        wrong "rule r {\n  by user\n  match { a: x then no { b: y then c: z } within 5m then d: w where v == b.v } within 1h\n}",
        right "rule r {\n  by user\n  match { a: x then no { b: y then c: z where v == b.v } within 5m then d: w } within 1h\n}";

    ABSENT_GROUP "E0385" "the absence of a group beside what does not go with it",
        "`no { … }` needs a deadline. `repeat every` cannot say how long it lasts, and `directly` inside needs one key for all steps.",
        wrong "rule r {\n  by user\n  match { a: x then no { b: y then c: z } within 5m }\n  repeat every 5m\n}",
        right "rule r {\n  by user\n  match { a: x then no { b: y then c: z } within 5m }\n}";
}

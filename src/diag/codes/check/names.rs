//! E02xx: names, types, scopes, keys and tests.

codes! {
    DUPLICATE_DECLARATION "E0201" "a name is declared twice",
        "Rules, event classes, `let`s and tables are known by their names over all files of a rule set, so each name can be declared once.",
        wrong "event failed = outcome == \"failure\"\nevent failed = outcome == \"denied\"",
        right "event failed = outcome in (\"failure\", \"denied\")";

    DUPLICATE_STEP "E0202" "two steps have one name",
        "A step's name stands for the events it bound, everywhere in the rule. Members of `all` and `any` are steps like others.",
        wrong "rule r {\n  match { a: login then a: logout } within 1h\n}",
        right "rule r {\n  match { a: login then b: logout } within 1h\n}";

    DUPLICATE_KEY "E0203" "a key component is named twice",
        "A key is made of named components; a component without a written name is called like its field.",
        wrong "rule r {\n  by host.id, host.id\n  match { a: login then b: logout } within 1h\n}",
        right "rule r {\n  by host.id, user.id\n  match { a: login then b: logout } within 1h\n}";

    DUPLICATE_VALUE "E0204" "a value is given twice",
        "Each value of an `alert` or `limits` block has one name and one definition.",
        wrong "rule r {\n  match { a: login }\n  alert { user = a.user  user = a.name }\n}",
        right "rule r {\n  match { a: login }\n  alert { user = a.user  name = a.name }\n}";

    UNKNOWN_RULE "E0205" "there is no such rule",
        "A test and an `alert.rule` class name a rule of the same rule set. Compile the files together.",
        wrong "rule many_failures {\n  by user\n  match { at least 5 of login } within 5m\n}\nrule twice {\n  by key.user\n  match { a: alert.many_failure then b: alert.many_failures } within 1h\n}",
        right "rule many_failures {\n  by user\n  match { at least 5 of login } within 5m\n}\nrule twice {\n  by key.user\n  match { a: alert.many_failures then b: alert.many_failures } within 1h\n}";

    UNKNOWN_TABLE "E0206" "there is no such table",
        "A table is declared once with `table name from \"file.csv\" key column` and used as `@name`.",
        wrong "rule r {\n  match { a: login where source.ip in @vpn }\n}",
        right "table vpn from \"vpn.csv\" key cidr\nrule r {\n  match { a: login where source.ip in @vpn }\n}";

    UNKNOWN_FUNCTION "E0207" "there is no such function",
        "The functions over values, the aggregates over a step and the running statistics are fixed by the language.",
        wrong "rule r {\n  match { a: login where lowercase(user) == \"root\" }\n}",
        right "rule r {\n  match { a: login where lower(user) == \"root\" }\n}";

    NOT_BUILT_YET "E0208" "this part of the language is not built yet",
        "The name is reserved for a later version of the language, so that rules written now keep their meaning.",
        wrong "rule r {\n  match { a: login }\n  alert { host = first(a where x > 1).host }\n}",
        right "rule r {\n  match { a: login where x > 1 }\n  alert { host = a.host }\n}";

    RESERVED_NAME "E0209" "the name is reserved",
        "`any` and `alert` are classes, `prev` and `key` are not steps, and every alert has `key`, `severity` and `rule`.",
        wrong "rule r {\n  match { a: login }\n  alert { severity = a.level }\n}",
        right "rule r {\n  match { a: login }\n  alert { level = a.level }\n}";

    WRONG_ARGUMENTS "E0210" "the arguments of a call do not fit",
        "A function takes a fixed number of arguments of fixed kinds. A field may be of any kind; a literal, an operator or a function gives one kind, and with the wrong one the call would always be missing.",
        wrong "rule r {\n  match { a: login where substring(user) == \"adm\" }\n}",
        right "rule r {\n  match { a: login where substring(user, 0, 3) == \"adm\" }\n}";

    WRONG_OPERAND "E0211" "an operator cannot take this kind of value",
        "Arithmetic is over numbers, times and durations. Texts are joined with `concat`. With anything else the result is always missing.",
        wrong "rule r {\n  match { a: login where @ts + 5 > @arrival }\n}",
        right "rule r {\n  match { a: login where @ts + 5s > @arrival }\n}";

    NEVER_EQUAL "E0212" "values of different kinds are compared",
        "A text never equals a number, and values of different kinds have no order: the comparison always gives the same result.",
        wrong "rule r {\n  match { a: login then b: logout where @ts - a.@ts < 30 } within 1h\n}",
        right "rule r {\n  match { a: login then b: logout where @ts - a.@ts < 30s } within 1h\n}";

    NOT_A_CONDITION "E0213" "a condition is needed",
        "`where`, `having`, `and`, `or` and `not` take something that is true or false.",
        wrong "rule r {\n  match { a: one or more of login } within 5m\n  having count(a)\n}",
        right "rule r {\n  match { a: one or more of login } within 5m\n  having count(a) > 3\n}";

    CONSTANT_CONDITION "E0214" "a condition is always the same",
        "A condition that reads nothing from events either lets everything pass or nothing.",
        wrong "rule r {\n  match { a: login where user == \"root\" and 1 == 1 }\n}",
        right "rule r {\n  match { a: login where user == \"root\" }\n}";

    PLAIN_FIELD_OF_REPEATED "E0215" "a field of a repeated step does not say of which event",
        "A repeated step binds several events. Say which one is meant, or take an aggregate over all of them.",
        wrong "rule r {\n  by user\n  match { fail: at least 5 of login } within 5m\n  alert { host = fail.host }\n}",
        right "rule r {\n  by user\n  match { fail: at least 5 of login } within 5m\n  alert { host = last(fail).host }\n}";

    STEP_NOT_BOUND_YET "E0216" "a step is read before it is bound",
        "The condition of a step may read earlier steps. `having`, `alert` and `cancel on` see all steps.",
        wrong "rule r {\n  by user\n  match { a: login where host == b.host then b: logout } within 1h\n}",
        right "rule r {\n  by user\n  match { a: login then b: logout where host == a.host } within 1h\n}";

    STEP_OUT_OF_SCOPE "E0217" "a step is read where it has bound nothing",
        "Members of `all` come in any order and only one member of `any` is bound, so neither may read its siblings. A step that binds one event has bound none while its own `where` is asked.",
        wrong "rule r {\n  by user\n  match { all { a: login  b: badge where door == a.door } } within 1h\n}",
        right "rule r {\n  by user\n  match { all { a: login  b: badge } } within 1h\n  having b.door == a.door\n}";

    NO_EVENT "E0218" "a field does not say of which event",
        "`having`, `alert`, `severity` and `suppress` look at the whole match, which has no current event. They read fields of steps, components of the rule's key, tables and constant `let`s.",
        wrong "rule r {\n  by user\n  match { a: login then b: logout } within 1h\n  alert { host = host.name }\n}",
        right "rule r {\n  by user\n  match { a: login then b: logout } within 1h\n  alert { host = a.host.name  user = user }\n}";

    PREV_OUT_OF_PLACE "E0219" "`prev` has no previous event here",
        "`prev.f` is the field of the event bound just before, to the same repeated step or to the step before it. Only a step's `where` has one.",
        wrong "rule r {\n  by symbol\n  match { top: trade where price > prev.price then low: trade } within 15m\n}",
        right "rule r {\n  by symbol\n  match { top: trade then low: trade where price < prev.price } within 15m\n}";

    STEP_AS_VALUE "E0220" "a step is not a value",
        "A step stands for events. Read a field of it, or count them.",
        wrong "rule r {\n  by user\n  match { fail: at least 5 of login } within 5m\n  alert { who = last(fail) }\n}",
        right "rule r {\n  by user\n  match { fail: at least 5 of login } within 5m\n  alert { who = last(fail).user }\n}";

    NOT_A_STEP "E0221" "an aggregate or selector needs a step",
        "`first`, `last` and the aggregates are over the events that a step of the rule bound. Over the past of the class they are running statistics and take a window.",
        wrong "rule r {\n  by user\n  match { t: transfer where amount > max(amount) }\n}",
        right "rule r {\n  by user\n  match { t: transfer where amount > max(amount, 30d) }\n}";

    WRONG_AGGREGATE "E0222" "an aggregate is written wrongly",
        "`count(a)` counts events, `count(distinct a.f)` different values; the other aggregates are over one field of one step, as in `sum(a.f)`.",
        wrong "rule r {\n  by user\n  match { t: one or more of transfer } within 1h\n  having sum(t) > 1000\n}",
        right "rule r {\n  by user\n  match { t: one or more of transfer } within 1h\n  having sum(t.amount) > 1000\n}";

    STATISTIC_OUT_OF_PLACE "E0223" "a running statistic stands where there is no step",
        "A running statistic is over the earlier events of a step's class and key. It stands in a step's `where`, or in `having` and `alert` over a step's field.",
        wrong "event odd = zscore(value, 24h) > 6\nrule r {\n  by series\n  match { a: odd }\n}",
        right "rule r {\n  by series\n  match { a: metric where zscore(value, 24h) > 6 }\n}";

    WRONG_STATISTIC "E0224" "a running statistic is over the wrong thing",
        "In a step's `where` a statistic is over fields of the class's earlier events. After the match it is over a field of a step that binds one event.",
        wrong "rule r {\n  by series\n  match { a: metric then b: metric where value > mean(a.value, 24h) } within 1h\n}",
        right "rule r {\n  by series\n  match { a: metric then b: metric where value > mean(value, 24h) } within 1h\n}";

    INVALID_REGEX "E0225" "a regular expression does not parse",
        "The syntax is that of most engines, without constructs that need backtracking.",
        wrong "rule r {\n  match { a: process where name =~ /(cmd|powershell/ }\n}",
        right "rule r {\n  match { a: process where name =~ /(cmd|powershell)/ }\n}";

    REGEX_UNSUPPORTED "E0226" "a regular expression needs backtracking",
        "Matching takes time linear in the text, whatever the expression and the text are. Look-around and back-references would break that. A second condition does the same.",
        wrong "rule r {\n  match { a: process where name =~ /^(?!C:).*exe$/ }\n}",
        right "rule r {\n  match { a: process where name =~ /exe$/ and not (name =~ /^C:/) }\n}";

    REGEX_TOO_LARGE "E0227" "a regular expression is too large",
        "Expressions are limited in length and in compiled size, so that a rule file cannot use up memory.",
        wrong "rule r {\n  match { a: process where name =~ /\\w{5000}/ }\n}",
        right "rule r {\n  match { a: process where len(name) >= 5000 }\n}";

    INVALID_NETWORK "E0228" "a network does not parse",
        "A network is an IPv4 or IPv6 address and the length of its prefix.",
        wrong "rule r {\n  match { a: login where cidr(source.ip, \"10.0.0.0/40\") }\n}",
        right "rule r {\n  match { a: login where cidr(source.ip, \"10.0.0.0/8\") }\n}";

    NOT_LITERAL "E0229" "an argument must be written out",
        "Networks and polygons are compiled with the rule, so they cannot come from events.",
        wrong "rule r {\n  match { a: login where cidr(source.ip, network) }\n}",
        right "rule r {\n  match { a: login where cidr(source.ip, \"10.0.0.0/8\") }\n}";

    LOOKUP_ARITY "E0230" "a look-up gives the wrong number of values",
        "A table is looked up by one value for each key column of its declaration, in the same order.",
        wrong "table price from \"price.csv\" key shop, sku\nrule r {\n  match { a: sale where amount < @price[sku].least }\n}",
        right "table price from \"price.csv\" key shop, sku\nrule r {\n  match { a: sale where amount < @price[shop, sku].least }\n}";

    UNKNOWN_SEVERITY "E0231" "there is no such severity",
        "A severity is `info`, `low`, `medium`, `high` or `critical`, or an expression that gives one of them as a text.",
        wrong "rule r {\n  severity severe\n  match { a: login }\n}",
        right "rule r {\n  severity high\n  match { a: login }\n}";

    UNKNOWN_LIMIT "E0232" "there is no such limit",
        "A rule can limit how many events or open partial matches one key holds: `runs_per_key`, from 1 on.",
        wrong "rule r {\n  by user\n  match { a: login then b: logout } within 1h\n  limits { runs = 1000 }\n}",
        right "rule r {\n  by user\n  match { a: login then b: logout } within 1h\n  limits { runs_per_key = 1000 }\n}";

    CYCLIC_LET "E0233" "a `let` is defined by itself",
        "A `let` stands for its expression, so a circle of them would never end.",
        wrong "let a = b + 1\nlet b = a + 1",
        right "let a = amount + 1\nlet b = a + 1";

    CYCLIC_ALERTS "E0234" "rules build on each other's alerts in a circle",
        "An alert comes after the events and alerts it was built from. In a circle each would have to come first.",
        wrong "rule a {\n  match { x: alert.b }\n}\nrule b {\n  match { x: alert.a }\n}",
        right "rule a {\n  match { x: login }\n}\nrule b {\n  match { x: alert.a }\n}";

    FOLD_WITHOUT_EFFECT "E0235" "the suffix `i` has no effect",
        "`\"text\"i` folds case where texts are compared for equality or searched: `==`, `!=`, `in`, `like`, `=~`, `contains`, `starts_with`, `ends_with`.",
        wrong "rule r {\n  match { a: process where name < \"cmd\"i }\n}",
        right "rule r {\n  match { a: process where lower(name) < \"cmd\" }\n}";

    UNKNOWN_ATTRIBUTE "E0236" "there is no such attribute",
        "An event has `@ts` (event time), `@arrival` (arrival time) and `@seq` (position). A field whose name begins with `@` is written in backquotes.",
        wrong "rule r {\n  match { a: login where hour(@time) < 6 }\n}",
        right "rule r {\n  match { a: login where hour(@ts) < 6 }\n}";

    UNKNOWN_ALERT_FIELD "E0237" "alerts of this rule have no such value",
        "An alert as an event has the values of its rule's `alert` block, `key`, `severity` and `rule`.",
        wrong "rule a {\n  by user\n  match { f: at least 5 of login } within 5m\n  alert { attempts = count(f) }\n}\nrule b {\n  match { x: alert.a where attempt > 9 }\n}",
        right "rule a {\n  by user\n  match { f: at least 5 of login } within 5m\n  alert { attempts = count(f) }\n}\nrule b {\n  match { x: alert.a where attempts > 9 }\n}";

    WRONG_KEY "E0238" "this cannot be a key",
        "A key component is an expression over the event that gives one value: a field, or what is computed from fields. An attribute alone would tell all events apart; a list has no one value, but `each(list)` gives a key for each element.",
        wrong "rule r {\n  by time = @ts\n  match { a: sale then b: refund } within 1h\n}",
        right "rule r {\n  by shop = lower(shop.name)\n  match { a: sale then b: refund } within 1h\n}";

    UNNAMED_KEY "E0239" "a computed key component has no name",
        "Steps agree on key components by name, and alerts show them. A field, and a function of one field, is called like the field; anything else needs a written name.",
        wrong "rule r {\n  by floor(@ts / 5m)\n  match { a: login then b: logout } within 1h\n}",
        right "rule r {\n  by bucket = floor(@ts / 5m)\n  match { a: login then b: logout } within 1h\n}";

    UNKNOWN_KEY "E0240" "a guard names an unknown key component",
        "A guard's own `by` names components of the step that it guards, and says where to read them.",
        wrong "rule r {\n  by user\n  match { a: login then no logout by person = name within 1h }\n}",
        right "rule r {\n  by user\n  match { a: login then no logout by user = name within 1h }\n}";

    KEY_NOT_SHARED "E0241" "a step shares no key component with an earlier one",
        "Steps may have different keys, but each must share a component with an earlier step, so that the key is handed over.",
        wrong "rule r {\n  match {\n    a: login   by ip = source.ip\n    then b: process by user = user.name\n  } within 1h\n}",
        right "rule r {\n  match {\n    a: login   by ip = source.ip, user = user.name\n    then b: process by user = user.name\n  } within 1h\n}";

    DIRECTLY_HANDED_OVER "E0242" "`directly` needs one key for all steps",
        "\"Nothing in between\" is about the events of one key. Where the key changes from step to step there is no such order.",
        wrong "rule r {\n  match {\n    a: login   by ip = source.ip, user = user.name\n    then directly b: process by user = user.name\n  } within 1h\n}",
        right "rule r {\n  match {\n    a: login   by ip = source.ip, user = user.name\n    then b: process by user = user.name without logout\n  } within 1h\n}";

    UNCLEAR_KEY "E0243" "the rule's key is unclear",
        "The rule's key is that of its first step. A first element whose members have different keys, or which may bind nothing, leaves it open.",
        wrong "rule r {\n  match {\n    any { a: login by ip = source.ip  b: badge by user = user.name }\n    then c: process by ip = source.ip, user = user.name\n  } within 1h\n}",
        right "rule r {\n  match {\n    any { a: login by user = user.name  b: badge by user = user.name }\n    then c: process by host = host.id, user = user.name\n  } within 1h\n}";

    LET_HIDDEN_BY_STEP "E0244" "a step hides a field that a `let` reads",
        "A `let` stands for its expression. Where a step is called like the first part of a field in it, the expression would mean the step.",
        wrong "let internal = cidr(source.ip, \"10.0.0.0/8\")\nrule r {\n  match { source: login then b: logout where internal } within 1h\n}",
        right "let internal = cidr(source.ip, \"10.0.0.0/8\")\nrule r {\n  match { a: login then b: logout where internal } within 1h\n}";

    TEST_ORDER "E0251" "the events of a test are out of order",
        "Events of a test stand in the order of time.",
        wrong "rule r {\n  match { a: login }\n}\ntest r {\n  5s login { user: \"x\" }\n  1s login { user: \"y\" }\n  expect 2 alerts\n}",
        right "rule r {\n  match { a: login }\n}\ntest r {\n  1s login { user: \"y\" }\n  5s login { user: \"x\" }\n  expect 2 alerts\n}";

    TEST_AFTER_STOP "E0252" "a test goes on after `stop`",
        "After `stop` time goes no further, so nothing can follow.",
        wrong "rule r {\n  match { a: login then no logout within 5m }\n}\ntest r {\n  0s login { user: \"x\" }\n  1m stop\n  2m login { user: \"x\" }\n  expect no alert\n}",
        right "rule r {\n  match { a: login then no logout within 5m }\n}\ntest r {\n  0s login { user: \"x\" }\n  1m stop\n  expect no alert\n}";

    TEST_EXPECTATION "E0253" "the expectations of a test cannot hold together",
        "A test expects alerts in the order of time, or no alert, and says so at least once.",
        wrong "rule r {\n  match { a: login }\n}\ntest r {\n  0s login { user: \"x\" }\n  expect alert at 0s\n  expect no alert\n}",
        right "rule r {\n  match { a: login }\n}\ntest r {\n  0s login { user: \"x\" }\n  expect alert at 0s\n}";

    TEST_UNKNOWN_VALUE "E0254" "an expectation reads a value that the alert lacks",
        "An expectation sees the values of the rule's `alert` block, its key components and `severity`.",
        wrong "rule r {\n  match { a: login }\n  alert { who = a.user }\n}\ntest r {\n  0s login { user: \"x\" }\n  expect alert { user == \"x\" }\n}",
        right "rule r {\n  match { a: login }\n  alert { who = a.user }\n}\ntest r {\n  0s login { user: \"x\" }\n  expect alert { who == \"x\" }\n}";

    TEST_CLASS "E0255" "a test cannot make an event of this class",
        "Events of a test are plain events: `any` is no class of its own, and alerts come from rules.",
        wrong "rule r {\n  match { a: any where user == \"x\" }\n}\ntest r {\n  0s any { user: \"x\" }\n  expect alert\n}",
        right "rule r {\n  match { a: any where user == \"x\" }\n}\ntest r {\n  0s login { user: \"x\" }\n  expect alert\n}";
}

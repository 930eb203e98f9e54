//! Codes of the parser: E00xx.

use crate::diag::code::CodeInfo;

macro_rules! table {
    ($($code:literal, $title:literal, $text:literal, $wrong:literal, $right:literal;)*) => {
        /// The table, sorted by code.
        pub const CODES: &[CodeInfo] = &[$(CodeInfo {
            code: $code,
            title: $title,
            explanation: concat!($text, "\n\nWrong:\n\n```text\n", $wrong, "\n```\n\nRight:\n\n```text\n", $right, "\n```\n"),
        }),*];
    };
}

table! {
    "E0001", "unexpected text",
    "The parser met something that cannot stand where it stands. The message names what was found and, if there are \
     few possibilities, what could have stood there. Look at the marked place and just before it: often a word is \
     missing there.",
    "match { fail: login where then ok: login }",
    "match { fail: login where outcome == \"failure\" then ok: login }";

    "E0002", "string not closed",
    "A string begins with a quote and ends with the same quote on the same line. To put a new line into a string, \
     write `\\n`; to put a quote into it, write `\\\"`.",
    "title \"Failed logins",
    "title \"Failed logins\"";

    "E0003", "comment not closed",
    "A comment that begins with `/*` ends with `*/`. Without it, the rest of the file is a comment.",
    "/* the key\nby source.ip",
    "/* the key */\nby source.ip";

    "E0004", "bracket without a partner",
    "Each `(`, `[` and `{` is closed by its partner, the innermost first. Where a closing brace is missing, the \
     indentation is used to guess which block it belongs to.",
    "rule a {\n  match { x: login\n}",
    "rule a {\n  match { x: login }\n}";

    "E0005", "name in backquotes not closed",
    "A name with odd characters stands between two backquotes on one line.",
    "where `user-agent.name == \"curl\"",
    "where `user-agent`.name == \"curl\"";

    "E0006", "nested too deeply",
    "Parentheses, blocks and operators may be nested only so deep, which keeps the engine safe from hostile rule \
     files. Chains of `and` and `or` are not nested, however long they are. Name parts of a deep expression with `let`.",
    "let a = ((((… 65 parentheses …))))",
    "let part = x * 2\nlet a = part + 1";

    "E0007", "unknown declaration",
    "A rule file holds declarations that begin with `event`, `let`, `table`, `clock`, `rule` or `test`.",
    "rul failed_logins { … }",
    "rule failed_logins { … }";

    "E0008", "unknown clause",
    "The inside of a rule is a list of clauses, each of which begins with its keyword: `severity`, `tags`, `title`, \
     `id`, `status`, `description`, `runbook`, `author`, `references`, `false_positives`, `risk`, `by`, `match`, `having`, `pick`, `after match`, \
     `cancel on`, `alert`, `suppress`, `enabled`, `shadow`, `internal`, `resolve`, `repeat`, `expect` and `limits`.",
    "rule a {\n  group by source.ip\n  match { x: login }\n}",
    "rule a {\n  by source.ip\n  match { x: login }\n}";

    "E0009", "unknown option of a clause",
    "`pick` takes `latest`, `first`, `each` or `all`. `after match` takes `skip past last`, `skip to next` or \
     `no skip`.",
    "pick newest",
    "pick latest";

    "E0010", "malformed duration",
    "A duration is written as whole numbers with units and without spaces, the larger units first: `90s`, `1h30m`. \
     The units are `w`, `d`, `h`, `m`, `s`, `ms`, `us` and `ns`; `m` is a minute. A bare number is no duration.",
    "within 5 minutes",
    "within 5m";

    "E0011", "duration too long",
    "Durations are counted in nanoseconds in 64 bits, so the longest is a little over 292 years.",
    "within 1000000000d",
    "within 365d";

    "E0012", "number out of range",
    "Whole numbers are exact and fit 64 bits, signed or unsigned. A larger one can be written as a floating-point \
     number if it need not be exact.",
    "where id == 99999999999999999999",
    "where id >= 99999999999999999999.0";

    "E0013", "unknown escape in a string",
    "A backslash in a string begins an escape. There are `\\\\`, `\\\"`, `\\n`, `\\t` and `\\u{…}` with a hexadecimal \
     number. In a raw string, `r\"…\"`, a backslash is itself.",
    "where path == \"C:\\Windows\"",
    "where path == r\"C:\\Windows\"";

    "E0014", "string in single quotes",
    "Strings stand in double quotes.",
    "where user.name == 'root'",
    "where user.name == \"root\"";

    "E0015", "`=` where a comparison is meant",
    "`=` gives a name its value, as in `alert { n = count(a) }`. Two values are compared with `==`.",
    "where outcome = \"failure\"",
    "where outcome == \"failure\"";

    "E0016", "keyword of another language",
    "Conditions are joined by the words `and` and `or` and turned round by `not`, in lower case. A step's condition \
     begins with `where`.",
    "where a == 1 && !(b == 2)",
    "where a == 1 and not (b == 2)";

    "E0017", "operator of another language",
    "The comparisons are `==`, `!=`, `<`, `<=`, `>`, `>=`, `in (…)`, `like \"glob*\"` and `=~ /regex/`; `not in`, \
     `not like` and `not x =~ …` are their opposites. `contains`, `starts_with` and `ends_with` are functions.",
    "where name <> \"a\" and path contains \"tmp\"",
    "where name != \"a\" and contains(path, \"tmp\")";

    "E0018", "chained comparison",
    "The result of a comparison is true, false or missing, and is not compared again. Write two comparisons and join \
     them with `and`.",
    "where 1024 < port < 2048",
    "where 1024 < port and port < 2048";

    "E0019", "comparison with `null`",
    "A field that is absent or null is missing, and a comparison with a missing value is neither true nor false. Ask \
     with `exists` whether there is a value, or give a default with `??`.",
    "where user.name == null",
    "where not exists(user.name)";

    "E0020", "steps joined by another word",
    "Steps are joined by `then`: other events may lie between. With `then directly` no event of a named class may.",
    "match { a: login -> b: download }",
    "match { a: login then b: download }";

    "E0021", "missing `of`",
    "Between the number of events and their class stands `of`.",
    "match { fail: at least 5 login } within 1m",
    "match { fail: at least 5 of login } within 1m";

    "E0022", "number of events written another way",
    "How many events a step takes is written `at least N of`, `exactly N of`, `N..M of`, `one or more of`, \
     `zero or more of` or `optional`.",
    "match { fail: 5+ of login } within 1m",
    "match { fail: at least 5 of login } within 1m";

    "E0023", "`match` without braces",
    "The pattern after `match` stands in braces; a bound of the whole match follows the closing brace.",
    "match a: login then b: download within 5m",
    "match { a: login then b: download } within 5m";

    "E0024", "`within` where it bounds nothing",
    "A bound of the whole match follows the closing brace of `match`. A bound of one gap follows its `then`. An \
     absence has a bound of its own: `no X within 5m`.",
    "match { a: login then b: download within 5m }",
    "match { a: login then b: download } within 5m";

    "E0025", "suffixes of a step out of order or repeated",
    "The parts after the class of a step stand in the order `where`, `by`, `if` or `unless`, `without`, `until`, and \
     `where`, `by` and `until` each stand once.",
    "a: login by user where outcome == \"failure\"",
    "a: login where outcome == \"failure\" by user";

    "E0026", "`unless` or `if` without `in last`",
    "`unless X in last d` and `if X in last d` look at the events before this one, and need to know how far back. A \
     condition on the event itself belongs in `where`.",
    "b: download unless login",
    "b: download unless login in last 1h";

    "E0027", "alternatives without parentheses",
    "A step that takes an event of one of several classes names them in parentheses, joined by `or`.",
    "a: login or logon where user == \"root\"",
    "a: (login or logon) where user == \"root\"";

    "E0028", "another sign in place of `=` or `:`",
    "A name gets its value with `=`, in `event`, `let`, `alert`, `by` and `limits` alike. Only the fields of a test \
     event, which are written like JSON, take `:`.",
    "alert { user: a.user }",
    "alert { user = a.user }";

    "E0029", "malformed regular expression literal",
    "A regular expression stands between slashes; a slash in it is written `\\/`. The only flag after it is `i`; \
     others can be set inside, as in `(?s)`.",
    "where path =~ \"^/tmp\"",
    "where path =~ /^\\/tmp/";

    "E0030", "odd characters in a name",
    "A name has letters, digits and `_`, and does not begin with a digit. Any other name can be written in \
     backquotes.",
    "rule failed-logins { … }",
    "rule failed_logins { … }";

    "E0032", "separator or parentheses that are not needed",
    "Clauses, lines of a block and members follow one another without commas or semicolons, and keys stand without \
     parentheses.",
    "alert { n = count(a), user = a.user }",
    "alert { n = count(a)  user = a.user }";

    "E0033", "malformed text template",
    "A text in an `alert` block may hold expressions in braces. A brace that is meant as text is written twice.",
    "alert { message = \"{user logged in\" }",
    "alert { message = \"{user} logged in\" }";

    "E0034", "element where it cannot stand",
    "Only a step has a name, and the name stands first, before the number. The members of `all` are single steps \
     without an order.",
    "match { all { a: login then b: download } }",
    "match { all { a: login  b: download } }";

    "E0035", "empty block",
    "`all { … }` and `any { … }` need at least one member.",
    "match { a: login then all { } }",
    "match { a: login then all { b: download  c: upload } }";

    "E0036", "text of another language",
    "The file looks like SQL, EQL or a Sigma rule, which are not read as rule files. Rules of other languages have \
     to be imported.",
    "SELECT * FROM login",
    "rule logins { match { a: login } }";

    "E0038", "unclear `by`",
    "`suppress` and `cancel on` take a `by` of their own. On a line of its own it looks like the key of the rule. \
     Put it on the line of its clause, or put the rule's `by` above that clause.",
    "suppress 1h\nby user.name",
    "by user.name\nsuppress 1h";

    "E0039", "too many problems",
    "After a hundred problems in one file the rest is not listed: most of it follows from what stands above.",
    "a file that is not a rule file",
    "a rule file";

    "E0040", "`some` without one of its parts",
    "`some` takes a list, a name for its elements and a condition that reads them by that name.",
    "some(items where price > 100)",
    "some(items as item where item.price > 100)";

    "E0045", "number of events where a duration must stand",
    "`within 100 events` bounds a sliding count: it follows the braces of a `match` that is one repeated step. Gaps \
     and absences are bounded by durations.",
    "match { a: login then within 3 events b: logout }",
    "match { a: login then within 5m b: logout }";

    "E0046", "more than single steps in the absence of a group",
    "`no { a: X then b: Y } within d` holds if no such sequence lies wholly between the event before and the deadline. \
     Its steps take `where` and `by`, and its joints `directly`, `after` and `within`.",
    "match { a: start then no { b: at least 3 of x then c: y } within 5m }",
    "match { a: start then no { b: x then c: y } within 5m }";
}

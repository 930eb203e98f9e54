//! The functions of the rule language: names, parameters, results and documentation, in one table.
//!
//! `check` reads the signatures, `plan` turns a name into a [`Function`], the evaluator matches on it, and
//! the command line lists it. Three kinds of calls share the call syntax and are told apart here by name:
//! [`Function`] is over values, [`Aggregate`] over the events a step bound, [`Statistic`] over the earlier
//! events of a step's class.
//!
//! Invariant: `Function::ALL[f as usize] == f`, so that [`Function::info`] is an index.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A set of kinds of values: what an expression may be, or what a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kinds(pub u8);

impl Kinds {
    /// No kind at all: an expression that is always missing.
    pub const NONE: Self = Self(0);
    /// `true` or `false`.
    pub const BOOL: Self = Self(1);
    /// Integers and floats.
    pub const NUMBER: Self = Self(2);
    /// Texts.
    pub const STRING: Self = Self(4);
    /// Points in time.
    pub const TIME: Self = Self(8);
    /// Lengths of time.
    pub const DURATION: Self = Self(16);
    /// Lists.
    pub const LIST: Self = Self(32);
    /// Objects.
    pub const OBJECT: Self = Self(64);
    /// Every kind: nothing is known.
    pub const ANY: Self = Self(127);
    /// What a field of a JSON event can be. A time or a duration is never read from a field.
    pub const FIELD: Self = Self(1 | 2 | 4 | 32 | 64);

    const NAMES: [(Self, &'static str); 7] = [
        (Self::BOOL, "bool"),
        (Self::NUMBER, "number"),
        (Self::STRING, "string"),
        (Self::TIME, "time"),
        (Self::DURATION, "duration"),
        (Self::LIST, "list"),
        (Self::OBJECT, "object"),
    ];

    /// Either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// All of `self` that is not in `other`.
    #[must_use]
    pub const fn except(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the two have a kind in common.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether nothing is left.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// `number`, `string or list`, `any`.
impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("missing");
        }
        if self.except(Self::FIELD).is_empty() && Self::FIELD.except(*self).is_empty() || *self == Self::ANY {
            return f.write_str("any");
        }
        let names: Vec<&str> =
            Self::NAMES.iter().filter(|(kind, _)| self.meets(*kind)).map(|(_, name)| *name).collect();
        f.write_str(&names.join(" or "))
    }
}

/// A parameter of a [`Function`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name in the documentation.
    pub name: &'static str,
    /// What it takes; anything else makes the result missing.
    pub kinds: Kinds,
    /// Must be a literal, because the compiler needs its value.
    pub constant: bool,
}

/// One way of calling a [`Function`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The parameters in order.
    pub params: &'static [Param],
    /// How many of them must be given; the others have a default.
    pub required: usize,
    /// The last parameter may be given any number of times, once at least.
    pub variadic: bool,
}

impl Signature {
    /// Whether so many arguments fit.
    pub fn takes(&self, arguments: usize) -> bool {
        arguments >= self.required && (self.variadic || arguments <= self.params.len())
    }

    /// The parameter that the argument at `index` is for.
    pub fn param(&self, index: usize) -> Option<&'static Param> {
        let last = self.params.len().checked_sub(1)?;
        if index > last && !self.variadic { None } else { self.params.get(index.min(last)) }
    }
}

/// What there is to know about a [`Function`].
#[derive(Clone, Copy, Debug)]
pub struct FunctionInfo {
    /// The function.
    pub function: Function,
    /// The name in rules.
    pub name: &'static str,
    /// The ways of calling it; the first that takes the number of arguments is meant.
    pub signatures: &'static [Signature],
    /// What it gives, when it is not missing.
    pub result: Kinds,
    /// One line.
    pub doc: &'static str,
    /// A call with its result.
    pub example: &'static str,
}

impl FunctionInfo {
    /// The ways of calling it as text: `substring(text, start[, length])`.
    pub fn usage(&self) -> Vec<String> {
        self.signatures.iter().map(|s| usage(self.name, s)).collect()
    }

    /// The signature for so many arguments.
    pub fn signature(&self, arguments: usize) -> Option<&'static Signature> {
        self.signatures.iter().find(|s| s.takes(arguments))
    }
}

fn usage(name: &str, signature: &Signature) -> String {
    let mut text = format!("{name}(");
    for (i, param) in signature.params.iter().enumerate() {
        let optional = i >= signature.required;
        if optional {
            text.push('[');
        }
        if i > 0 {
            text.push_str(", ");
        }
        text.push_str(param.name);
        if optional {
            text.push(']');
        }
    }
    if signature.variadic {
        text.push_str(", …");
    }
    text.push(')');
    text
}

const fn p(name: &'static str, kinds: Kinds) -> Param {
    Param { name, kinds, constant: false }
}

const fn constant(name: &'static str, kinds: Kinds) -> Param {
    Param { name, kinds, constant: true }
}

const fn sig(params: &'static [Param]) -> Signature {
    Signature { params, required: params.len(), variadic: false }
}

const fn sig_opt(params: &'static [Param], required: usize) -> Signature {
    Signature { params, required, variadic: false }
}

const fn sig_many(params: &'static [Param]) -> Signature {
    Signature { params, required: params.len(), variadic: true }
}

const ANY: Kinds = Kinds::ANY;
const BOOL: Kinds = Kinds::BOOL;
const NUMBER: Kinds = Kinds::NUMBER;
const STRING: Kinds = Kinds::STRING;
const TIME: Kinds = Kinds::TIME;
const LIST: Kinds = Kinds::LIST;
const OBJECT: Kinds = Kinds::OBJECT;
/// A text, or a list of texts of which any may match.
const TEXTS: Kinds = STRING.or(LIST);
/// What has an absolute value and can be rounded up or down.
const AMOUNT: Kinds = NUMBER.or(Kinds::DURATION);

const ONE_TEXT: &[Signature] = &[sig(&[p("text", STRING)])];
const ONE_NUMBER: &[Signature] = &[sig(&[p("number", NUMBER)])];
const TIME_AND_ZONE: &[Signature] = &[sig_opt(&[p("time", TIME), p("zone", STRING)], 1)];
const TEXT_AND_PART: &[Signature] = &[sig(&[p("text", TEXTS), p("part", TEXTS)])];

macro_rules! functions {
    ($($variant:ident $name:literal $signatures:expr, $result:expr, $doc:literal, $example:literal;)*) => {
        /// A function over values.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Function {
            $(#[doc = $doc] $variant,)*
        }

        impl Function {
            /// Every function, in the order of the documentation.
            pub const ALL: &'static [Function] = &[$(Function::$variant,)*];
        }

        const INFOS: &[FunctionInfo] = &[$(FunctionInfo {
            function: Function::$variant,
            name: $name,
            signatures: $signatures,
            result: $result,
            doc: $doc,
            example: $example,
        },)*];
    };
}

functions! {
    Exists "exists" &[sig(&[p("value", ANY)])], BOOL,
        "Whether the value is there; never missing itself.", "exists(user.name)";
    Len "len" &[sig(&[p("value", STRING.or(LIST).or(OBJECT))])], NUMBER,
        "Characters of a text, elements of a list, or fields of an object.", "len(\"abc\") == 3";
    Lower "lower" ONE_TEXT, STRING,
        "The text in lower case.", "lower(\"CMD.exe\") == \"cmd.exe\"";
    Upper "upper" ONE_TEXT, STRING,
        "The text in upper case.", "upper(\"de\") == \"DE\"";
    Trim "trim" ONE_TEXT, STRING,
        "The text without white space at either end.", "trim(\" a \") == \"a\"";
    Split "split" &[sig(&[p("text", STRING), p("separator", STRING)])], LIST,
        "The parts between the separators, as a list.", "split(\"a/b\", \"/\") == (\"a\", \"b\")";
    Concat "concat" &[sig_many(&[p("value", ANY)])], STRING,
        "The values written one after the other; missing if any of them is.", "concat(host, \":\", port)";
    Substring "substring" &[sig_opt(&[p("text", STRING), p("start", NUMBER), p("length", NUMBER)], 2)], STRING,
        "The characters from `start` (the first is 0), at most `length` of them; a negative start counts from the end.",
        "substring(\"abcdef\", 1, 3) == \"bcd\"";
    Slice "slice" &[sig_opt(&[p("text", STRING), p("start", NUMBER), p("end", NUMBER)], 2)], STRING,
        "The characters from `start` (the first is 0) up to but without `end`; negative ones count from the end.",
        "slice(\"abcdef\", 1, -1) == \"bcde\"";
    IndexOf "index_of" &[sig_opt(&[p("text", STRING), p("part", STRING), p("start", NUMBER)], 2)], NUMBER,
        "Where the part first begins (the first character is 0), at `start` or after; missing if it does not.",
        "index_of(\"a.b.c\", \".\", 2) == 3";
    Extract "extract" &[sig(&[p("text", TEXTS), constant("pattern", STRING)])], STRING,
        "What the first group of the pattern matched, or the whole match if it has none; of a list, of the first text that matches.",
        "extract(message, /user=(\\w+)/)";
    Unique "unique" &[sig(&[p("list", LIST)])], LIST,
        "The list without repetitions, in the order of first occurrence.", "len(unique(list(a.user))) == 1";
    AnyValue "any_value" &[sig(&[])], LIST,
        "Every text, number and bool anywhere in the event, as a list.", "any_value() like \"*mimikatz*\"i";
    Replace "replace" &[sig(&[p("text", STRING), p("part", STRING), p("by", STRING)])], STRING,
        "The text with every occurrence of `part` replaced.", "replace(\"a-b\", \"-\", \"_\") == \"a_b\"";
    StartsWith "starts_with" TEXT_AND_PART, BOOL,
        "Whether the text begins with the part, or with any of a list.", "starts_with(path, (\"/admin\", \"/root\"))";
    EndsWith "ends_with" TEXT_AND_PART, BOOL,
        "Whether the text ends with the part, or with any of a list.", "ends_with(name, \".exe\"i)";
    Contains "contains" &[sig(&[p("where", TEXTS), p("what", ANY)])], BOOL,
        "Whether the text holds the part (or any of a list), or the list an equal element.", "contains(tags, \"vip\")";
    Cidr "cidr" &[sig_many(&[p("address", TEXTS), constant("network", STRING)])], BOOL,
        "Whether the IP address lies in any of the networks.", "cidr(source.ip, \"10.0.0.0/8\", \"fd00::/8\")";
    Abs "abs" &[sig(&[p("number", AMOUNT)])], AMOUNT,
        "The number or duration without its sign.", "abs(-3) == 3";
    Floor "floor" ONE_NUMBER, NUMBER,
        "The greatest whole number that is not greater.", "floor(2.7) == 2";
    Ceil "ceil" ONE_NUMBER, NUMBER,
        "The least whole number that is not less.", "ceil(2.1) == 3";
    Round "round" &[sig_opt(&[p("number", NUMBER), p("digits", NUMBER)], 1)], NUMBER,
        "The nearest number with so many decimal digits (0 if not given), halves away from zero.", "round(2.75, 1) == 2.8";
    Sqrt "sqrt" ONE_NUMBER, NUMBER,
        "The square root; missing for a number below zero.", "sqrt(9) == 3";
    Log "log" ONE_NUMBER, NUMBER,
        "The natural logarithm; missing for a number not above zero.", "log(1) == 0";
    Number "number" &[sig_opt(&[p("value", STRING.or(NUMBER)), p("base", NUMBER)], 1)], NUMBER,
        "The number that a text writes, in a base from 2 to 36 if one is given (`0x` before it is 16); missing if it writes none.",
        "number(\"0x2a\") == 42";
    Text "string" &[sig(&[p("value", ANY)])], STRING,
        "The value as a text, as an alert prints it.", "string(42) == \"42\"";
    Texts "texts" &[sig(&[p("value", ANY)])], STRING.or(LIST),
        "The text, or the text of a number or bool, as an alert prints it; of a list those of its elements.",
        "texts(event.code) like \"46*\"";
    Numbers "numbers" &[sig(&[p("value", STRING.or(NUMBER).or(LIST))])], NUMBER.or(LIST),
        "The number, or the number that a text writes; of a list those of its elements.", "numbers(bytes) > 1000";
    Time "time" &[sig(&[p("value", STRING.or(NUMBER).or(TIME))])], TIME,
        "The time that a text (RFC 3339, UTC if it names no zone) or a number of seconds, milli-, micro- or nanoseconds since 1970 means.",
        "hour(time(created)) < 6";
    Hour "hour" TIME_AND_ZONE, NUMBER,
        "The hour of the day, 0 to 23, in a time zone or else in UTC.", "hour(@ts, \"Europe/Berlin\") >= 22";
    Minute "minute" TIME_AND_ZONE, NUMBER,
        "The minute of the hour, 0 to 59.", "minute(@ts) == 0";
    Weekday "weekday" TIME_AND_ZONE, NUMBER,
        "The day of the week, 1 (Monday) to 7 (Sunday), in a time zone or else in UTC.", "weekday(@ts) in (6, 7)";
    Day "day" TIME_AND_ZONE, NUMBER,
        "The day of the month, 1 to 31, in a time zone or else in UTC.", "day(@ts) == 1";
    Week "week" TIME_AND_ZONE, NUMBER,
        "The week of the year by ISO 8601, 1 to 53, in a time zone or else in UTC.", "week(@ts) == 1";
    Month "month" TIME_AND_ZONE, NUMBER,
        "The month, 1 to 12, in a time zone or else in UTC.", "month(@ts) == 12";
    Year "year" TIME_AND_ZONE, NUMBER,
        "The year in a time zone, or else in UTC.", "year(@ts) == 2026";
    Workday "workday" &[sig_opt(&[p("time", TIME), p("days", NUMBER), p("zone", STRING)], 2)], TIME,
        "The same time of day so many working days (Monday to Friday) later; from a weekend counting begins on Monday.",
        "workday(@ts, 1, \"Europe/Berlin\")";
    DistanceKm "distance_km" &[
            sig(&[p("lat", NUMBER), p("lon", NUMBER), p("lat", NUMBER), p("lon", NUMBER)]),
            sig(&[p("from", OBJECT), p("to", OBJECT)]),
        ], NUMBER,
        "Kilometres on a great circle; also between two objects with `lat` and `lon`.", "distance_km(52.5, 13.4, 48.1, 11.6)";
    SpeedKmh "speed_kmh" &[
            sig(&[p("lat", NUMBER), p("lon", NUMBER), p("time", TIME), p("lat", NUMBER), p("lon", NUMBER), p("time", TIME)]),
            sig(&[p("from", OBJECT), p("time", TIME), p("to", OBJECT), p("time", TIME)]),
        ], NUMBER,
        "Speed between two places and times, in km/h; missing if no time has passed.",
        "speed_kmh(a.lat, a.lon, a.@ts, lat, lon, @ts) > 900";
    InPolygon "in_polygon" &[sig(&[p("lat", NUMBER), p("lon", NUMBER), constant("corners", LIST)])], BOOL,
        "Whether the place lies inside the polygon of these corners.", "in_polygon(lat, lon, ((52, 13), (53, 13), (53, 14)))";
    Entropy "entropy" ONE_TEXT, NUMBER,
        "Shannon entropy in bits per character.", "entropy(\"aabb\") == 1";
    Hash "hash" &[sig_many(&[p("value", ANY)])], STRING,
        "A stable hash of the values, 16 hexadecimal digits; missing if any of them is.", "hash(user.name, host.id)";
    If "if" &[sig(&[p("condition", BOOL), p("then", ANY), p("else", ANY)])], ANY,
        "`then` if the condition is true, else `else`.", "if(count(a) > 10, \"high\", \"low\")";
}

impl Function {
    /// The function of a name.
    pub fn by_name(name: &str) -> Option<Self> {
        INFOS.iter().find(|info| info.name == name).map(|info| info.function)
    }

    /// Its entry in the table.
    pub fn info(self) -> &'static FunctionInfo {
        &INFOS[self as usize]
    }

    /// Its name in rules.
    pub fn name(self) -> &'static str {
        self.info().name
    }
}

macro_rules! named {
    ($(#[$meta:meta])* $enum:ident { $($variant:ident $name:literal $doc:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $enum {
            $(#[doc = $doc] $variant,)*
        }

        impl $enum {
            /// Every one, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The one of a name.
            pub fn by_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Its name in rules.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What it gives, in one line.
            pub fn doc(self) -> &'static str {
                match self {
                    $(Self::$variant => $doc,)*
                }
            }
        }
    };
}

named!(
    /// A value over the events that a step bound: `avg(a.f)`. Over no events `count` is 0 and the others are missing.
    Aggregate {
        Count "count" "How many events, or how many different values with `distinct`.",
        Min "min" "The least value.",
        Max "max" "The greatest value.",
        Sum "sum" "The sum.",
        Avg "avg" "The arithmetic mean.",
        Stddev "stddev" "The sample standard deviation; missing with fewer than two values.",
        Median "median" "The middle value, or the mean of the two in the middle.",
        List "list" "All values, oldest first.",
        Percentile "percentile" "The value below which so many percent of the others lie, between two of them if need be: `percentile(a.f, 95)`.",
    }
);

named!(
    /// A value over the earlier events of a step's class and key: `zscore(x, 24h)`, `mean(x, 4 events)`.
    /// Recognised by a duration, `N events` or `ever` among the arguments; `ewma`, `rate` and `prior` by their names.
    Statistic {
        Count "count" "How many earlier events had the value.",
        Sum "sum" "The sum of the earlier values.",
        Min "min" "The least of the earlier values.",
        Max "max" "The greatest of the earlier values.",
        Last "last" "The newest of the earlier values.",
        Mean "mean" "The arithmetic mean of the earlier values.",
        Stddev "stddev" "Their sample standard deviation; missing with fewer than two values.",
        Zscore "zscore" "How many standard deviations the current value lies from their mean.",
        Rate "rate" "How many earlier events had the value, per second of the duration.",
        Ewma "ewma" "The exponentially weighted mean of all earlier values, the newest with the given weight.",
        Prior "prior" "The value of the class's previous event of the key, or of the n-th previous.",
    }
);

/// Selectors of one event of a repeated step: `first(a).f`, `last(a).f`, `nth(a, 2).f`.
pub const SELECTORS: [&str; 3] = ["first", "last", "nth"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_indexed_by_function() {
        for (index, function) in Function::ALL.iter().enumerate() {
            assert_eq!(*function as usize, index);
            assert_eq!(function.info().function, *function);
            assert_eq!(Function::by_name(function.name()), Some(*function));
            assert!(!function.info().signatures.is_empty());
        }
    }

    #[test]
    fn names_do_not_collide() {
        for function in Function::ALL {
            assert_eq!(Aggregate::by_name(function.name()), None);
            assert_eq!(Statistic::by_name(function.name()), None);
            assert!(!SELECTORS.contains(&function.name()));
        }
    }

    #[test]
    fn usage_shows_what_is_optional() {
        assert_eq!(Function::Substring.info().usage(), ["substring(text, start[, length])"]);
        assert_eq!(Function::Cidr.info().usage(), ["cidr(address, network, …)"]);
        assert_eq!(Function::DistanceKm.info().usage().len(), 2);
    }

    #[test]
    fn kinds_print_as_words() {
        assert_eq!(Kinds::STRING.or(Kinds::LIST).to_string(), "string or list");
        assert_eq!(Kinds::ANY.to_string(), "any");
        assert_eq!(Kinds::NONE.to_string(), "missing");
    }
}

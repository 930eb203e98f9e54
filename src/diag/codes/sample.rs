//! Codes of findings in sample data: W06xx.

use crate::diag::Code;
use crate::diag::code::CodeInfo;

/// A field that a rule reads is in no event of its class.
pub const FIELD_NEVER_SEEN: Code = Code("W0601");
/// A field is of another kind than a rule needs.
pub const KIND_MISMATCH: Code = Code("W0602");
/// No event is of a class that a rule names.
pub const CLASS_NEVER_SEEN: Code = Code("W0603");
/// A negation skips events of the sample.
pub const NEGATION_SKIPS: Code = Code("W0604");
/// Events of the sample lack a key field.
pub const KEY_MISSING: Code = Code("W0605");

/// The table, sorted by code.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "W0601",
        title: "a field that rules read is never there",
        explanation: "No event of the class in the sample has the field, so conditions on it are missing and never hold. \
                      Often the name is misspelt or nested otherwise.\n\nWrong, if events have `user.name`:\n\n```trip\n\
                      rule r {\n  match { a: login where usr.name == \"root\" }\n}\n```\n\nRight:\n\n```trip\n\
                      rule r {\n  match { a: login where user.name == \"root\" }\n}\n```\n",
    },
    CodeInfo {
        code: "W0602",
        title: "a field is of another kind than is needed",
        explanation: "A text and a number never compare equal, and a function of the wrong kind is missing. The report counts \
                      the events where the field does not fit.\n\nWrong, if events have `\"status\": 404`:\n\n```trip\n\
                      rule r {\n  match { a: request where status == \"404\" }\n}\n```\n\nRight:\n\n```trip\n\
                      rule r {\n  match { a: request where status == 404 }\n}\n```\n",
    },
    CodeInfo {
        code: "W0603",
        title: "no event is of a class that rules name",
        explanation: "The sample has no event of the class: its condition never holds, or, for a class that is not declared, \
                      no event's type field has this value.\n\nWrong, if events have `\"type\": \"login\"`:\n\n```trip\n\
                      rule r {\n  match { a: logon where user == \"root\" }\n}\n```\n\nRight:\n\n```trip\n\
                      rule r {\n  match { a: login where user == \"root\" }\n}\n```\n",
    },
    CodeInfo {
        code: "W0604",
        title: "a negation skips events of the sample",
        explanation: "Events without the field are skipped, because a comparison with a missing field is missing. The report \
                      counts them.\n\nWrong, if some events have no `user`:\n\n```trip\n\
                      rule r {\n  match { a: login where user != \"root\" }\n}\n```\n\nRight:\n\n```trip\n\
                      rule r {\n  match { a: login where (user ?? \"\") != \"root\" }\n}\n```\n",
    },
    CodeInfo {
        code: "W0605",
        title: "events of the sample lack a key field",
        explanation: "An event without a key field takes no part in the rule. The report counts them; `k?` lets missing be a \
                      key.\n\nWrong, if some events have no `user`:\n\n```trip\n\
                      rule r {\n  by user\n  match { a: login then b: logout } within 1h\n}\n```\n\nRight:\n\n```trip\n\
                      rule r {\n  by user?\n  match { a: login then b: logout } within 1h\n}\n```\n",
    },
];

//! Codes of tables and configuration: E04xx.

use crate::diag::Code;
use crate::diag::code::CodeInfo;

/// A rule needs events of several partitions of a topic that a group of processes shares.
pub const NOT_BY_PARTITION: Code = Code("E0413");

/// The table, sorted by code.
pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "E0401",
        title: "a table cannot be used",
        explanation: "The file of a table cannot be read, or is not what its declaration says: a CSV file whose first \
            line names the columns, or JSON. The path is relative to the rule file, and the key must name a column.\n\n\
            Wrong:\n```trip\ntable vpn from \"tables/vnp.csv\" key cidr\n```\n\
            Right:\n```trip\ntable vpn from \"tables/vpn.csv\" key cidr\n```\n",
    },
    CodeInfo {
        code: "E0402",
        title: "a rule cannot be compiled",
        explanation: "The rule passed every check and still has no executable form; the message says which part. \
            Write that part in another way, and report the rule: the checker should have said so in its own words.\n",
    },
    CodeInfo {
        code: "E0410",
        title: "the configuration file is not YAML",
        explanation: "The text of the configuration file cannot be read as YAML, so none of its settings is used. \
            Tabs for indentation and unquoted texts that hold `: ` or ` #` are common causes.\n\n\
            Wrong:\n```yaml\ntime:\n\tformat: auto\n```\nRight:\n```yaml\ntime:\n  format: auto\n```\n",
    },
    CodeInfo {
        code: "E0411",
        title: "unknown or repeated setting",
        explanation: "The configuration file has a key that no setting has, or sets one twice. It is refused rather \
            than passed over, because a misspelt setting would silently do nothing.\n\n\
            Wrong:\n```yaml\nlatenes: 30s\n```\nRight:\n```yaml\nlateness: 30s\n```\n",
    },
    CodeInfo {
        code: "E0412",
        title: "a setting has a value that cannot be",
        explanation: "The value is of another kind than the setting, is not one of its words, or lies out of range.\n\n\
            Wrong:\n```yaml\nlateness: 30\nat_end: maybe\n```\nRight:\n```yaml\nlateness: 30s\nat_end: flush\n```\n",
    },
    CodeInfo {
        code: "E0413",
        title: "a rule does not follow the partitions of a topic",
        explanation: "Processes of a group share the partitions of a topic, and each matches its own ones. That finds \
            everything only if all events that a match looks at lie in one partition: the rule's key must have the \
            fields by which the topic is partitioned, as they are. A rule without a key, with a key that is handed \
            over, on alerts, or with expected keys does not fit.\n\n\
            Wrong, with `partition_by: source.ip`:\n```trip\nrule r {\n  by user.name\n  match { a: login }\n}\n```\n\
            Right:\n```trip\nrule r {\n  by source.ip, user.name\n  match { a: login }\n}\n```\n",
    },
];

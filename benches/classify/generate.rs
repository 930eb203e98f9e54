//! Rules of the kind that detection rule sets hold, and events like those of Windows logs.
//!
//! Everything is made up from a few lists and a small generator of numbers, so that it is the same everywhere. Most
//! literals occur in no event, some in a few: as with real rules, few rules match.

use std::fmt::Write;

/// A log source: what tells its events, its share of the rules in hundredths, and the fields its rules read.
struct Source {
    id: u32,
    channel: &'static str,
    rules: u32,
    events: u32,
    fields: &'static [&'static str],
}

const SYSMON: &str = "Microsoft-Windows-Sysmon/Operational";

const SOURCES: &[Source] = &[
    Source {
        id: 1,
        channel: SYSMON,
        rules: 50,
        events: 10,
        fields: &["Image", "CommandLine", "ParentImage", "OriginalFileName", "ParentCommandLine", "User"],
    },
    Source { id: 7, channel: SYSMON, rules: 7, events: 25, fields: &["Image", "ImageLoaded", "Hashes"] },
    Source { id: 10, channel: SYSMON, rules: 3, events: 25, fields: &["SourceImage", "TargetImage", "CallTrace"] },
    Source { id: 11, channel: SYSMON, rules: 10, events: 10, fields: &["Image", "TargetFilename"] },
    Source { id: 13, channel: SYSMON, rules: 12, events: 15, fields: &["Image", "TargetObject", "Details"] },
    Source {
        id: 4104,
        channel: "Microsoft-Windows-PowerShell/Operational",
        rules: 10,
        events: 5,
        fields: &["ScriptBlockText", "Path"],
    },
    Source {
        id: 4688,
        channel: "Security",
        rules: 8,
        events: 10,
        fields: &["NewProcessName", "CommandLine", "SubjectUserName"],
    },
];

const WORDS: &[&str] = &[
    "powershell",
    "cmd",
    "rundll32",
    "regsvr32",
    "mshta",
    "wmic",
    "certutil",
    "bitsadmin",
    "schtasks",
    "svchost",
    "explorer",
    "winword",
    "excel",
    "net",
    "whoami",
    "reg",
    "wscript",
    "cscript",
    "curl",
    "python",
    "java",
    "setup",
    "update",
    "helper",
    "agent",
    "backup",
    "service",
    "driver",
    "kernel",
    "shell",
    "config",
    "policy",
    "user",
    "temp",
];

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((u128::from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)) * n as u128) >> 64) as usize
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len())]
    }

    /// A word that hardly occurs anywhere else.
    fn rare(&mut self) -> String {
        const SYLLABLES: [&str; 16] =
            ["ka", "lo", "mi", "ne", "ru", "ta", "vo", "xi", "Za", "Bel", "dor", "Fin", "gar", "Hul", "jin", "pex"];
        (0..3 + self.below(5)).map(|_| SYLLABLES[self.below(16)]).collect()
    }

    fn source(&mut self, share: impl Fn(&Source) -> u32) -> &'static Source {
        let mut at = self.below(100) as u32;
        let found = SOURCES.iter().find(|source| {
            let here = at < share(source);
            at = at.saturating_sub(share(source));
            here
        });
        found.unwrap_or(&SOURCES[0])
    }
}

/// So many rules.
pub fn rules(count: usize) -> String {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut text = String::new();
    for n in 0..count {
        let source = random.source(|s| s.rules);
        let mut parts = vec![format!("EventID in ({0}, \"{0}\") and Channel == \"{1}\"i", source.id, source.channel)];
        parts.push(texts(&mut random, source, false));
        for _ in 0..random.below(3) {
            parts.push(texts(&mut random, source, true));
        }
        if random.below(3) == 0 {
            parts.push(format!("not (({}) ?? false)", texts(&mut random, source, true)));
        }
        let _ = writeln!(text, "rule r{n} {{\n  match {{ e: any where {} }}\n}}", parts.join("\n    and "));
    }
    text
}

/// A comparison of a field with a few texts: any field, or one whose texts say much.
fn texts(random: &mut Random, source: &Source, any: bool) -> String {
    let mut field = source.fields[random.below(source.fields.len())];
    if !any && is_program(field) {
        field = source.fields[1];
    }
    let count = if random.below(20) == 0 { 40 } else { 1 + random.below(6) };
    let mut list = |from: &str, to: &str| {
        let one = |random: &mut Random| match random.below(4) {
            0 => format!("\"{from}{} {}{to}\"i", random.word(), random.rare()),
            _ => format!("\"{from}{}{to}\"i", random.rare()),
        };
        (0..count).map(|_| one(random)).collect::<Vec<_>>().join(", ")
    };
    match field {
        field if is_program(field) => {
            let programs: Vec<String> = (0..count.min(4)).map(|_| format!("\"*\\\\{}.exe\"i", random.word())).collect();
            format!("{field} like ({})", programs.join(", "))
        }
        "OriginalFileName" | "User" => format!("{field} in ({})", list("", ".EXE")),
        _ => format!("{field} like ({})", list("*", "*")),
    }
}

fn is_program(field: &str) -> bool {
    matches!(field, "Image" | "ParentImage" | "SourceImage" | "TargetImage" | "NewProcessName")
}

/// So many events, one a line, in time order.
pub fn events(count: usize) -> String {
    let mut random = Random(0xd6e8_feb8_6659_fd93);
    let mut text = String::new();
    for n in 0..count {
        let source = random.source(|s| s.events);
        let seconds = n / 100;
        let _ = write!(
            text,
            "{{\"@timestamp\":\"2026-01-01T{:02}:{:02}:{:02}.{:03}Z\",\"EventID\":{},\"Channel\":\"{}\",\"Hostname\":\"ws-{}\"",
            seconds / 3600 % 24,
            seconds / 60 % 60,
            seconds % 60,
            n % 100 * 10,
            source.id,
            source.channel,
            random.below(50),
        );
        let mut message = String::new();
        for field in source.fields {
            let value = value(&mut random, field);
            let _ = write!(text, ",\"{field}\":\"{value}\"");
            let _ = write!(message, "\\r\\n{field}: {value}");
        }
        for extra in 0..12 {
            let _ = write!(text, ",\"Extra{extra}\":\"{}\"", random.rare());
        }
        let _ = writeln!(text, ",\"Message\":\"{message}\"}}");
    }
    text
}

fn value(random: &mut Random, field: &str) -> String {
    let path = |random: &mut Random| {
        format!("C:\\\\Windows\\\\{}\\\\{}.exe", if random.below(2) == 0 { "System32" } else { "Temp" }, random.word())
    };
    match field {
        "CommandLine" | "ParentCommandLine" => {
            let options: Vec<String> = (0..3 + random.below(8))
                .map(|_| match random.below(3) {
                    0 => format!("/{} {}", random.word(), random.rare()),
                    1 => format!("-{}", random.word()),
                    _ => path(random),
                })
                .collect();
            format!("{} {}", path(random), options.join(" "))
        }
        "ScriptBlockText" => {
            (0..60 + random.below(60)).map(|_| format!("${} = Get-{}; ", random.rare(), random.word())).collect()
        }
        "CallTrace" => (0..12)
            .map(|_| format!("C:\\\\Windows\\\\SYSTEM32\\\\{}.dll+{:x}|", random.word(), random.below(1 << 20)))
            .collect(),
        "Hashes" => format!("MD5={:032x},SHA256={:064x}", random.below(usize::MAX), random.below(usize::MAX)),
        "TargetObject" => format!("HKLM\\\\SOFTWARE\\\\Microsoft\\\\{}\\\\{}", random.word(), random.rare()),
        "User" | "SubjectUserName" => format!("{}.EXE", random.rare()),
        "OriginalFileName" => format!("{}.EXE", random.word()),
        _ => path(random),
    }
}

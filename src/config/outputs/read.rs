//! From the outputs as they are written to outputs, with everything that is wrong about them.

use std::time::Duration;

use super::super::Reader;
use super::super::choice::OutputFormat;
use super::super::item::{ListItem, SECRET_HELP};
use super::super::literal::{bytes, duration};
use super::written::{Written, WrittenText};
use super::{NetOptions, Output, Spool, Target, Text};
use crate::io::deliver::{By, Gathering, Pattern, Route, Service};
use crate::io::sink::file::Rotation;
use crate::io::sink::guard::Net;
use crate::io::sink::http::Url;
use crate::io::sink::nats::is_subject;
use crate::io::sink::row::is_table_name;
use crate::io::sink::secret::Secret;
use crate::io::sink::syslog::Transport;
use crate::io::sink::template::Template;
use crate::io::sink::wire::Peer;

/// What turns standard output and files into outputs with a courier of their own.
const DELIVERY: &[&str] = &["queue", "spool", "when_full", "max_wait", "group", "rate_limit"];
/// What everything that is reached over a network has, and files have not.
const TLS: &[&str] = &["ca", "cert", "key", "timeout"];

/// The keys that an output of a kind may have besides those that all have.
fn known(kind: &str) -> Vec<&'static str> {
    let own: &[&str] = match kind {
        "file" => &["rotate", "batch"],
        "sqlite" => &["table", "batch", "tries"],
        "postgres" => &["table", "batch", "tries", "password", "tls"],
        "webhook" => &["tries", "concurrency", "preset", "body", "headers", "token", "sign", "allow"],
        "elasticsearch" => &["batch", "tries", "index", "user", "password", "token", "allow"],
        "splunk" => &["batch", "tries", "index", "acknowledge", "token", "allow"],
        "syslog" => &["batch", "facility", "hostname", "app_name"],
        "nats" => &["batch", "tries", "subject", "user", "password", "token"],
        "kafka" => &[
            "batch",
            "tries",
            "topic",
            "key_by",
            "headers",
            "mechanism",
            "user",
            "password",
            "token",
            "tls",
            "settings",
            "exactly_once",
        ],
        _ => &[],
    };
    let tls: &[&str] = if matches!(kind, "stdout" | "file" | "sqlite") { &[] } else { TLS };
    [own, tls, DELIVERY].concat()
}

/// Requests that a webhook may have under way at a time.
const MOST_AT_ONCE: usize = 64;

/// All kinds, for messages.
const KINDS: &[&str] = &["file", "sqlite", "postgres", "webhook", "elasticsearch", "splunk", "syslog", "nats", "kafka"];

impl Reader<'_> {
    /// All outputs.
    pub(in crate::config) fn outputs(&mut self, written: Vec<Written>) -> Vec<Output> {
        let mut all: Vec<Output> = Vec::with_capacity(written.len());
        for (n, output) in written.into_iter().enumerate() {
            // What was taken out of it would be missed.
            if self.tree.is_broken("outputs", n) {
                continue;
            }
            let mut item = Item { reader: self, n };
            let Some(mut output) = item.output(output) else { continue };
            let base = output.name.clone();
            let mut same = 1;
            while all.iter().any(|other| other.name == output.name) {
                same += 1;
                output.name = format!("{base} {same}");
            }
            all.push(output);
        }
        let mut spools: Vec<&str> = all.iter().filter_map(|o| Some(o.spool.as_ref()?.directory.as_str())).collect();
        spools.sort_unstable();
        if spools.windows(2).any(|pair| pair[0] == pair[1]) {
            self.wrong(&["outputs"], "two outputs have one spool", "give each a directory of its own");
        }
        if all.iter().filter(|o| o.target == Target::Stdout).count() > 1 {
            self.wrong(&["outputs"], "two outputs write to stdout", "give all but one of them a `file`");
        }
        all
    }
}

/// Reads one item of the list.
pub(super) struct Item<'r, 'a> {
    reader: &'r mut Reader<'a>,
    n: usize,
}

impl<'a> ListItem<'a> for Item<'_, 'a> {
    const LIST: &'static str = "outputs";

    fn reader(&mut self) -> &mut Reader<'a> {
        self.reader
    }

    fn place(&self) -> usize {
        self.n
    }
}

impl Item<'_, '_> {
    fn output(&mut self, w: Written) -> Option<Output> {
        let targets = w.targets();
        let kind = targets.first().copied().unwrap_or("stdout");
        if let Some(second) = targets.get(1) {
            let message = format!("this output goes to `{kind}` and to `{second}`");
            self.wrong(second, &message, "make two outputs of it");
            return None;
        }
        let special = w.special();
        let known = known(kind);
        for key in special.iter().filter(|key| !known.contains(key)) {
            let takers: Vec<&str> = KINDS.iter().copied().filter(|kind| self::known(kind).contains(key)).collect();
            let help = format!("it is for {}", takers.join(", "));
            self.wrong(key, &format!("`{key}` means nothing for an output of `{kind}`"), &help);
        }
        let problems = self.reader.problems.len();
        let format = self.choice("format", w.format.as_deref());
        let route = self.route(&w);
        let service = self.service(&w);
        let spool = self.spool(&w);
        let (target, place) = self.target(kind, &w, format)?;
        let format = format.unwrap_or(match kind {
            "elasticsearch" => OutputFormat::Ecs,
            "syslog" => OutputFormat::Rfc5424,
            _ => OutputFormat::Json,
        });
        let asked = special.iter().any(|key| DELIVERY.contains(key) || matches!(*key, "rotate" | "batch"));
        let in_transactions = matches!(target, Target::Kafka { exactly_once: true, .. });
        if in_transactions
            && let Some(key) = special.iter().find(|k| DELIVERY.contains(k) || matches!(**k, "batch" | "tries"))
        {
            self.wrong(key, "alerts of transactions have no queue", "leave it out, or leave out `exactly_once`");
        }
        let direct = in_transactions || (matches!(target, Target::Stdout | Target::File { .. }) && !asked);
        let name = w.name.unwrap_or_else(|| if place.is_empty() { kind.to_owned() } else { format!("{kind} {place}") });
        (self.reader.problems.len() == problems).then_some(Output {
            name,
            format,
            target,
            route,
            spool,
            service: (!direct).then_some(service),
        })
    }

    /// Where the output goes, and a few words for it.
    fn target(&mut self, kind: &str, w: &Written, format: Option<OutputFormat>) -> Option<(Target, String)> {
        let json_only = matches!(kind, "elasticsearch" | "splunk");
        match format {
            Some(format) if json_only && !format.is_json() => {
                self.wrong("format", &format!("`{kind}` takes JSON only"), "write `json`, `ecs` or `ocsf`");
            }
            Some(_) if matches!(kind, "sqlite" | "postgres") => {
                self.wrong("format", "a table has its own form", "leave `format` out");
            }
            Some(_) if w.preset.is_some() || w.body.is_some() => {
                self.wrong("format", "the body is given by `preset` or `body`", "leave `format` out");
            }
            Some(OutputFormat::Pretty) if !matches!(kind, "stdout" | "file") => {
                self.wrong("format", "`pretty` is for people who read along", "write `json`");
            }
            _ => {}
        }
        let table = w.table.clone().unwrap_or_else(|| "alerts".to_owned());
        let names: Vec<&str> = if kind == "postgres" { table.splitn(2, '.').collect() } else { vec![&table] };
        if !names.iter().all(|name| is_table_name(name)) {
            self.wrong("table", &format!("`{table}` is no plain name of a table"), "use letters, digits and `_`");
        }
        let net = self.net(w);
        Some(match kind {
            "file" => {
                let path = w.file.clone()?;
                (Target::File { path: path.clone(), rotation: self.rotation(w) }, path)
            }
            "sqlite" => {
                let path = w.sqlite.clone()?;
                (Target::Sqlite { path: path.clone(), table }, path)
            }
            "postgres" => {
                let address = self.text("postgres", w.postgres.as_ref()?)?;
                let encrypted = match w.tls.as_deref() {
                    None | Some("required") => true,
                    Some("off") => false,
                    Some(_) => {
                        self.wrong("tls", "`tls` is `required` or `off`", "leave it out for `required`");
                        true
                    }
                };
                let password = self.secret("password", w.password.as_ref());
                (Target::Postgres { address, password, table, encrypted, net }, String::new())
            }
            "webhook" => self.webhook(w, net)?,
            "elasticsearch" => {
                let (url, place) = self.url("elasticsearch", w.elasticsearch.as_ref()?)?;
                let password = self.secret("password", w.password.as_ref());
                let token = self.secret("token", w.token.as_ref());
                if token.is_some() && w.user.is_some() {
                    self.wrong("token", "there is a `token` and a `user`", "keep one of them");
                }
                let index = w.index.clone().unwrap_or_else(|| "tripline-alerts".to_owned());
                (Target::Elastic { url, index, user: w.user.clone(), password, token, net }, place)
            }
            "splunk" => {
                let (url, place) = self.url("splunk", w.splunk.as_ref()?)?;
                let Some(token) = self.secret("token", w.token.as_ref()) else {
                    if w.token.is_none() {
                        self.wrong("splunk", "the collector asks for a token", "add `token: {env: NAME}`");
                    }
                    return None;
                };
                let (index, acknowledge) = (w.index.clone(), w.acknowledge.unwrap_or(false));
                (Target::Splunk { url, token, index, acknowledge, net }, place)
            }
            "syslog" => self.syslog(w, net)?,
            "nats" => self.nats(w, net)?,
            "kafka" => self.kafka(w, net)?,
            _ => (Target::Stdout, String::new()),
        })
    }

    fn webhook(&mut self, w: &Written, net: NetOptions) -> Option<(Target, String)> {
        let (url, place) = self.url("webhook", w.webhook.as_ref()?)?;
        let preset = self.choice("preset", w.preset.as_deref());
        if preset.is_some() && w.body.is_some() {
            self.wrong("body", "there is a `preset` and a `body`", "keep one of them");
        }
        if let Some(Err(problem)) = w.body.as_ref().map(Template::new) {
            self.wrong("body", &problem, "parts of the alert stand in braces, such as `{rule}` or `{key.user}`");
        }
        let mut headers = Vec::new();
        for (name, value) in w.headers.iter().flatten() {
            let name = name.to_ascii_lowercase();
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if name.is_empty() || !name.chars().all(plain) {
                self.wrong("headers", &format!("`{name}` is no name of a header"), "use letters, digits and `-`");
            } else if ["content-type", "content-length", "host", "idempotency-key", "x-tripline-signature"]
                .contains(&name.as_str())
            {
                self.wrong("headers", &format!("`{name}` is set by Tripline"), "leave it out");
            }
            let value = self.text("headers", value)?;
            if let Text::Plain(plain) = &value {
                if name == "authorization" {
                    self.wrong_secret("headers", "a secret does not stand in the file", SECRET_HELP);
                }
                if plain.chars().any(char::is_control) {
                    self.wrong("headers", &format!("`{name}` holds a control character"), "write it on one line");
                }
            }
            headers.push((name, value));
        }
        let token = self.secret("token", w.token.as_ref());
        let sign = self.secret("sign", w.sign.as_ref());
        let concurrency = usize::from(w.concurrency.unwrap_or(1));
        if !(1..=MOST_AT_ONCE).contains(&concurrency) {
            self.wrong("concurrency", "so many requests cannot be under way at a time", "write 1 to 64");
        }
        let target = Target::Webhook { url, preset, body: w.body.clone(), headers, token, sign, concurrency, net };
        Some((target, place))
    }

    fn syslog(&mut self, w: &Written, net: NetOptions) -> Option<(Target, String)> {
        const HELP: &str = "write udp://HOST:514, tcp://HOST:601 or tls://HOST:6514";
        let address = w.syslog.clone()?;
        let (transport, rest, port) = match address.split_once("://") {
            Some(("udp", rest)) => (Transport::Udp, rest, 514),
            Some(("tcp", rest)) => (Transport::Tcp, rest, 601),
            Some(("tls", rest)) => (Transport::Tls, rest, 6514),
            _ => {
                self.wrong("syslog", &format!("`{address}` does not say how messages travel"), HELP);
                return None;
            }
        };
        let peer = self.peer("syslog", rest, port, HELP)?;
        let facility = match w.facility.as_deref() {
            None => 16,
            Some(word) => match FACILITIES.iter().position(|name| *name == word) {
                Some(n) => n as u8,
                None => {
                    let help = format!("it is one of {}", FACILITIES.join(", "));
                    self.wrong("facility", &format!("there is no facility `{word}`"), &help);
                    return None;
                }
            },
        };
        let place = peer.host.clone();
        let app_name = w.app_name.clone().unwrap_or_else(|| "tripline".to_owned());
        Some((Target::Syslog { transport, peer, facility, hostname: w.hostname.clone(), app_name, net }, place))
    }

    fn nats(&mut self, w: &Written, net: NetOptions) -> Option<(Target, String)> {
        const HELP: &str = "write nats://HOST:4222 or tls://HOST:4222";
        let address = w.nats.clone()?;
        let (encrypted, rest) = match address.split_once("://") {
            Some(("nats", rest)) => (false, rest),
            Some(("tls", rest)) => (true, rest),
            _ => {
                self.wrong("nats", &format!("`{address}` is no address of a NATS server"), HELP);
                return None;
            }
        };
        let peer = self.peer("nats", rest, 4222, HELP)?;
        let subject = w.subject.clone().unwrap_or_else(|| "tripline.alerts".to_owned());
        if !is_subject(&subject) {
            let help = "tokens with dots between; `{rule}` and `{severity}` stand for those of the alert";
            self.wrong("subject", &format!("`{subject}` is no subject to publish to"), help);
        }
        let password = self.secret("password", w.password.as_ref());
        let token = self.secret("token", w.token.as_ref());
        let place = peer.host.clone();
        Some((Target::Nats { peer, encrypted, subject, user: w.user.clone(), password, token, net }, place))
    }

    fn peer(&mut self, key: &str, text: &str, port: u16, help: &str) -> Option<Peer> {
        match Peer::parse(text, port) {
            Ok(peer) => Some(peer),
            Err(problem) => {
                self.wrong(key, &problem, help);
                None
            }
        }
    }

    fn net(&mut self, w: &Written) -> NetOptions {
        let mut allow = Vec::new();
        for text in w.allow.as_ref().map(|all| all.as_slice()).unwrap_or_default() {
            match text.parse::<Net>() {
                Ok(net) => allow.push(net),
                Err(problem) => self.wrong("allow", &problem, "`allow` lists networks that are not public"),
            }
        }
        self.key_pair(w.cert.as_ref(), w.key.as_ref());
        let timeout = self.duration("timeout", w.timeout.as_deref()).unwrap_or(Duration::from_secs(10));
        NetOptions { allow, ca: w.ca.clone(), cert: w.cert.clone(), key: w.key.clone(), timeout }
    }

    fn rotation(&mut self, w: &Written) -> Option<Rotation> {
        let rotate = w.rotate.as_ref()?;
        let size = match rotate.size.as_deref().map(bytes) {
            Some(Err(problem)) => {
                self.wrong("size", &problem, "`rotate: {size: 100MB, keep: 5}`");
                None
            }
            size => size.and_then(Result::ok),
        };
        let age = self.duration("age", rotate.age.as_deref());
        if rotate.size.is_none() && rotate.age.is_none() {
            self.wrong("rotate", "this does not say when to rotate", "set `size`, `age`, or both");
        }
        Some(Rotation { size, age, keep: rotate.keep.unwrap_or(5) })
    }

    fn route(&mut self, w: &Written) -> Route {
        let patterns = |texts: &Option<super::super::OneOrMany>| -> Vec<Pattern> {
            texts.iter().flat_map(|texts| texts.as_slice()).map(|text| Pattern::new(text.as_str())).collect()
        };
        Route {
            min_severity: self.choice("min_severity", w.min_severity.as_deref()),
            tags: patterns(&w.tags),
            rules: patterns(&w.rules),
        }
    }

    fn service(&mut self, w: &Written) -> Service {
        let default = Service::default();
        for (key, zero) in [("queue", w.queue == Some(0)), ("batch", w.batch == Some(0)), ("tries", w.tries == Some(0))]
        {
            if zero {
                self.wrong(key, &format!("`{key}` of 0 lets nothing through"), "write 1 or more");
            }
        }
        let group = w.group.as_ref().and_then(|group| {
            let by = group.by.as_slice().iter().map(|name| match name.as_str() {
                "rule" => By::Rule,
                "severity" => By::Severity,
                "key" => By::Key,
                name => By::Named(name.to_owned()),
            });
            let by: Vec<By> = by.collect();
            self.span("wait", &group.wait).map(|span| Gathering { by, pass: 0, span })
        });
        let limit = w.rate_limit.as_ref().and_then(|limit| {
            if limit.alerts == 0 {
                self.wrong("alerts", "a limit of 0 lets nothing through", "write 1 or more");
            }
            self.span("per", &limit.per).map(|span| Gathering { by: vec![By::Rule], pass: limit.alerts, span })
        });
        Service {
            queue: w.queue.unwrap_or(default.queue),
            when_full: self.choice("when_full", w.when_full.as_deref()).unwrap_or_default(),
            batch: w.batch.unwrap_or(default.batch),
            tries: w.tries.unwrap_or(default.tries),
            max_wait: self.duration("max_wait", w.max_wait.as_deref()).unwrap_or(default.max_wait),
            group,
            limit,
            ..default
        }
    }

    fn spool(&mut self, w: &Written) -> Option<Spool> {
        let spool = w.spool.as_ref()?;
        if w.queue.is_some() {
            self.wrong("queue", "there is a `spool` and a `queue`", "keep one of them: a spool is the queue");
        }
        let most = match spool.max.as_deref().map(bytes) {
            None => 1 << 30,
            Some(Ok(most)) if most >= 1 << 20 => most,
            Some(Ok(_)) => {
                self.wrong("max", "a spool of less than 1MiB is none", "write 1MiB or more");
                return None;
            }
            Some(Err(problem)) => {
                self.wrong("max", &problem, "`spool: {dir: spool/NAME, max: 1GiB}`");
                return None;
            }
        };
        Some(Spool { directory: spool.dir.clone(), most })
    }

    /// A length of event time that is not nothing.
    fn span(&mut self, key: &str, text: &str) -> Option<crate::base::Duration> {
        match duration(text) {
            Ok(span) if span.0 > 0 => Some(span),
            Ok(_) => {
                self.wrong(key, "this is no time at all", "write 1s or more");
                None
            }
            Err(problem) => {
                self.wrong(key, &problem, "a duration is a number with a unit: 500ms, 30s, 5m, 1h30m, 2d");
                None
            }
        }
    }

    fn duration(&mut self, key: &str, text: Option<&str>) -> Option<Duration> {
        let span = self.span(key, text?)?;
        Some(Duration::from_nanos(u64::try_from(span.0).unwrap_or(0)))
    }

    /// A text that may stand in the file or elsewhere.
    pub(super) fn text(&mut self, key: &str, text: &WrittenText) -> Option<Text> {
        match text {
            WrittenText::Plain(text) => Some(Text::Plain(text.clone())),
            WrittenText::Place(place) => self.secret_place(key, place).map(Text::Secret),
        }
    }

    /// An address and its host. One that is a secret is checked when it is read.
    fn url(&mut self, key: &str, text: &WrittenText) -> Option<(Text, String)> {
        let text = self.text(key, text)?;
        let Text::Plain(plain) = &text else { return Some((text, String::new())) };
        match Url::parse(&Secret::new(plain.as_str())) {
            Ok(url) => {
                let host = url.host().to_owned();
                Some((text, host))
            }
            Err(problem) => {
                self.wrong_secret(key, &problem, "an address looks like https://HOST/PATH");
                None
            }
        }
    }
}

/// The facilities of RFC 5424, by their numbers.
const FACILITIES: &[&str] = &[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

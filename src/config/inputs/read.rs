//! From the inputs as they are written to inputs, with everything that is wrong about them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration as StdDuration;

use super::super::Reader;
use super::super::choice::FileFormat;
use super::super::item::ListItem;
use super::super::literal::{bytes, duration};
use super::written::{Written, WrittenAddress, WrittenInput, WrittenInputs};
use super::{Input, NetBounds, Origin, Reading, ReadingPreset, ServerTls};
use crate::base::Duration;
use crate::decode::timefield::TimeFormat;
use crate::io::form::csv::{CsvForm, Kind};
use crate::io::form::syslog::SyslogForm;
use crate::io::listen::Endpoint;
use crate::io::source::{Form, STDIN};

/// What everything that listens has.
const NET: &[&str] = &["queue", "connections", "timeout"];
/// What everything that listens on a port for streams has.
const TLS: &[&str] = &["cert", "key", "ca"];
/// All kinds, for messages.
const KINDS: &[&str] = &["file", "http", "tcp", "unix", "syslog", "kafka"];

/// Bytes of a body at most, if nothing is said.
const MAX_BODY: usize = 16 << 20;
/// The permission bits of a socket, if nothing is said: its owner alone.
const MODE: u32 = 0o600;

/// The keys that an input of a kind may have besides those that all have.
fn known(kind: &str) -> Vec<&'static str> {
    let own: &[&[&str]] = match kind {
        "file" => &[&["format", "columns", "delimiter"]],
        "http" => &[&["token", "max_body"], NET, TLS],
        "tcp" => &[NET, TLS],
        "unix" => &[&["mode"], NET],
        "syslog" => &[&["open_json", "zone"], NET, TLS],
        "kafka" => &[super::kafka::KEYS],
        _ => &[],
    };
    own.concat()
}

/// The input that a word on the command line means.
pub(super) fn listening(word: &str) -> Result<Input, String> {
    let problem = || {
        format!(
            "`{word}` is nothing to listen on; write http://127.0.0.1:8080, tcp://127.0.0.1:7000, \
             unix:/run/events.sock, syslog+udp://127.0.0.1:5514 or syslog+tcp://127.0.0.1:5514"
        )
    };
    let (scheme, rest) = word.split_once(':').ok_or_else(problem)?;
    let bounds = NetBounds::default();
    let place = rest.strip_prefix("//").unwrap_or(rest);
    let at = || address(place.trim_end_matches('/')).map_err(|_| problem());
    let (name, origin) = match scheme {
        "http" => ("http", Origin::Http { address: at()?, token: None, max_body: MAX_BODY, tls: None, bounds }),
        "tcp" => ("tcp", Origin::Tcp { address: at()?, tls: None, bounds }),
        "syslog+udp" | "syslog+tcp" => {
            let at = at()?;
            let endpoint = if scheme == "syslog+udp" { Endpoint::Udp(at) } else { Endpoint::Tcp(at) };
            ("syslog", Origin::Syslog { endpoint, form: SyslogForm::default(), tls: None, bounds })
        }
        "unix" if !place.is_empty() => ("unix", Origin::Unix { path: place.to_owned(), mode: MODE, bounds }),
        "https" | "tls" | "syslog+tls" => {
            return Err(format!(
                "`{word}` needs a certificate: set it up as an input of tripline.yaml, with `cert` and `key`"
            ));
        }
        _ => return Err(problem()),
    };
    Ok(Input { name: name.to_owned(), origin, reading: Reading::default() })
}

/// An address and a port; a port alone is one of this machine only.
fn address(text: &str) -> Result<SocketAddr, String> {
    let problem = || format!("`{text}` is no address with a port, such as 127.0.0.1:8080");
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(problem)?;
    let host: IpAddr = match host {
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        _ => return Err(problem()),
    };
    Ok(SocketAddr::new(host, port.parse().map_err(|_| problem())?))
}

impl Reader<'_> {
    /// All inputs.
    pub(in crate::config) fn inputs(&mut self, written: WrittenInputs) -> Vec<Input> {
        let mut all: Vec<Input> = Vec::with_capacity(written.0.len());
        for (n, input) in written.0.into_iter().enumerate() {
            // What was taken out of it would be missed.
            if self.tree.is_broken("inputs", n) {
                continue;
            }
            let input = match input {
                WrittenInput::Path(path) => Some(Input::file(path)),
                WrittenInput::Full(written) => Item { reader: self, n }.input(&written),
            };
            let Some(mut input) = input else { continue };
            let base = input.name.clone();
            let mut same = 1;
            while input.is_live() && all.iter().any(|other| other.name == input.name) {
                same += 1;
                input.name = format!("{base} {same}");
            }
            if all.iter().any(|other| other.name == input.name) {
                let mut item = Item { reader: self, n };
                item.wrong("name", &format!("two inputs are called `{}`", input.name), "give each a `name` of its own");
            }
            all.push(input);
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
    const LIST: &'static str = "inputs";

    fn reader(&mut self) -> &mut Reader<'a> {
        self.reader
    }

    fn place(&self) -> usize {
        self.n
    }
}

impl Item<'_, '_> {
    fn input(&mut self, w: &Written) -> Option<Input> {
        let origins = w.origins();
        let Some(kind) = origins.first().copied() else {
            let help = format!("add one of {}", KINDS.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", "));
            self.wrong("name", "this input does not say where events come from", &help);
            return None;
        };
        if let Some(second) = origins.get(1) {
            self.wrong(second, &format!("this input is `{kind}` and `{second}`"), "make two inputs of it");
            return None;
        }
        let known = known(kind);
        for key in w.special().into_iter().filter(|key| !known.contains(key)) {
            let takers: Vec<&str> = KINDS.iter().copied().filter(|kind| self::known(kind).contains(&key)).collect();
            let help = format!("it is for {}", takers.join(", "));
            self.wrong(key, &format!("`{key}` means nothing for an input of `{kind}`"), &help);
        }
        let problems = self.reader.problems.len();
        let reading = self.reading(w);
        let origin = self.origin(kind, w)?;
        let name = match (&w.name, &origin) {
            (Some(name), _) => name.clone(),
            (None, Origin::File { path, .. }) => path.clone(),
            (None, _) => kind.to_owned(),
        };
        if name.trim().is_empty() {
            self.wrong("name", "an input has no name", "write one, or leave `name` out");
        }
        (self.reader.problems.len() == problems).then_some(Input { name, origin, reading })
    }

    fn origin(&mut self, kind: &str, w: &Written) -> Option<Origin> {
        if kind == "kafka" {
            return self.kafka(w);
        }
        let bounds = self.bounds(w);
        let tls = self.tls(w);
        Some(match kind {
            "file" => self.file(w)?,
            "http" => {
                let address = self.address("http", w.http.as_ref()?);
                let token = self.secret("token", w.token.as_ref());
                let max_body = self.size("max_body", w.max_body.as_deref()).unwrap_or(MAX_BODY);
                if max_body > bounds.queue / 2 {
                    let help = "a body and what it unpacks to must find room in `queue`";
                    self.wrong("max_body", "`max_body` is more than half of `queue`", help);
                }
                Origin::Http { address: address?, token, max_body, tls, bounds }
            }
            "tcp" => Origin::Tcp { address: self.address("tcp", w.tcp.as_ref()?)?, tls, bounds },
            "syslog" => self.syslog(w, tls, bounds)?,
            "unix" => {
                let mode = w.mode.as_deref().map(|mode| u32::from_str_radix(mode, 8));
                if mode.as_ref().is_some_and(|mode| mode.as_ref().map_or(true, |mode| *mode > 0o777)) {
                    self.wrong(
                        "mode",
                        "these are no permission bits",
                        "write three octal digits in quotes, such as \"660\"",
                    );
                }
                let mode = mode.and_then(Result::ok).unwrap_or(MODE);
                Origin::Unix { path: w.unix.clone()?, mode, bounds }
            }
            _ => return None,
        })
    }

    fn file(&mut self, w: &Written) -> Option<Origin> {
        let path = w.file.clone()?;
        let mut form = match self.choice::<FileFormat>("format", w.format.as_deref()) {
            None => Form::of_name(&path),
            Some(FileFormat::Json) => Form::Json,
            Some(FileFormat::Kafka) if path == STDIN => {
                let help = "name a file: it is read once for each partition";
                self.wrong("format", "records of topics are not read from a pipe", help);
                return None;
            }
            Some(FileFormat::Kafka) => Form::Records(None),
            Some(FileFormat::Csv) => match Form::of_name(&path) {
                table @ Form::Csv(_) => table,
                Form::Json | Form::Records(_) => Form::Csv(CsvForm::default()),
            },
        };
        let Form::Csv(table) = &mut form else {
            for (key, set) in [("columns", w.columns.is_some()), ("delimiter", w.delimiter.is_some())] {
                if set {
                    self.wrong(key, &format!("`{key}` means nothing for lines of JSON"), "add `format: csv`");
                }
            }
            return Some(Origin::File { path, form });
        };
        for (column, kind) in w.columns.iter().flatten() {
            if let Some(kind) = self.choice::<Kind>("columns", Some(kind)) {
                table.kinds.insert(column.clone(), kind);
            }
        }
        match w.delimiter.as_deref().map(str::as_bytes) {
            None => {}
            Some(b"\\t" | b"tab") => table.delimiter = b'\t',
            Some([one]) if one.is_ascii() && !matches!(one, b'"' | b'\n' | b'\r') => table.delimiter = *one,
            Some(_) => self.wrong("delimiter", "this is not one plain character", "write `,`, `;`, `|` or `tab`"),
        }
        Some(Origin::File { path, form })
    }

    fn syslog(&mut self, w: &Written, tls: Option<ServerTls>, bounds: NetBounds) -> Option<Origin> {
        const HELP: &str = "write udp://127.0.0.1:5514, tcp://127.0.0.1:5514 or tls://127.0.0.1:6514";
        let text = w.syslog.as_deref()?;
        let Some((transport @ ("udp" | "tcp" | "tls"), rest)) = text.split_once("://") else {
            self.wrong("syslog", &format!("`{text}` does not say how messages travel"), HELP);
            return None;
        };
        let address = address(rest).map_err(|message| self.wrong("syslog", &message, HELP)).ok();
        match (transport, &tls) {
            ("tls", None) if w.cert.is_none() && w.key.is_none() => {
                self.wrong("syslog", "TLS needs a certificate", "add `cert` and `key`");
            }
            ("udp" | "tcp", Some(_)) => {
                self.wrong("cert", &format!("`{transport}` is not encrypted"), "write tls://… for the address");
            }
            _ => {}
        }
        let zone = w.zone.as_deref().map(str::parse::<chrono_tz::Tz>);
        if let Some(Err(_)) = zone {
            let help = "write the name of a zone, such as Europe/Berlin";
            self.wrong("zone", &format!("there is no time zone `{}`", w.zone.as_deref().unwrap_or_default()), help);
        }
        let form = SyslogForm {
            open_json: w.open_json.unwrap_or(false),
            zone: zone.and_then(Result::ok).unwrap_or(chrono_tz::Tz::UTC),
        };
        let endpoint = if transport == "udp" { Endpoint::Udp(address?) } else { Endpoint::Tcp(address?) };
        Some(Origin::Syslog { endpoint, form, tls, bounds })
    }

    fn reading(&mut self, w: &Written) -> Reading {
        let time = w.time.as_ref();
        let fields = time.and_then(|time| time.fields());
        if fields.as_ref().is_some_and(|fields| fields.iter().all(|field| field.trim().is_empty())) {
            self.wrong("fields", "no time field is named", "name at least one field");
        }
        let time_format = time.and_then(|time| time.format.as_deref()).and_then(|text| {
            let format = TimeFormat::parse(text);
            format.map_err(|m| self.wrong("format", &m, "`auto` reads RFC 3339 and numbers since 1970")).ok()
        });
        let on_missing = time.and_then(|time| time.on_missing.as_deref());
        let preset = self.choice::<ReadingPreset>("preset", w.preset.as_deref());
        let preset = preset.map(ReadingPreset::reading).unwrap_or_default();
        Reading {
            time_fields: fields.or(preset.time_fields),
            time_format: time_format.or(preset.time_format),
            on_missing: self.choice("on_missing", on_missing),
            type_field: w.type_field.clone().or(preset.type_field),
            lateness: self.duration("lateness", w.lateness.as_deref()),
            idle: self.duration("idle", w.idle.as_deref()),
            max_future: self.duration("max_future", w.max_future.as_deref()),
        }
    }

    fn bounds(&mut self, w: &Written) -> NetBounds {
        let default = NetBounds::default();
        if w.connections == Some(0) {
            self.wrong("connections", "no connection at all lets nothing in", "write 1 or more");
        }
        let queue = self.size("queue", w.queue.as_deref());
        if queue.is_some_and(|queue| !(1 << 20..=1 << 30).contains(&queue)) {
            self.wrong("queue", "a queue holds from 1MiB to 1GiB", "write a size such as 64MiB");
        }
        let timeout = self.duration("timeout", w.timeout.as_deref());
        if timeout.is_some_and(|timeout| timeout.0 <= 0) {
            self.wrong("timeout", "this is no time at all", "write 1s or more");
        }
        NetBounds {
            queue: queue.unwrap_or(default.queue),
            connections: w.connections.unwrap_or(default.connections),
            timeout: timeout.map_or(default.timeout, |t| StdDuration::from_nanos(u64::try_from(t.0).unwrap_or(1))),
        }
    }

    fn tls(&mut self, w: &Written) -> Option<ServerTls> {
        match (&w.cert, &w.key) {
            (Some(cert), Some(key)) => Some(ServerTls { cert: cert.clone(), key: key.clone(), ca: w.ca.clone() }),
            (None, None) => {
                if w.ca.is_some() {
                    self.wrong("ca", "clients can be certified over TLS only", "add `cert` and `key`");
                }
                None
            }
            (Some(_), None) => {
                self.wrong("cert", "there is a `cert` without its `key`", "name the file of the key too");
                None
            }
            (None, Some(_)) => {
                self.wrong("key", "there is a `key` without its `cert`", "name the file of the certificate too");
                None
            }
        }
    }

    fn address(&mut self, key: &str, written: &WrittenAddress) -> Option<SocketAddr> {
        let text = written.0.strip_prefix(&format!("{key}://")).unwrap_or(&written.0);
        let address = address(text);
        address.map_err(|m| self.wrong(key, &m, "a port alone, such as `8080`, is open to this machine only")).ok()
    }

    fn size(&mut self, key: &str, text: Option<&str>) -> Option<usize> {
        let size = bytes(text?).map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        size.map_err(|m| self.wrong(key, &m, "a size is a number with a unit: 64KiB, 16MiB, 100MB")).ok()
    }

    pub(super) fn duration(&mut self, key: &str, text: Option<&str>) -> Option<Duration> {
        let help = "a duration is a number with a unit: 500ms, 30s, 5m, 1h30m, 2d";
        duration(text?).map_err(|message| self.wrong(key, &message, help)).ok()
    }
}

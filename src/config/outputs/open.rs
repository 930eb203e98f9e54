//! From an output to its sink: secrets are read, paths are found, files are opened.
#![expect(clippy::disallowed_methods, reason = "the system's name stands in a file")]

use std::fs;
use std::path::{Path, PathBuf};

use super::{NetOptions, Output, Target, Text};
use crate::alert::format::rfc5424::Speaker;
use crate::io::deliver::Sink;
use crate::io::kafka::AlertRecords;
use crate::io::sink::elastic::{ElasticOptions, ElasticSink};
use crate::io::sink::file::FileSink;
use crate::io::sink::http::{HttpOptions, Url};
use crate::io::sink::nats::{NatsOptions, NatsSink};
use crate::io::sink::postgres::{PostgresOptions, PostgresSink};
use crate::io::sink::secret::{Env, Secret, SecretPlace};
use crate::io::sink::splunk::{SplunkOptions, SplunkSink};
use crate::io::sink::sqlite::SqliteSink;
use crate::io::sink::stdout::StdoutSink;
use crate::io::sink::syslog::{SyslogOptions, SyslogSink};
use crate::io::sink::template::Template;
use crate::io::sink::tls::TlsOptions;
use crate::io::sink::webhook::{Body, WebhookOptions, WebhookSink};

/// Opens the sink of an output. Paths are relative to `directory`; `env` is the environment.
///
/// # Errors
/// Says in words what is missing. The words hold no secret.
pub fn open(output: &Output, directory: &Path, env: Env<'_>) -> Result<Box<dyn Sink>, String> {
    let opener = Opener { directory, env };
    opener.open(output).map_err(|problem| format!("output {}: {problem}", output.name))
}

/// What alerts become in Kafka, if the output is of that kind.
///
/// # Errors
/// Says in words what is missing. The words hold no secret.
pub fn alert_records(output: &Output, directory: &Path, env: Env<'_>) -> Result<Option<AlertRecords>, String> {
    let Target::Kafka { topic, key_by, headers, .. } = &output.target else { return Ok(None) };
    let records = Opener { directory, env }.alert_records(topic, *key_by, headers, output.format.rendering(false));
    records.map(Some).map_err(|problem| format!("output {}: {problem}", output.name))
}

pub(super) struct Opener<'a> {
    pub(super) directory: &'a Path,
    pub(super) env: Env<'a>,
}

impl Opener<'_> {
    fn open(&self, output: &Output) -> Result<Box<dyn Sink>, String> {
        let format = output.format.rendering(false);
        Ok(match &output.target {
            Target::Stdout => Box::new(StdoutSink::new(format)),
            Target::File { path, rotation } => {
                let path = self.path(path);
                let sink = FileSink::open(&path, format, *rotation);
                Box::new(sink.map_err(|error| format!("{} cannot be opened: {error}", path.display()))?)
            }
            Target::Sqlite { path, table } => Box::new(SqliteSink::open(&self.path(path), table)?),
            Target::Postgres { address, password, table, encrypted, net } => {
                let options = PostgresOptions {
                    address: self.text(address)?.reveal().to_owned(),
                    password: self.secret(password.as_ref())?,
                    table: table.clone(),
                    tls: encrypted.then(|| self.tls(net)),
                    timeout: net.timeout,
                };
                Box::new(PostgresSink::new(&options)?)
            }
            Target::Webhook { url, preset, body, headers, token, sign, concurrency, net } => {
                let body = match (preset, body) {
                    (Some(preset), _) => Body::Preset(*preset),
                    (None, Some(body)) => Body::Template(Template::new(body)?),
                    (None, None) => Body::Alert(format),
                };
                let mut filled = Vec::with_capacity(headers.len());
                for (name, value) in headers {
                    filled.push((name.clone(), self.text(value)?));
                }
                Box::new(WebhookSink::new(WebhookOptions {
                    url: Url::parse(&self.text(url)?)?,
                    body,
                    headers: filled,
                    token: self.secret(token.as_ref())?,
                    sign: self.secret(sign.as_ref())?,
                    concurrency: *concurrency,
                    http: self.http(net),
                })?)
            }
            Target::Elastic { url, index, user, password, token, net } => Box::new(ElasticSink::new(ElasticOptions {
                url: Url::parse(&self.text(url)?)?,
                index: index.clone(),
                format,
                user: user.clone(),
                password: self.secret(password.as_ref())?,
                token: self.secret(token.as_ref())?,
                http: self.http(net),
            })?),
            Target::Splunk { url, token, index, acknowledge, net } => Box::new(SplunkSink::new(SplunkOptions {
                url: Url::parse(&self.text(url)?)?,
                token: token.read(self.env)?,
                index: index.clone(),
                acknowledge: *acknowledge,
                format,
                http: self.http(net),
            })?),
            Target::Syslog { transport, peer, facility, hostname, app_name, net } => {
                let speaker = Speaker {
                    facility: *facility,
                    hostname: hostname.clone().unwrap_or_else(system_name),
                    app_name: app_name.clone(),
                };
                Box::new(SyslogSink::new(SyslogOptions {
                    transport: *transport,
                    peer: peer.clone(),
                    speaker,
                    format,
                    tls: self.tls(net),
                    timeout: net.timeout,
                })?)
            }
            Target::Nats { peer, encrypted, subject, user, password, token, net } => {
                Box::new(NatsSink::new(NatsOptions {
                    peer: peer.clone(),
                    subject: subject.clone(),
                    format,
                    user: user.clone(),
                    password: self.secret(password.as_ref())?,
                    token: self.secret(token.as_ref())?,
                    tls: encrypted.then(|| self.tls(net)),
                    timeout: net.timeout,
                })?)
            }
            Target::Kafka { peer, topic, key_by, headers, .. } => self.kafka(peer, topic, *key_by, headers, format)?,
        })
    }

    fn path(&self, written: &str) -> PathBuf {
        self.directory.join(written)
    }

    pub(super) fn text(&self, text: &Text) -> Result<Secret, String> {
        match text {
            Text::Plain(text) => Ok(Secret::new(text.as_str())),
            Text::Secret(place) => self.located(place).read(self.env),
        }
    }

    fn secret(&self, place: Option<&SecretPlace>) -> Result<Option<Secret>, String> {
        place.map(|place| self.located(place).read(self.env)).transpose()
    }

    fn located(&self, place: &SecretPlace) -> SecretPlace {
        match place {
            SecretPlace::File(path) => SecretPlace::File(self.directory.join(path)),
            other => other.clone(),
        }
    }

    fn tls(&self, net: &NetOptions) -> TlsOptions {
        let path = |path: &Option<String>| path.as_deref().map(|path| self.path(path));
        TlsOptions { ca: path(&net.ca), cert: path(&net.cert), key: path(&net.key) }
    }

    fn http(&self, net: &NetOptions) -> HttpOptions {
        HttpOptions { allow: net.allow.clone(), tls: self.tls(net), timeout: net.timeout }
    }
}

/// The name that the system gives itself, if it can be found.
fn system_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| fs::read_to_string("/etc/hostname"));
    name.map(|name| name.trim().to_owned()).ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "-".to_owned())
}

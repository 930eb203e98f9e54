//! An output as it stands in the file.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::OneOrMany;
use super::super::kafka::WrittenSetting;
use crate::io::sink::secret::SecretPlace;

/// All keys that any output may have. Which of them go together is for [`super::read`] to say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Written {
    pub(super) name: Option<String>,
    pub(super) format: Option<String>,
    pub(super) min_severity: Option<String>,
    pub(super) tags: Option<OneOrMany>,
    pub(super) rules: Option<OneOrMany>,
    // Where to: one of these, or none for standard output.
    pub(super) file: Option<String>,
    pub(super) sqlite: Option<String>,
    pub(super) postgres: Option<WrittenText>,
    pub(super) webhook: Option<WrittenText>,
    pub(super) elasticsearch: Option<WrittenText>,
    pub(super) splunk: Option<WrittenText>,
    pub(super) syslog: Option<String>,
    pub(super) nats: Option<String>,
    pub(super) kafka: Option<String>,
    // What only some of them have.
    pub(super) rotate: Option<WrittenRotation>,
    pub(super) table: Option<String>,
    pub(super) preset: Option<String>,
    pub(super) body: Option<Value>,
    pub(super) headers: Option<BTreeMap<String, WrittenText>>,
    pub(super) token: Option<WrittenText>,
    pub(super) sign: Option<WrittenText>,
    pub(super) user: Option<String>,
    pub(super) password: Option<WrittenText>,
    pub(super) index: Option<String>,
    pub(super) acknowledge: Option<bool>,
    pub(super) concurrency: Option<u16>,
    pub(super) subject: Option<String>,
    pub(super) topic: Option<String>,
    pub(super) key_by: Option<String>,
    pub(super) exactly_once: Option<bool>,
    pub(super) mechanism: Option<String>,
    pub(super) settings: Option<BTreeMap<String, WrittenSetting>>,
    pub(super) facility: Option<String>,
    pub(super) hostname: Option<String>,
    pub(super) app_name: Option<String>,
    pub(super) tls: Option<String>,
    pub(super) allow: Option<OneOrMany>,
    pub(super) ca: Option<String>,
    pub(super) cert: Option<String>,
    pub(super) key: Option<String>,
    pub(super) timeout: Option<String>,
    // How delivery is seen through.
    pub(super) queue: Option<usize>,
    pub(super) spool: Option<WrittenSpool>,
    pub(super) when_full: Option<String>,
    pub(super) batch: Option<usize>,
    pub(super) tries: Option<u32>,
    pub(super) max_wait: Option<String>,
    pub(super) group: Option<WrittenGroup>,
    pub(super) rate_limit: Option<WrittenLimit>,
}

/// A text, or the place of a secret.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::config) enum WrittenText {
    Plain(String),
    Place(WrittenPlace),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct WrittenPlace {
    pub(super) env: Option<String>,
    pub(super) file: Option<String>,
    pub(super) credential: Option<String>,
}

impl WrittenPlace {
    /// The place, if it is one and no more.
    pub(in crate::config) fn place(&self) -> Option<SecretPlace> {
        match self {
            Self { env: Some(name), file: None, credential: None } => Some(SecretPlace::Env(name.clone())),
            Self { env: None, file: Some(path), credential: None } => Some(SecretPlace::File(path.into())),
            Self { env: None, file: None, credential: Some(name) } => Some(SecretPlace::Credential(name.clone())),
            _ => None,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenRotation {
    pub(super) size: Option<String>,
    pub(super) age: Option<String>,
    pub(super) keep: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenSpool {
    pub(super) dir: String,
    pub(super) max: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenGroup {
    pub(super) by: OneOrMany,
    pub(super) wait: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenLimit {
    pub(super) alerts: u64,
    pub(super) per: String,
}

impl Written {
    /// The keys that are set, of those that only some outputs have.
    pub(super) fn special(&self) -> Vec<&'static str> {
        keys_set!(self;
            rotate, table, preset, body, headers, token, sign, user, password, index, acknowledge,
            concurrency, subject, facility, hostname, topic, key_by, mechanism, settings, exactly_once,
            app_name, tls, allow, ca, cert, key, timeout, queue, spool, when_full, batch, tries, max_wait,
            group, rate_limit
        )
    }

    /// The keys that are set, of those that say where to.
    pub(super) fn targets(&self) -> Vec<&'static str> {
        keys_set!(self; file, sqlite, postgres, webhook, elasticsearch, splunk, syslog, nats, kafka)
    }
}

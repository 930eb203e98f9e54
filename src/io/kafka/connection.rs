//! How brokers are reached: addresses, TLS, who we are, and settings that are handed on.

use crate::io::sink::secret::Secret;
use crate::io::sink::tls::TlsOptions;

/// How a cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// `HOST:PORT`, one or more with commas between.
    pub brokers: String,
    /// What is trusted. `None` for connections without TLS.
    pub tls: Option<TlsOptions>,
    /// Who we are, if the brokers ask.
    pub sasl: Option<Sasl>,
    /// Further settings of librdkafka by their names there.
    pub settings: Vec<(String, Secret)>,
}

impl Connection {
    /// A connection without TLS and without a name.
    pub fn plain(brokers: impl Into<String>) -> Self {
        Self { brokers: brokers.into(), tls: None, sasl: None, settings: Vec::new() }
    }
}

/// Who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sasl {
    /// How that is shown.
    pub mechanism: Mechanism,
    /// The name; empty with a token.
    pub user: String,
    /// The password or the token.
    pub secret: Secret,
}

/// How a client shows who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mechanism {
    /// The password itself.
    Plain,
    /// A proof that the password is known.
    Scram256,
    /// The same with a longer hash.
    #[default]
    Scram512,
    /// A token that somebody else gave out.
    OauthBearer,
}

impl Mechanism {
    /// The name that brokers know.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Scram256 => "SCRAM-SHA-256",
            Self::Scram512 => "SCRAM-SHA-512",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }
}

/// Settings that are Tripline's: its promises rest on them, or they have a key of their own.
const OWN: &[(&str, &str)] = &[
    ("bootstrap.servers", "the address stands after `kafka`"),
    ("metadata.broker.list", "the address stands after `kafka`"),
    ("group.id", "set `group`"),
    ("group.instance.id", "set `instance`"),
    ("group.protocol", "set `protocol`"),
    ("partition.assignment.strategy", "members give up only what moves"),
    ("transactional.id", "it is set where output is `exactly_once`"),
    ("security.protocol", "set `tls` and `mechanism`"),
    ("sasl.mechanism", "set `mechanism`"),
    ("sasl.mechanisms", "set `mechanism`"),
    ("sasl.username", "set `user`"),
    ("sasl.password", "set `password`"),
    ("ssl.ca.location", "set `ca`"),
    ("ssl.certificate.location", "set `cert`"),
    ("ssl.key.location", "set `key`"),
    ("enable.auto.commit", "offsets are committed behind checkpoints"),
    ("enable.auto.offset.store", "offsets are committed behind checkpoints"),
    ("auto.offset.reset", "set `start`"),
    ("isolation.level", "events of transactions count when these are committed"),
    ("enable.idempotence", "it is always on"),
    ("enable.ssl.certificate.verification", "certificates are always verified"),
    ("ssl.endpoint.identification.algorithm", "names are always verified"),
];

/// Why a setting of librdkafka cannot be handed on, if so.
pub fn unusable_setting(name: &str) -> Option<&'static str> {
    OWN.iter().find(|(own, _)| *own == name).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_promises_rest_on_cannot_be_set() {
        assert!(unusable_setting("enable.auto.commit").is_some());
        assert!(unusable_setting("enable.ssl.certificate.verification").is_some());
        assert!(unusable_setting("linger.ms").is_none());
    }
}

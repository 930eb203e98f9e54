//! librdkafka's settings from a [`Connection`], and its complaints in our words.
//!
//! librdkafka goes on trying whatever happens, and says why it does not get anywhere beside the calls. [`Complaints`]
//! keeps the most telling of it, so that whoever has waited in vain can name the setting that is at fault.

use std::error::Error;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

use super::{Connection, Mechanism};

/// How long a token is used that does not say itself.
const TOKEN_LIFE: Duration = Duration::from_secs(300);

/// How long a producer is left alone before it is asked again what brokers have answered.
const SLICE: Duration = Duration::from_millis(1);

/// Takes what brokers have answered to a producer, if anything. The client's own way of waiting for more lasts as long as
/// it may, whatever comes meanwhile.
fn take_answers<C: ProducerContext>(producer: &BaseProducer<C>) {
    loop {
        let before = producer.in_flight_count();
        producer.poll(Duration::ZERO);
        if producer.in_flight_count() >= before {
            return;
        }
    }
}

/// Waits a little for what brokers answer to a producer.
#[expect(clippy::disallowed_methods, reason = "brokers are waited for by the clock")]
pub fn wait_for_answers<C: ProducerContext>(producer: &BaseProducer<C>) {
    take_answers(producer);
    std::thread::sleep(SLICE);
    take_answers(producer);
}

/// Waits until brokers have answered for everything that a producer was given, but no longer than that.
///
/// # Errors
/// They have not.
#[expect(clippy::disallowed_methods, reason = "brokers are waited for by the clock")]
pub fn flush<C: ProducerContext>(producer: &BaseProducer<C>, at_most: Duration) -> Result<(), KafkaError> {
    let until = Instant::now() + at_most;
    loop {
        match producer.flush(Duration::ZERO) {
            Err(KafkaError::Flush(_)) if Instant::now() < until => wait_for_answers(producer),
            flushed => return flushed,
        }
    }
}

/// How long a client is polled at its beginning to have it show a token.
const TOKEN_SHOWN: Duration = Duration::from_millis(10);

/// Whether brokers are shown a token. Then no client gets an answer before it has been polled once.
fn shows_token(settings: &ClientConfig) -> bool {
    settings.get("sasl.mechanisms") == Some(Mechanism::OauthBearer.as_str())
}

/// A client that reads.
///
/// # Errors
/// A setting cannot be used, in words that name it.
pub fn consumer<C: ConsumerContext>(settings: &ClientConfig, context: C) -> Result<BaseConsumer<C>, String> {
    let consumer: BaseConsumer<C> = settings.create_with_context(context).map_err(|error| unusable(&error))?;
    if shows_token(settings) {
        let _ = consumer.poll(TOKEN_SHOWN);
    }
    Ok(consumer)
}

/// A client that writes.
///
/// # Errors
/// A setting cannot be used, in words that name it.
pub fn producer<C: ProducerContext>(settings: &ClientConfig, context: C) -> Result<BaseProducer<C>, String> {
    let producer: BaseProducer<C> = settings.create_with_context(context).map_err(|error| unusable(&error))?;
    if shows_token(settings) {
        producer.poll(TOKEN_SHOWN);
    }
    Ok(producer)
}

/// Settings that every client has.
pub fn config(connection: &Connection) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &connection.brokers).set("client.id", "tripline");
    let protocol = match (&connection.tls, &connection.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if let Some(tls) = &connection.tls {
        let mut file = |name: &str, path: &Option<std::path::PathBuf>| {
            if let Some(path) = path.as_deref().and_then(Path::to_str) {
                config.set(name, path);
            }
        };
        file("ssl.ca.location", &tls.ca);
        file("ssl.certificate.location", &tls.cert);
        file("ssl.key.location", &tls.key);
    }
    if let Some(sasl) = &connection.sasl {
        config.set("sasl.mechanisms", sasl.mechanism.as_str());
        if sasl.mechanism != Mechanism::OauthBearer {
            config.set("sasl.username", &sasl.user).set("sasl.password", sasl.secret.reveal());
        }
    }
    for (name, value) in &connection.settings {
        config.set(name, value.reveal());
    }
    config
}

/// A client could not be made: which setting is at fault, in words without any value.
pub fn unusable(error: &KafkaError) -> String {
    const NOT_BUILT: &str =
        "this program was built without TLS and SCRAM for Kafka: build it with `--features kafka-tls`";
    let KafkaError::ClientConfig(_, words, name, _) = error else {
        let words = error.to_string();
        if words.contains("No provider for SASL mechanism") {
            return NOT_BUILT.to_owned();
        }
        return match words.contains("ssl.ca.location") || words.contains("ssl.key.location") {
            true => format!("`ca`, `cert` or `key` cannot be used: {words}"),
            false => words,
        };
    };
    if words.contains("OpenSSL not available") || words.contains("not available at build time") {
        return NOT_BUILT.to_owned();
    }
    let setting = match name.as_str() {
        "ssl.ca.location" => "ca",
        "ssl.certificate.location" => "cert",
        "ssl.key.location" => "key",
        "sasl.mechanisms" => "mechanism",
        name => return format!("`settings`: {name}: {words}"),
    };
    format!("`{setting}`: {words}")
}

/// Says in our words what a broker or the library complains about, and which setting that is.
pub fn explain(code: Option<RDKafkaErrorCode>, words: &str) -> String {
    use RDKafkaErrorCode as Code;
    let lower = words.to_ascii_lowercase();
    let setting = match code {
        // Brokers say so in the middle of the handshake.
        Some(Code::Authentication) if lower.contains("unsupported sasl mechanism") => {
            "the broker does not take this `mechanism`"
        }
        Some(Code::Authentication | Code::SaslAuthenticationFailed)
            if lower.contains("oauthbearer") || lower.contains("invalid_token") =>
        {
            "the broker does not take this `token`"
        }
        Some(Code::Authentication | Code::SaslAuthenticationFailed) => {
            "the broker does not know this `user` with this `password`"
        }
        Some(Code::UnsupportedSASLMechanism) => "the broker does not take this `mechanism`",
        Some(Code::SSL) if lower.contains("verify failed") || lower.contains("verif") => {
            "the broker's certificate is not of an authority in `ca`, or not for this host"
        }
        Some(Code::SSL) => "TLS does not come about: see `tls`, `ca`, `cert` and `key`",
        Some(Code::TopicAuthorizationFailed) => "this `user` may not use the topic",
        Some(Code::GroupAuthorizationFailed) => "this `user` may not use the `group`",
        Some(Code::TransactionalIdAuthorizationFailed) => "this `user` may not use transactions of this name",
        Some(Code::ClusterAuthorizationFailed) => "this `user` may not write",
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition) => "there is no such topic",
        Some(Code::Resolve) => "the host after `kafka` is not known",
        Some(Code::BrokerTransportFailure | Code::AllBrokersDown)
            if lower.contains("ssl") && lower.contains("handshake") =>
        {
            "the broker closes the connection: see `tls` and `mechanism`"
        }
        Some(Code::BrokerTransportFailure | Code::AllBrokersDown) => "the broker after `kafka` cannot be reached",
        _ => return words.to_owned(),
    };
    format!("{setting}: {words}")
}

/// How much a complaint says of what is really wrong.
fn weight(code: Option<RDKafkaErrorCode>) -> u8 {
    use RDKafkaErrorCode as Code;
    match code {
        Some(Code::AllBrokersDown) => 1,
        Some(Code::BrokerTransportFailure) => 2,
        Some(Code::Resolve | Code::SSL) => 3,
        Some(_) => 4,
        None => 0,
    }
}

/// What weighs so much does not pass by itself.
const LASTING: u8 = 3;

/// The context of a client: keeps what was complained about last.
#[derive(Debug, Default)]
pub struct Complaints {
    worst: Mutex<Option<(u8, String)>>,
    token: Option<String>,
}

impl Complaints {
    /// Nothing yet. With a token, that is what brokers are shown.
    pub fn new(connection: &Connection) -> Self {
        let token = connection.sasl.as_ref().filter(|sasl| sasl.mechanism == Mechanism::OauthBearer);
        Self { worst: Mutex::default(), token: token.map(|sasl| sasl.secret.reveal().to_owned()) }
    }

    /// What was wrong, if anything was since this was asked last.
    pub fn take(&self) -> Option<String> {
        self.worst.lock().unwrap_or_else(PoisonError::into_inner).take().map(|(_, words)| words)
    }

    /// What was wrong, if it is something that does not pass by itself.
    pub fn take_lasting(&self) -> Option<String> {
        let mut worst = self.worst.lock().unwrap_or_else(PoisonError::into_inner);
        worst.take_if(|(weight, _)| *weight >= LASTING).map(|(_, words)| words)
    }

    /// Keeps a complaint if it says more than the one before.
    pub fn hear(&self, error: &KafkaError, words: &str) {
        let code = error.rdkafka_error_code();
        let weight = weight(code);
        let mut worst = self.worst.lock().unwrap_or_else(PoisonError::into_inner);
        if worst.as_ref().is_none_or(|(known, _)| *known <= weight) {
            *worst = Some((weight, explain(code, words)));
        }
    }
}

impl ClientContext for Complaints {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    // Its log repeats what the errors say, with addresses.
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.hear(&error, reason);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let token = self.token.clone().ok_or("no token is set")?;
        Ok(oauth(token))
    }
}

/// The context of a client that has [`Complaints`] and more: they hear what any client complains about.
macro_rules! hears {
    ($context:ty, $complaints:tt) => {
        impl rdkafka::ClientContext for $context {
            const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

            fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, words: &str) {
                self.$complaints.log(level, facility, words);
            }

            fn error(&self, error: rdkafka::error::KafkaError, reason: &str) {
                self.$complaints.hear(&error, reason);
            }

            fn generate_oauth_token(
                &self,
                config: Option<&str>,
            ) -> Result<rdkafka::client::OAuthToken, Box<dyn std::error::Error>> {
                self.$complaints.generate_oauth_token(config)
            }
        }
    };
}
pub(super) use hears;

/// A token with its owner and end, which it says itself if it is a JWT.
#[expect(clippy::disallowed_methods, reason = "a token lives by the wall clock")]
fn oauth(token: String) -> OAuthToken {
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims: serde_json::Value =
        claims.and_then(|claims| serde_json::from_slice(&claims).ok()).unwrap_or(serde_json::Value::Null);
    let default = || {
        let end = SystemTime::now() + TOKEN_LIFE;
        end.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    };
    let seconds = claims["exp"].as_i64().unwrap_or_else(default);
    let principal_name = claims["sub"].as_str().unwrap_or("tripline").to_owned();
    OAuthToken { token, principal_name, lifetime_ms: seconds.saturating_mul(1000) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_telling_complaint_is_kept() {
        let complaints = Complaints::default();
        let error = |code| KafkaError::Global(code);
        complaints.hear(&error(RDKafkaErrorCode::Authentication), "no such password");
        complaints.hear(&error(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        let words = complaints.take().expect("one was kept");
        assert!(words.contains("`password`") && words.contains("no such password"), "{words}");
        assert_eq!(complaints.take(), None);
    }

    #[test]
    fn a_token_says_whose_it_is_and_how_long() {
        let body = URL_SAFE_NO_PAD.encode(r#"{"sub":"ann","exp":1700000000}"#);
        let token = oauth(format!("e30.{body}."));
        assert_eq!((token.principal_name.as_str(), token.lifetime_ms), ("ann", 1_700_000_000_000));
    }
}

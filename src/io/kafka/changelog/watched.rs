//! What a producer of transactions is heard to complain about.

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::producer::{DeliveryResult, ProducerContext};

use crate::io::kafka::Connection;
use crate::io::kafka::client::Complaints;

/// The context of a producer of transactions. What becomes of single records says the commit.
#[derive(Debug)]
pub struct Watched(Complaints);

impl Watched {
    pub(super) fn new(connection: &Connection) -> Self {
        Self(Complaints::new(connection))
    }

    pub(super) fn complaint(&self) -> Option<String> {
        self.0.take()
    }
}

impl ClientContext for Watched {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        self.0.log(level, facility, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.hear(&error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.0.generate_oauth_token(config)
    }
}

impl ProducerContext for Watched {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.0.hear(error, &error.to_string());
        }
    }
}

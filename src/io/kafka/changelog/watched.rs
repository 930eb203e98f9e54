//! What a producer of transactions is heard to complain about.

use rdkafka::producer::{DeliveryResult, ProducerContext};

use crate::io::kafka::Connection;
use crate::io::kafka::client::{Complaints, hears};

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

hears!(Watched, 0);

impl ProducerContext for Watched {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.0.hear(error, &error.to_string());
        }
    }
}

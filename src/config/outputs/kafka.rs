//! Kafka in the configuration: how a cluster is reached, and what alerts become there.

use super::open::Opener;
use super::read::{Item, SECRET_HELP};
use super::written::{Written, WrittenSetting, WrittenText};
use super::{NetOptions, Target, Text};
use crate::alert::format::Format;
use crate::io::deliver::Sink;
use crate::io::kafka::{AlertRecords, Connection, KeyBy, Mechanism, Sasl, is_topic, unusable_setting};
use crate::io::sink::secret::SecretPlace;

/// How a cluster is reached.
#[derive(Clone, Debug, PartialEq)]
pub struct KafkaPeer {
    /// `HOST:PORT`, one or more with commas between.
    pub brokers: String,
    /// Whether connections are encrypted.
    pub encrypted: bool,
    /// Who we are: how that is shown, the name, and the password or token.
    pub login: Option<(Mechanism, String, SecretPlace)>,
    /// Settings of librdkafka.
    pub settings: Vec<(String, Text)>,
    /// What is trusted, and time-outs.
    pub net: NetOptions,
}

impl Item<'_, '_> {
    pub(super) fn kafka(&mut self, w: &Written, net: NetOptions) -> Option<(Target, String)> {
        let brokers = w.kafka.clone()?;
        let peer = self.kafka_peer(brokers, w, net)?;
        let topic = w.topic.clone().unwrap_or_else(|| "tripline.alerts".to_owned());
        if !is_topic(&topic) {
            let help = "letters, digits, `.`, `_` and `-`; `{rule}` and `{severity}` stand for those of the alert";
            self.wrong("topic", &format!("`{topic}` is no name of a topic"), help);
        }
        let key_by = self.choice("key_by", w.key_by.as_deref()).unwrap_or_default();
        let mut headers = Vec::new();
        for (name, value) in w.headers.iter().flatten() {
            if ["id", "rule", "severity", "time", "content-type"].contains(&name.as_str()) {
                self.wrong("headers", &format!("`{name}` is set by Tripline"), "leave it out");
            }
            headers.push((name.clone(), self.text("headers", value)?));
        }
        let place = peer.brokers.clone();
        Some((Target::Kafka { peer, topic, key_by, headers }, place))
    }

    fn kafka_peer(&mut self, brokers: String, w: &Written, net: NetOptions) -> Option<KafkaPeer> {
        let is_place = |place: &str| place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if brokers.contains("://") || !brokers.split(',').all(|place| is_place(place.trim())) {
            let help = "write HOST:PORT, or several with commas between";
            self.wrong("kafka", &format!("`{brokers}` is no address of brokers"), help);
            return None;
        }
        let files = net.ca.is_some() || net.cert.is_some();
        let encrypted = match w.tls.as_deref() {
            None => files,
            Some("required") => true,
            Some("off") => {
                if files {
                    self.wrong("tls", "there is `tls: off` and a certificate", "keep one of them");
                }
                false
            }
            Some(_) => {
                self.wrong("tls", "`tls` is `required` or `off`", "leave it out for `off`");
                false
            }
        };
        let mechanism: Option<Mechanism> = self.choice("mechanism", w.mechanism.as_deref());
        let password = self.secret("password", w.password.as_ref());
        let token = self.secret("token", w.token.as_ref());
        if w.tls.is_none() && !files && (w.password.is_some() || w.token.is_some()) {
            let set = if w.password.is_some() { "password" } else { "token" };
            let help = "add `tls: required`, or `tls: off` if the network is trusted";
            self.wrong(set, "who listens on the network could learn this", help);
        }
        let login = match (w.user.clone(), password, token) {
            (Some(user), Some(password), None) => Some((mechanism.unwrap_or_default(), user, password)),
            (None, None, Some(token)) => Some((Mechanism::OauthBearer, String::new(), token)),
            (None, None, None) if w.password.is_none() && w.token.is_none() => None,
            _ => {
                let set = ["user", "password", "token"];
                let given = [w.user.is_some(), w.password.is_some(), w.token.is_some()];
                let at = set.iter().zip(given).find(|(_, given)| *given).map_or("user", |(key, _)| key);
                let help = "set `user` and `password`, or `token` with `mechanism: OAUTHBEARER`";
                self.wrong(at, "this does not say who we are", help);
                None
            }
        };
        let needs_token = mechanism == Some(Mechanism::OauthBearer);
        if mechanism.is_some()
            && login.as_ref().is_some_and(|(how, ..)| needs_token != (*how == Mechanism::OauthBearer))
            || mechanism.is_some() && login.is_none()
        {
            self.wrong(
                "mechanism",
                "this goes with another way to say who we are",
                "OAUTHBEARER goes with `token`, the others with `user` and `password`",
            );
        }
        let settings = self.kafka_settings(w)?;
        Some(KafkaPeer { brokers, encrypted, login, settings, net })
    }

    fn kafka_settings(&mut self, w: &Written) -> Option<Vec<(String, Text)>> {
        let mut settings = Vec::new();
        for (name, value) in w.settings.iter().flatten() {
            if let Some(why) = unusable_setting(name) {
                self.wrong("settings", &format!("`{name}` is Tripline's to set"), why);
            }
            let value = match value {
                WrittenSetting::Bool(value) => Text::Plain(value.to_string()),
                WrittenSetting::Number(value) => Text::Plain(value.to_string()),
                WrittenSetting::Fraction(value) => Text::Plain(value.to_string()),
                WrittenSetting::Text(text) => {
                    let secret = ["password", "secret", "key.pem"].iter().any(|part| name.contains(part));
                    if secret && matches!(text, WrittenText::Plain(_)) {
                        self.wrong_secret("settings", "a secret does not stand in the file", SECRET_HELP);
                    }
                    self.text("settings", text)?
                }
            };
            settings.push((name.clone(), value));
        }
        Some(settings)
    }
}

impl Opener<'_> {
    pub(super) fn connection(&self, peer: &KafkaPeer) -> Result<Connection, String> {
        let sasl = match &peer.login {
            Some((mechanism, user, place)) => {
                let secret = self.secret(Some(place))?.ok_or("a password is missing")?;
                Some(Sasl { mechanism: *mechanism, user: user.clone(), secret })
            }
            None => None,
        };
        let settings = peer.settings.iter().map(|(name, value)| Ok((name.clone(), self.text(value)?)));
        Ok(Connection {
            brokers: peer.brokers.clone(),
            tls: peer.encrypted.then(|| self.tls(&peer.net)),
            sasl,
            settings: settings.collect::<Result<_, String>>()?,
        })
    }

    pub(super) fn kafka(
        &self,
        peer: &KafkaPeer,
        topic: &str,
        key_by: KeyBy,
        headers: &[(String, Text)],
        format: Format,
    ) -> Result<Box<dyn Sink>, String> {
        let headers = headers.iter().map(|(name, value)| Ok((name.clone(), self.text(value)?)));
        let headers = headers.collect::<Result<_, String>>()?;
        let records = AlertRecords { topic: topic.to_owned(), key_by, format, headers };
        kafka_sink(self.connection(peer)?, records, peer.net.timeout)
    }
}

#[cfg(feature = "kafka")]
fn kafka_sink(
    connection: Connection,
    records: AlertRecords,
    timeout: std::time::Duration,
) -> Result<Box<dyn Sink>, String> {
    use crate::io::sink::kafka::{KafkaSink, KafkaSinkOptions};
    Ok(Box::new(KafkaSink::new(KafkaSinkOptions { connection, records, timeout })?))
}

#[cfg(not(feature = "kafka"))]
fn kafka_sink(_: Connection, _: AlertRecords, _: std::time::Duration) -> Result<Box<dyn Sink>, String> {
    Err(crate::io::kafka::NOT_BUILT.to_owned())
}

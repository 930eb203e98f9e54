//! Kafka in the configuration: how a cluster is reached, for inputs and outputs alike.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::item::{ListItem, SECRET_HELP};
use super::outputs::{NetOptions, Text, WrittenText};
use crate::io::kafka::{Connection, Mechanism, Sasl, unusable_setting};
use crate::io::sink::secret::{Env, Secret, SecretPlace};
use crate::io::sink::tls::TlsOptions;
use crate::io::trust;

/// A setting that is handed on: a number, a word, or the place of a secret.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum WrittenSetting {
    Bool(bool),
    Number(i64),
    Fraction(f64),
    Text(WrittenText),
}

/// How a cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// The keys that say how a cluster is reached, as they stand in the file.
pub(super) struct WrittenPeer<'w> {
    pub(super) brokers: &'w str,
    pub(super) tls: Option<&'w str>,
    pub(super) mechanism: Option<&'w str>,
    pub(super) user: Option<&'w String>,
    pub(super) password: Option<&'w WrittenText>,
    pub(super) token: Option<&'w WrittenText>,
    pub(super) settings: Option<&'w BTreeMap<String, WrittenSetting>>,
}

/// One item of a list, of inputs or of outputs, that names a cluster.
pub(super) trait NamesCluster<'a>: ListItem<'a> {
    /// How a cluster is reached.
    fn cluster(&mut self, w: &WrittenPeer<'_>, net: NetOptions) -> Option<KafkaPeer> {
        let is_place = |place: &str| place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if w.brokers.contains("://") || !w.brokers.split(',').all(|place| is_place(place.trim())) {
            let help = "write HOST:PORT, or several with commas between";
            self.wrong("kafka", &format!("`{}` is no address of brokers", w.brokers), help);
            return None;
        }
        let encrypted = self.is_encrypted(w, &net);
        let login = self.login(w);
        let settings = self.settings(w)?;
        Some(KafkaPeer { brokers: w.brokers.to_owned(), encrypted, login, settings, net })
    }

    /// Whether connections are encrypted.
    fn is_encrypted(&mut self, w: &WrittenPeer<'_>, net: &NetOptions) -> bool {
        let files = net.ca.is_some() || net.cert.is_some();
        match w.tls {
            None => {
                if !files && (w.password.is_some() || w.token.is_some()) {
                    let set = if w.password.is_some() { "password" } else { "token" };
                    let help = "add `tls: required`, or `tls: off` if the network is trusted";
                    self.wrong(set, "who listens on the network could learn this", help);
                }
                files
            }
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
        }
    }

    /// Who we are.
    fn login(&mut self, w: &WrittenPeer<'_>) -> Option<(Mechanism, String, SecretPlace)> {
        let mechanism: Option<Mechanism> = self.choice("mechanism", w.mechanism);
        let password = self.secret("password", w.password);
        let token = self.secret("token", w.token);
        let by_token = w.token.is_some();
        if mechanism.is_some_and(|how| by_token != (how == Mechanism::OauthBearer) || (!by_token && w.user.is_none())) {
            let help = "OAUTHBEARER goes with `token`, the others with `user` and `password`";
            self.wrong("mechanism", "this goes with another way to say who we are", help);
        }
        match (w.user, w.password, by_token) {
            (None, None, false) => None,
            (Some(user), Some(_), false) => Some((mechanism.unwrap_or_default(), user.clone(), password?)),
            (None, None, true) => Some((Mechanism::OauthBearer, String::new(), token?)),
            (user, password, _) => {
                let set = if user.is_some() { "user" } else { password.map_or("token", |_| "password") };
                let help = "set `user` and `password`, or `token` with `mechanism: OAUTHBEARER`";
                self.wrong(set, "this does not say who we are", help);
                None
            }
        }
    }

    /// Settings that are handed on.
    fn settings(&mut self, w: &WrittenPeer<'_>) -> Option<Vec<(String, Text)>> {
        let mut settings = Vec::new();
        for (name, value) in w.settings.into_iter().flatten() {
            if let Some(why) = unusable_setting(name) {
                self.wrong("settings", &format!("`{name}` is Tripline's to set"), why);
            }
            let value = match value {
                WrittenSetting::Bool(value) => Text::Plain(value.to_string()),
                WrittenSetting::Number(value) => Text::Plain(value.to_string()),
                WrittenSetting::Fraction(value) => Text::Plain(value.to_string()),
                WrittenSetting::Text(WrittenText::Plain(text)) => {
                    if ["password", "secret", "key.pem"].iter().any(|part| name.contains(part)) {
                        self.wrong_secret("settings", "a secret does not stand in the file", SECRET_HELP);
                    }
                    Text::Plain(text.clone())
                }
                WrittenSetting::Text(place) => Text::Secret(self.secret("settings", Some(place))?),
            };
            settings.push((name.clone(), value));
        }
        Some(settings)
    }
}

impl<'a, T: ListItem<'a>> NamesCluster<'a> for T {}

impl KafkaPeer {
    /// The same with secrets read, and paths relative to `directory`.
    ///
    /// # Errors
    /// Says in words what is missing. The words hold no secret.
    pub fn connection(&self, directory: &Path, env: Env<'_>) -> Result<Connection, String> {
        let located = |place: &SecretPlace| match place {
            SecretPlace::File(path) => SecretPlace::File(directory.join(path)).read(env),
            other => other.read(env),
        };
        let sasl = self.login.as_ref().map(|(mechanism, user, place)| {
            Ok::<_, String>(Sasl { mechanism: *mechanism, user: user.clone(), secret: located(place)? })
        });
        let setting = |(name, value): &(String, Text)| {
            let value = match value {
                Text::Plain(text) => Secret::new(text.as_str()),
                Text::Secret(place) => located(place)?,
            };
            Ok::<_, String>((name.clone(), value))
        };
        let path = |path: &Option<String>| path.as_deref().map(|path| directory.join(path));
        let net = &self.net;
        let tls = TlsOptions { ca: path(&net.ca), cert: path(&net.cert), key: path(&net.key) };
        // librdkafka reads it by itself, whoever may have exchanged it.
        if let Some(key) = tls.key.as_deref().filter(|key| self.encrypted && trust::is_open_to_all(key)) {
            return Err(format!("{} {}", key.display(), trust::way_out(key)));
        }
        Ok(Connection {
            brokers: self.brokers.clone(),
            tls: self.encrypted.then_some(tls),
            sasl: sasl.transpose()?,
            settings: self.settings.iter().map(setting).collect::<Result<_, _>>()?,
        })
    }
}

//! HTTP for sinks: one request and its answer, within a time, to an address that is allowed.
//!
//! No redirects, no proxies, no cookies: a request goes where the configuration says or nowhere.
#![expect(clippy::disallowed_methods, reason = "`Retry-After` may name a time of the wall clock")]

use std::fmt;
use std::time::{Duration, SystemTime};

use chrono::DateTime;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, http};

use super::guard::{Guard, Net};
use super::secret::Secret;
use super::tls::TlsOptions;
use crate::base::visible;
use crate::io::deliver::Failure;

/// How a peer is talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpOptions {
    /// Networks that are allowed although they are not public.
    pub allow: Vec<Net>,
    /// What is trusted.
    pub tls: TlsOptions,
    /// How long a request may take in all.
    pub timeout: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self { allow: Vec::new(), tls: TlsOptions::default(), timeout: Duration::from_secs(10) }
    }
}

/// Where a sink is. Its path may be a secret, so only scheme and host are ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    uri: http::Uri,
}

impl Url {
    /// Reads an address.
    ///
    /// # Errors
    /// Says in words what is wrong with it, without repeating it.
    pub fn parse(text: &Secret) -> Result<Self, String> {
        let uri: http::Uri =
            text.reveal().parse().map_err(|_| "this is no address of the form https://…".to_owned())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
            return Err("an address of a sink starts with https:// or http://".to_owned());
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("a user name or password does not stand in an address".to_owned());
        }
        Ok(Self { uri })
    }

    /// The same with this path after it, for sinks whose paths are fixed.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.uri.to_string().trim_end_matches('/'))
    }

    /// The host.
    pub fn host(&self) -> &str {
        self.uri.host().unwrap_or("")
    }

    /// As it was written.
    pub(super) fn reveal(&self) -> String {
        self.uri.to_string()
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.uri.scheme_str().unwrap_or(""), self.uri.host().unwrap_or(""))
    }
}

/// What a peer answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: String,
}

/// Makes requests.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
}

impl Client {
    /// A client; says in words what cannot be used.
    pub(super) fn new(options: &HttpOptions) -> Result<Self, String> {
        let roots = options.tls.roots()?;
        let mut tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::from(roots.iter().map(|root| Certificate::from_der(root).to_owned())));
        if let (Some((chain, _)), Some(key)) = (options.tls.own()?, options.tls.key_pem()?) {
            let chain: Vec<_> = chain.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
            let key = PrivateKey::from_pem(&key).map_err(|_| "the private key cannot be used".to_owned())?;
            tls = tls.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("tripline/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(options.timeout))
            .tls_config(tls.build())
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::default(), Guard::new(options.allow.clone()));
        Ok(Self { agent })
    }

    /// Sends a request and reads up to `most` bytes of the answer.
    pub(super) fn post(&self, url: &str, headers: &[(&str, &str)], body: &[u8], most: u64) -> Result<Answer, Failure> {
        let mut request = self.agent.post(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.send(body).map_err(|error| failure(&error))?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()).and_then(wait);
        // The status decides; a body that breaks off takes nothing from it, unless somebody has to read it.
        let body = answer.body_mut().with_config().limit(most).lossy_utf8(true).read_to_string();
        let body = match body {
            Ok(body) => body,
            Err(error) if most > SHORT && status < 300 => return Err(failure(&error)),
            Err(_) => String::new(),
        };
        Ok(Answer { status, retry_after, body })
    }
}

/// Bytes of an answer that is read for its words only.
pub(super) const SHORT: u64 = 4 << 10;

impl Answer {
    /// What a status means for the letters of the request.
    pub(super) fn judge(&self) -> Result<(), Failure> {
        let reason = format!("HTTP {}{}", self.status, self.words());
        match self.status {
            200..=299 => Ok(()),
            // Not this letter's fault: the peer is busy, or does not know us.
            408 | 425 | 429 | 502..=504 => Err(Failure::down(reason).after(self.retry_after)),
            300..=399 => Err(Failure::down(format!("{reason}: redirects are not followed"))),
            401 | 402 | 403 | 404 | 405 | 407 | 410 => Err(Failure::down(reason).after(self.retry_after)),
            500..=599 => Err(Failure::failed(reason).after(self.retry_after)),
            _ => Err(Failure::refused(reason)),
        }
    }

    /// The first words of the answer, made safe to show.
    fn words(&self) -> String {
        let line: String = self.body.trim().chars().take(200).collect();
        if line.is_empty() { String::new() } else { format!(": {}", visible(&line)) }
    }
}

/// `Retry-After`: seconds, or a date.
fn wait(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(value.trim()).ok()?.timestamp();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    Some(Duration::from_secs(u64::try_from(at).ok()?.saturating_sub(now)))
}

/// No answer came.
fn failure(error: &ureq::Error) -> Failure {
    match error {
        ureq::Error::Other(inner) => Failure::down(inner),
        // The text of other errors may repeat the address, whose path may be a secret.
        ureq::Error::BadUri(_) => Failure::down("the address cannot be used"),
        error => Failure::down(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_only_its_host() {
        let url = Url::parse(&Secret::new("https://hooks.example.com:8443/services/canary")).expect("an address");
        assert_eq!(format!("{url} {url:?}"), "https://hooks.example.com Url(https://hooks.example.com)");
        for wrong in ["hooks.example.com", "ftp://a/b", "https://user:pw@a/b", "https:///x", "", "file:///etc/passwd"] {
            let error = Url::parse(&Secret::new(wrong)).expect_err(wrong);
            assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn waits_are_seconds_or_dates() {
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn a_status_says_who_is_at_fault() {
        use crate::io::deliver::Trouble;
        let judge = |status| {
            Answer { status, retry_after: None, body: "a\u{1b}b".to_owned() }.judge().map_err(|failure| failure.trouble)
        };
        assert_eq!(judge(204), Ok(()));
        for status in [301, 401, 404, 429, 502, 503] {
            assert_eq!(judge(status), Err(Trouble::Down), "{status}");
        }
        assert_eq!(judge(500), Err(Trouble::Failed));
        for status in [400, 413, 422] {
            assert_eq!(judge(status), Err(Trouble::Refused), "{status}");
        }
    }
}

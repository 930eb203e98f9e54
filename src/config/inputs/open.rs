//! From an input to its source: secrets are read, paths are found, files are opened, sockets are bound.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::{Input, NetBounds, Origin, ServerTls};
use crate::engine::{Place, Source};
use crate::io::journal::OnDurable;
use crate::io::listen::{Bounds, Counts, Endpoint, HttpOptions, ListenOptions, Protocol, Token, listen, server_tls};
use crate::io::sink::secret::{Env, SecretPlace};
use crate::io::source::{BlockOptions, Dump, FollowOptions, Form, STDIN, resume};

/// What an input is opened with.
#[derive(Clone, Copy)]
pub struct OpenInput<'a> {
    /// Paths of certificates and secrets are relative to this.
    pub directory: &'a Path,
    /// The environment, in which secrets may stand.
    pub env: Env<'a>,
    /// Bytes of a line at most.
    pub max_line: usize,
    /// Files are waited for to grow.
    pub following: bool,
    /// Records of topics say where they come from.
    pub provenance: bool,
    /// A journal makes what the input gives durable, and says so.
    pub journalled: bool,
    /// Set when the run is stopped.
    pub stop: &'a Arc<AtomicBool>,
}

/// An input that gives events.
pub struct Opened {
    /// The source.
    pub source: Box<dyn Source>,
    /// What its user should know, in a sentence.
    pub notice: Option<String>,
    /// Where it listens, if it does.
    pub address: Option<String>,
    /// To be told what is durable; there if that was asked for and makes a difference.
    pub durable: Option<OnDurable>,
    /// What it turns away, if it can.
    pub counts: Option<Counts>,
}

impl OpenInput<'_> {
    /// Opens an input where an earlier run had come to, or at its beginning.
    ///
    /// # Errors
    /// Says in words what is wrong. The words hold no secret.
    pub fn open(&self, input: &Input, at: &Place) -> Result<Opened, String> {
        let plain = |source| Opened { source, notice: None, address: None, durable: None, counts: None };
        let (endpoint, protocol, tls, bounds) = match &input.origin {
            Origin::File { path, form } => {
                let options = BlockOptions { max_line: self.max_line, ..BlockOptions::default() };
                if let Form::Records(Some(partition)) = form {
                    let dump = Dump::open(path, partition, self.provenance, at, options);
                    return Ok(plain(Box::new(dump.map_err(|error| error.to_string())?)));
                }
                let following = FollowOptions { stop: Arc::clone(self.stop), ..FollowOptions::default() };
                let following = (self.following && path != STDIN).then_some(following);
                let resumed = resume(path, form, at, options, following).map_err(|error| error.to_string())?;
                return Ok(Opened { notice: resumed.notice, ..plain(resumed.source) });
            }
            Origin::Http { address, token, max_body, tls, bounds } => {
                let token = token.as_ref().map(|place| self.token(place)).transpose();
                let token = token.map_err(|problem| format!("input {}: {problem}", input.name))?;
                let http = HttpOptions { token: token.map(Arc::new), max_body: *max_body };
                (Endpoint::Tcp(*address), Protocol::Http(http), tls.as_ref(), bounds)
            }
            Origin::Tcp { address, tls, bounds } => (Endpoint::Tcp(*address), Protocol::Lines, tls.as_ref(), bounds),
            Origin::Syslog { endpoint, form, tls, bounds } => {
                (endpoint.clone(), Protocol::Syslog(*form), tls.as_ref(), bounds)
            }
            Origin::Kafka { .. } => {
                return Err(format!("input {}: partitions of topics are opened all at once", input.name));
            }
            Origin::Unix { path, mode, bounds } => {
                (Endpoint::Unix(self.directory.join(path), *mode), Protocol::Lines, None, bounds)
            }
        };
        let failed = |problem: String| format!("input {}: {problem}", input.name);
        let tls = tls.map(|tls| self.tls(tls)).transpose().map_err(failed)?;
        let place = match &endpoint {
            Endpoint::Tcp(address) | Endpoint::Udp(address) => address.to_string(),
            Endpoint::Unix(path, _) => path.display().to_string(),
        };
        let options = ListenOptions { endpoint, protocol, tls, bounds: self.bounds(bounds), receipts: self.journalled };
        let listener = listen(options, at, Arc::clone(self.stop))
            .map_err(|error| failed(format!("{place} cannot be listened on: {error}")))?;
        let receipts = listener.receipts;
        let durable: OnDurable = Box::new(move |place| receipts.give(place));
        Ok(Opened {
            address: Some(listener.address),
            durable: self.journalled.then_some(durable),
            counts: Some(listener.counts),
            ..plain(Box::new(listener.source))
        })
    }

    fn bounds(&self, bounds: &NetBounds) -> Bounds {
        let NetBounds { queue, connections, timeout } = *bounds;
        Bounds { queue, connections, timeout, max_line: self.max_line }
    }

    fn token(&self, place: &SecretPlace) -> Result<Token, String> {
        let located = match place {
            SecretPlace::File(path) => SecretPlace::File(self.directory.join(path)),
            other => other.clone(),
        };
        Token::new(&located.read(self.env)?)
    }

    fn tls(&self, tls: &ServerTls) -> Result<Arc<rustls::ServerConfig>, String> {
        let path = |path: &String| self.directory.join(path);
        server_tls(&path(&tls.cert), &path(&tls.key), tls.ca.as_ref().map(path).as_deref())
    }
}

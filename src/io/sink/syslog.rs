//! Syslog: RFC 5424 messages over UDP (RFC 5426), TCP (RFC 6587, counted octets) and TLS (RFC 5425).
//!
//! Over UDP nothing is known of a message that was sent: best effort. Over TCP and TLS what the peer's socket had taken
//! when it broke is lost, so whether the peer has hung up is looked at before each batch.

use std::io::{self, Write};
use std::net::{ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use super::tls::TlsOptions;
use super::wire::{Peer, Wire};
use crate::alert::format::Format;
use crate::alert::format::rfc5424::{self, Speaker};
use crate::io::deliver::{Failure, Letter, Receipt, Sink};

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream in the clear.
    Tcp,
    /// An encrypted stream.
    Tls,
}

/// Where messages go, and how they look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogOptions {
    /// How they travel.
    pub transport: Transport,
    /// Where to.
    pub peer: Peer,
    /// Who speaks.
    pub speaker: Speaker,
    /// What stands in place of the message; [`Format::Rfc5424`] for the alert's own.
    pub format: Format,
    /// What is trusted.
    pub tls: TlsOptions,
    /// How long each step may take.
    pub timeout: Duration,
}

/// A receiver of syslog messages.
pub struct SyslogSink {
    options: SyslogOptions,
    tls: Option<Arc<ClientConfig>>,
    line: Option<Line>,
}

enum Line {
    Datagrams(UdpSocket),
    Stream(Wire),
}

impl SyslogSink {
    /// Reads the options; connects when there is something to deliver.
    ///
    /// # Errors
    /// A certificate or key cannot be used.
    pub fn new(options: SyslogOptions) -> Result<Self, String> {
        let tls = match options.transport {
            Transport::Tls => Some(options.tls.client()?),
            _ => None,
        };
        Ok(Self { options, tls, line: None })
    }

    fn connect(&self) -> io::Result<Line> {
        let peer = &self.options.peer;
        if self.options.transport == Transport::Udp {
            let address = (peer.host.as_str(), peer.port)
                .to_socket_addrs()?
                .next()
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?;
            let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(own)?;
            socket.connect(address)?;
            return Ok(Line::Datagrams(socket));
        }
        let stream = Wire::connect(peer, self.options.timeout)?;
        Ok(Line::Stream(match &self.tls {
            Some(config) => Wire::encrypt(stream, peer, config)?,
            None => Wire::Plain(stream),
        }))
    }

    fn message(&self, letter: &Letter) -> String {
        let text = (self.options.format != Format::Rfc5424).then(|| letter.text(self.options.format));
        let mut message = String::new();
        rfc5424::write(&letter.alert, &self.options.speaker, text.as_deref(), &mut message);
        message
    }

    fn try_deliver(&mut self, letters: &[Letter]) -> io::Result<Receipt> {
        if let Some(Line::Stream(wire)) = &mut self.line
            && wire.is_closed()
        {
            self.line = None;
        }
        let mut line = match self.line.take() {
            Some(line) => line,
            None => self.connect()?,
        };
        let mut receipt = Receipt::ALL;
        match &mut line {
            Line::Datagrams(socket) => {
                for (place, letter) in letters.iter().enumerate() {
                    let message = self.message(letter);
                    if message.len() > MOST_UDP {
                        receipt.refused.push((place, format!("{} bytes do not fit a datagram", message.len())));
                    } else {
                        socket.send(message.as_bytes())?;
                    }
                }
            }
            Line::Stream(wire) => {
                let mut bytes = Vec::new();
                for letter in letters {
                    let message = self.message(letter);
                    write!(bytes, "{} {message}", message.len())?;
                }
                wire.write_all(&bytes)?;
                wire.flush()?;
            }
        }
        self.line = Some(line);
        Ok(receipt)
    }
}

/// Bytes that one datagram holds over IPv4.
const MOST_UDP: usize = 65_507;

impl Sink for SyslogSink {
    fn deliver(&mut self, letters: &[Letter]) -> Result<Receipt, Failure> {
        self.try_deliver(letters).map_err(|error| Failure::down(format!("{}: {error}", self.options.peer)))
    }

    fn reopen(&mut self) -> Result<(), Failure> {
        self.line = None;
        Ok(())
    }
}

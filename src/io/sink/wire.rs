//! A connection of bytes: TCP, or TLS over it. Every wait on it is bounded.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Peer {
    /// Reads `host:port`, `[::1]:port`, or a host alone.
    ///
    /// # Errors
    /// Says in words what is wrong.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, String> {
        let problem = || format!("`{text}` is no host with a port, such as logs.example.com:{default_port}");
        if text.contains(['/', '@', ' ', '?', '#']) {
            return Err(problem());
        }
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => match text.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = port.map_or(Ok(default_port), |port| port.parse().map_err(|_| problem()))?;
        if host.is_empty() { Err(problem()) } else { Ok(Self { host: host.to_owned(), port }) }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A connection.
pub(super) enum Wire {
    /// In the clear.
    Plain(TcpStream),
    /// Encrypted, with a peer whose certificate was verified.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// Connects in the clear, to the first address that answers.
    pub(super) fn connect(peer: &Peer, timeout: Duration) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (peer.host.as_str(), peer.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(timeout))?;
                    stream.set_write_timeout(Some(timeout))?;
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Encrypts a connection.
    pub(super) fn encrypt(stream: TcpStream, peer: &Peer, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::try_from(peer.host.clone())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the host's name cannot be verified"))?;
        let connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        // The handshake is done here, so that a certificate that is not trusted shows before anything is sent.
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self::Tls(Box::new(stream)))
    }

    /// Whether the peer has hung up, as far as can be seen without waiting.
    pub(super) fn is_closed(&mut self) -> bool {
        let socket = match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &mut stream.sock,
        };
        let mut byte = [0];
        let seen = socket.set_nonblocking(true).and_then(|()| socket.peek(&mut byte));
        let _ = socket.set_nonblocking(false);
        match seen {
            Ok(0) => true,
            // With TLS this may be a notice of the end as well as anything else that nobody waits for.
            Ok(_) => matches!(self, Self::Tls(_)) && self.has_ended(),
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Whether what TLS has received says that the peer will say no more.
    fn has_ended(&mut self) -> bool {
        let Self::Tls(stream) = self else { return false };
        match stream.conn.read_tls(&mut stream.sock) {
            Ok(0) | Err(_) => return true,
            Ok(_) => {}
        }
        stream.conn.process_new_packets().is_ok_and(|state| state.peer_has_closed())
            || stream.conn.process_new_packets().is_err()
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_hosts_with_ports() {
        let peer = |text: &str| Peer::parse(text, 6514).map(|peer| peer.to_string());
        assert_eq!(peer("logs"), Ok("logs:6514".to_owned()));
        assert_eq!(peer("192.0.2.1:99"), Ok("192.0.2.1:99".to_owned()));
        assert_eq!(peer("[::1]:99"), Ok("[::1]:99".to_owned()));
        assert_eq!(peer("[::1]"), Ok("[::1]:6514".to_owned()));
        for wrong in ["", ":1", "a:b", "a:99999", "user@host:1", "host/path"] {
            assert!(peer(wrong).is_err(), "{wrong}");
        }
    }
}

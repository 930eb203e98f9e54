//! One listener: a socket, a thread that serves all its connections, and their limits.
//!
//! ```text
//! thread (one event loop) ─┬─ accept ─► TLS, if any ─► protocol of the connection ─► Intake
//!                          └─ stop: accept no more, end what is under way, let go of the queue
//! ```
//! A connection costs no thread, so a thousand slow ones cost little more than their buffers. When the run is stopped,
//! connections are given a moment to end in order; then the last [`Intake`] goes, and with it the source ends.

#![allow(clippy::disallowed_methods, reason = "a listener has a thread and sockets")]

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::queue::{Intake, Lines, Listening, Receipts, queue};
use super::{datagrams, http, stream};
use crate::base::Timestamp;
use crate::engine::Place;
use crate::io::form::syslog::SyslogForm;

/// How often the event loop looks whether the run was stopped.
const LOOK: Duration = Duration::from_millis(50);
/// How long connections may take to end in order when the run is stopped.
const LINGER: Duration = Duration::from_secs(5);

/// Bounds on what a listener takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes that wait for the engine, of all connections together.
    pub queue: usize,
    /// Connections at a time; further ones are closed at once.
    pub connections: usize,
    /// Bytes of a line or message.
    pub max_line: usize,
    /// How long a TLS handshake, the head of a request, or its body may take.
    pub timeout: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { queue: 64 << 20, connections: 1024, max_line: 1 << 20, timeout: Duration::from_secs(30) }
    }
}

/// What is spoken.
#[derive(Clone, Debug)]
pub enum Protocol {
    /// Lines of JSON over a stream.
    Lines,
    /// Requests with events in their bodies.
    Http(http::HttpOptions),
    /// Syslog messages, over streams or datagrams.
    Syslog(SyslogForm),
}

/// Where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A UDP port.
    Udp(SocketAddr),
    /// A socket in the file system, with its permission bits.
    Unix(std::path::PathBuf, u32),
}

/// A listener to start.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// Where.
    pub endpoint: Endpoint,
    /// What is spoken.
    pub protocol: Protocol,
    /// Encryption.
    pub tls: Option<Arc<ServerConfig>>,
    /// Bounds.
    pub bounds: Bounds,
    /// Whether senders are told when what they sent is durable: somebody makes it so.
    pub receipts: bool,
}

/// A listener at work.
pub struct Listener {
    /// What it gives.
    pub source: Listening,
    /// To be told what is durable, if that was asked for.
    pub receipts: Receipts,
    /// Where it listens, with the port that was chosen.
    pub address: String,
    /// What it turns away.
    pub counts: Counts,
}

/// What a listener has turned away, by reason.
#[derive(Clone, Debug, Default)]
pub struct Counts(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Counts {
    /// Counts some more of a reason.
    pub fn add(&self, reason: &'static str, count: u64) {
        if count > 0 {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += count;
        }
    }

    /// All of them, by reason.
    pub fn all(&self) -> Vec<(&'static str, u64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(reason, n)| (*reason, *n)).collect()
    }
}

/// A stream of bytes both ways.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// What every connection of a listener has.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) intake: Intake,
    pub(super) protocol: Protocol,
    pub(super) bounds: Bounds,
    pub(super) counts: Counts,
    /// Turns true when the run is stopped.
    pub(super) closing: watch::Receiver<bool>,
}

impl Shared {
    /// Adds a message as a line.
    pub(super) fn add_message(&self, message: &[u8], lines: &mut Lines) {
        let Protocol::Syslog(form) = &self.protocol else { return lines.push(message) };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let arrival = Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
        match form.line(message, arrival) {
            Ok(line) => lines.push(line.as_bytes()),
            Err(reason) => lines.give_up(reason, message),
        }
    }
}

enum Socket {
    Tcp(StdTcpListener),
    Udp(std::net::UdpSocket),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, SocketFile),
}

/// A socket in the file system, which goes when the listener does.
#[cfg(unix)]
struct SocketFile(std::path::PathBuf);

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may have been replaced or removed meanwhile.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Starts listening, for a source that goes on at a place, until `stop` is set.
///
/// # Errors
/// The address cannot be listened on.
pub fn listen(options: ListenOptions, at: &Place, stop: Arc<AtomicBool>) -> io::Result<Listener> {
    let ListenOptions { endpoint, protocol, tls, bounds, receipts } = options;
    let (socket, address) = bind(&endpoint)?;
    let (intake, source, receipts) = queue(bounds.queue, at, receipts);
    let counts = Counts::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (close, closing) = watch::channel(false);
    let shared = Shared { intake, protocol, bounds, counts: counts.clone(), closing };
    thread::Builder::new().name("listener".to_owned()).spawn(move || {
        runtime.block_on(async move {
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    tokio::time::sleep(LOOK).await;
                }
                // Nobody may be listening any more.
                let _ = close.send(true);
            });
            if let Err(error) = serve(socket, shared, tls.map(TlsAcceptor::from)).await {
                tracing::error!("listening has ended: {error}");
            }
        });
    })?;
    Ok(Listener { source, receipts, address, counts })
}

fn bind(endpoint: &Endpoint) -> io::Result<(Socket, String)> {
    match endpoint {
        Endpoint::Tcp(address) => {
            let socket = StdTcpListener::bind(address)?;
            socket.set_nonblocking(true)?;
            let address = socket.local_addr()?.to_string();
            Ok((Socket::Tcp(socket), address))
        }
        Endpoint::Udp(address) => {
            let socket = std::net::UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            // What comes while the engine is busy waits in the system's buffer; a larger one loses less.
            let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(datagrams::BUFFER);
            let address = socket.local_addr()?.to_string();
            Ok((Socket::Udp(socket), address))
        }
        Endpoint::Unix(path, mode) => bind_unix(path, *mode),
    }
}

#[cfg(unix)]
fn bind_unix(path: &std::path::Path, mode: u32) -> io::Result<(Socket, String)> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    use std::os::unix::net::{UnixListener, UnixStream};
    // A run that was killed leaves its socket behind; one that somebody listens on is not ours to take.
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    if is_socket && UnixStream::connect(path).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused) {
        std::fs::remove_file(path)?;
    }
    let socket = UnixListener::bind(path)?;
    let file = SocketFile(path.to_owned());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    socket.set_nonblocking(true)?;
    Ok((Socket::Unix(socket, file), path.display().to_string()))
}

#[cfg(not(unix))]
fn bind_unix(_: &std::path::Path, _: u32) -> io::Result<(Socket, String)> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no sockets in the file system"))
}

async fn serve(socket: Socket, shared: Shared, tls: Option<TlsAcceptor>) -> io::Result<()> {
    match socket {
        Socket::Udp(socket) => datagrams::serve(UdpSocket::from_std(socket)?, shared).await,
        Socket::Tcp(socket) => {
            let socket = TcpListener::from_std(socket)?;
            let accept = || async {
                let (stream, _) = socket.accept().await?;
                // A peer that has vanished is noticed in the end; small answers go at once.
                let _ = socket2::SockRef::from(&stream).set_keepalive(true);
                let _ = stream.set_nodelay(true);
                Ok(stream)
            };
            accept_all(accept, shared, tls).await
        }
        #[cfg(unix)]
        Socket::Unix(socket, _file) => {
            let socket = tokio::net::UnixListener::from_std(socket)?;
            accept_all(|| async { Ok(socket.accept().await?.0) }, shared, None).await
        }
    }
}

/// Accepts connections until the run is stopped, and waits for them to end.
async fn accept_all<S, F>(accept: impl Fn() -> F, shared: Shared, tls: Option<TlsAcceptor>) -> io::Result<()>
where
    S: Duplex + 'static,
    F: Future<Output = io::Result<S>>,
{
    let slots = Arc::new(Semaphore::new(shared.bounds.connections));
    let mut connections = JoinSet::new();
    let mut closing = shared.closing.clone();
    let mut warned = false;
    loop {
        let stream = tokio::select! {
            stream = accept() => stream,
            _ = closing.wait_for(|closing| *closing) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                // Such as too many open files: connections that end make room.
                if !std::mem::replace(&mut warned, true) {
                    tracing::warn!("a connection could not be accepted: {error}; this is said once");
                }
                tokio::time::sleep(LOOK).await;
                continue;
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            shared.counts.add("connections over the limit", 1);
            continue;
        };
        let (shared, tls) = (shared.clone(), tls.clone());
        connections.spawn(async move {
            let _slot = slot;
            match tls {
                None => speak(stream, shared).await,
                Some(tls) => match tokio::time::timeout(shared.bounds.timeout, tls.accept(stream)).await {
                    Ok(Ok(stream)) => speak(stream, shared).await,
                    Ok(Err(_)) | Err(_) => shared.counts.add("failed TLS handshakes", 1),
                },
            }
        });
    }
    let all = async { while connections.join_next().await.is_some() {} };
    // What has not ended by then is cut off.
    let _ = tokio::time::timeout(LINGER, all).await;
    Ok(())
}

async fn speak<S: Duplex + 'static>(stream: S, shared: Shared) {
    match &shared.protocol {
        Protocol::Http(_) => http::serve(stream, shared).await,
        Protocol::Lines | Protocol::Syslog(_) => stream::serve(stream, shared).await,
    }
}

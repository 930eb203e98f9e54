//! Datagrams: each is one message.
//!
//! UDP has no way to say that there is no time. What comes while the queue is full waits in the system's buffer, and
//! what finds that full is lost; on Linux the system counts it, and so it is told at the end.

#![allow(clippy::disallowed_methods, reason = "the system's counts stand in a file")]

use std::fs;
use std::io;
use std::net::SocketAddr;

use tokio::net::UdpSocket;

use super::queue::Lines;
use super::server::Shared;

/// Bytes of the system's buffer that are asked for; the system may give less.
pub(super) const BUFFER: usize = 8 << 20;
/// Bytes of a datagram at most.
const DATAGRAM: usize = 64 << 10;
/// Datagrams that are handed over together.
const TOGETHER: u64 = 512;

/// Takes datagrams until the run is stopped, and then those that have arrived.
pub(super) async fn serve(socket: UdpSocket, mut shared: Shared) -> io::Result<()> {
    let mut datagram = vec![0; DATAGRAM];
    let mut stopped = false;
    while !stopped {
        stopped = tokio::select! {
            ready = socket.readable() => { ready?; false }
            _ = shared.closing.wait_for(|closing| *closing) => true,
        };
        loop {
            let mut lines = Lines::default();
            while lines.count < TOGETHER
                && let Ok(length) = socket.try_recv(&mut datagram)
            {
                shared.add_message(&datagram[..length], &mut lines);
            }
            let more = lines.count == TOGETHER;
            shared.intake.pass_on(lines).await;
            if !more {
                break;
            }
        }
    }
    if let Some(lost) = socket.local_addr().ok().and_then(lost) {
        shared.counts.add("datagrams lost in the system's buffer", lost);
    }
    Ok(())
}

/// How many datagrams for an address the system had no room for, if it says.
fn lost(address: SocketAddr) -> Option<u64> {
    let table = fs::read_to_string(if address.is_ipv4() { "/proc/net/udp" } else { "/proc/net/udp6" }).ok()?;
    let port = format!(":{:04X}", address.port());
    let rows = table.lines().skip(1).map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let rows = rows.filter(|row| row.get(1).is_some_and(|local| local.ends_with(&port)));
    rows.filter_map(|row| row.last()?.parse::<u64>().ok()).reduce(|a, b| a + b)
}

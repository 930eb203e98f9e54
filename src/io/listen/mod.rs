//! Listeners: sources that events are sent to, over HTTP, TCP and sockets in the file system.
//!
//! ```text
//! thread of the listener: accept ─► connections ─► queue, bounded by bytes ──► Listening: Source ─► engine
//! ```
//! Each listener is a source of its own: with a thread, a queue, a place, a watermark. Another kind of live source is
//! added in the same way, whether it listens or fetches:
//!
//! 1. a thread (or an event loop) that turns what comes into whole lines of JSON, and hands them to the [`Intake`] of a
//!    [`queue()`], or to a channel of its own if it must place its blocks otherwise; what cannot become a line is
//!    [given up](Lines::give_up) under a reason, and a full queue is passed on to the sender;
//! 2. the other end as a [`Source`](crate::engine::Source), whose blocks say with
//!    [`Place`](crate::engine::Place) where it goes on after a crash, if it can be asked again; if it cannot, the
//!    journal stands in front of it, and [`Receipts`] tell senders what is durable;
//! 3. a variant of [`Origin`](crate::config::Origin) with the keys that configure it, and a line where it is opened.
//!
//! Event time, class, lateness and idleness of an input are the engine's matter, whatever the source.

mod cut;
mod datagrams;
mod frames;
mod http;
mod queue;
mod server;
mod stream;
mod tls;

pub use cut::LineCutter;
pub use frames::{Frame, FrameCutter};
pub use http::body;
pub use http::{HttpOptions, Token};
pub use queue::{Full, GivenUp, Gone, Intake, Lines, Listening, Receipts, Share, queue};
pub use server::{Bounds, Counts, Endpoint, ListenOptions, Listener, Protocol, listen};
pub use tls::server_tls;

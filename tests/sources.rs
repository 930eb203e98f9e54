//! Sources that events are sent to, with the real program on loopback and clients that behave and do not.

#[path = "sinks_servers/authority.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod authority;
#[path = "sources/clients.rs"]
mod clients;
#[path = "sources/http.rs"]
mod http;
#[path = "sources/probe.rs"]
mod probe;
#[path = "sources/same.rs"]
mod same;
#[path = "sources/service.rs"]
mod service;
#[path = "sources/streams.rs"]
mod streams;

mod server {
    //! What the authority asks of its surroundings.

    use std::path::PathBuf;

    /// A program on the path.
    pub fn program(name: &str) -> Option<PathBuf> {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
    }
}

//! What is compared: rules, the peers that can say them, and how each engine is started.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::Peers;

/// Another engine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Flink,
    Siddhi,
    /// Siddhi fed with events that are decoded already; only the thread that matches is measured.
    SiddhiReady,
}

impl Peer {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flink => "Flink CEP",
            Self::Siddhi | Self::SiddhiReady => "Siddhi",
        }
    }

    /// What its events are, where they are not the lines of the stream.
    pub fn events(self) -> &'static str {
        if self == Self::SiddhiReady { ", events decoded before" } else { "" }
    }
}

/// A peer and the patterns that it and Tripline run at once.
pub struct Case {
    pub peer: Peer,
    /// Names of rules in `rules/`, and of patterns in the peer's program.
    pub patterns: &'static [&'static str],
}

pub const CASES: &[Case] = &[
    Case { peer: Peer::Flink, patterns: &["seq3"] },
    Case { peer: Peer::Flink, patterns: &["absent"] },
    Case { peer: Peer::Flink, patterns: &["login5skip"] },
    Case { peer: Peer::Flink, patterns: &["seq3", "absent", "login5skip"] },
    Case { peer: Peer::Siddhi, patterns: &["filter"] },
    Case { peer: Peer::Siddhi, patterns: &["part"] },
    Case { peer: Peer::SiddhiReady, patterns: &["filter"] },
    Case { peer: Peer::SiddhiReady, patterns: &["part"] },
];

impl Case {
    /// What `--only` looks at: `flink seq3+absent`.
    pub fn name(&self) -> String {
        let (peer, events) = (self.peer.name().to_lowercase(), self.peer.events());
        format!("{peer} {}{events}", self.patterns.join("+"))
    }

    /// The peer over a stream.
    pub fn peer_command(&self, peers: &Peers, stream: &Path) -> Command {
        match self.peer {
            Peer::Flink => {
                let mut command = peers.java("FlinkPatterns");
                command.arg(stream).args(self.patterns);
                command
            }
            Peer::Siddhi | Peer::SiddhiReady => {
                let mut command = peers.java("SiddhiRules");
                command.arg(stream).args(self.patterns);
                if self.peer == Peer::SiddhiReady {
                    command.arg("ready");
                }
                command
            }
        }
    }

    /// Tripline over a stream, on one thread. The end of the stream decides what is open, as it does in Flink.
    pub fn command(&self, stream: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
        command
            .arg("run")
            .args(self.patterns.iter().map(|rule| here().join("rules").join(rule).with_extension("trip")));
        command.arg(stream);
        command.args(["--time-field", "time", "--threads", "1", "--evidence", "ids", "--at-end", "flush", "--quiet"]);
        command
    }
}

/// The sources of the comparison.
pub fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare")
}

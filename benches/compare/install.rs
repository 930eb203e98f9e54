//! The peers: installed from package registries into the target directory, each once.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cases::{Peer, here};

/// The Python package that carries the jars of Flink, and its version, which is Flink's.
const FLINK: (&str, &str) = ("apache-flink-libraries", "2.3.0");
/// The Python package that carries the jars of Siddhi 5.1.7.
const SIDDHI: (&str, &str) = ("pysiddhi", "5.1.0");

/// Where the peers are.
pub struct Peers {
    pub place: PathBuf,
}

impl Peers {
    /// Installs those that are asked for and not there yet.
    pub fn install(place: &Path, wanted: impl Iterator<Item = Peer> + Clone) -> Self {
        let peers = Self { place: place.to_owned() };
        let any = |some: &[Peer]| wanted.clone().any(|peer| some.contains(&peer));
        if any(&[Peer::Flink, Peer::Siddhi, Peer::SiddhiReady]) {
            peers.with_pip(FLINK);
            peers.with_pip(SIDDHI);
            peers.compile();
        }
        peers
    }

    /// A Python package without what it depends on: it is wanted for its jars only.
    fn with_pip(&self, (package, version): (&str, &str)) {
        let target = self.place.join(package);
        if target.exists() {
            return;
        }
        eprintln!("installing {package} {version}");
        let part = self.place.join(format!("{package}.part"));
        let mut command = Command::new("python3");
        command.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"]).arg(&part);
        done(command.arg(format!("{package}=={version}")));
        fs::rename(part, target).expect("the same directory");
    }

    /// The Java programs of the comparison.
    fn compile(&self) {
        let mut command = Command::new("javac");
        command.args(["-nowarn", "-cp"]).arg(self.class_path()).arg("-d").arg(self.place.join("classes"));
        command.arg(here().join("flink/FlinkPatterns.java")).arg(here().join("siddhi/SiddhiRules.java"));
        done(&mut command);
    }

    /// A program of the comparison: the JVM as it comes, with 4 GB and the collector of servers.
    pub fn java(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        command.args(["-Xmx4g", "-XX:+UseG1GC", "-cp"]).arg(self.class_path()).arg(class);
        command
    }

    fn class_path(&self) -> OsString {
        let mut path = OsString::from(self.place.join("classes"));
        let mut jars = Vec::new();
        jars_below(&self.place.join(FLINK.0).join("pyflink/lib"), &mut jars);
        jars_below(&self.place.join(SIDDHI.0), &mut jars);
        for jar in jars {
            path.push(":");
            path.push(jar);
        }
        path
    }

    /// The version of a peer.
    pub fn version(peer: Peer) -> &'static str {
        match peer {
            Peer::Flink => FLINK.1,
            Peer::Siddhi | Peer::SiddhiReady => "5.1.7",
        }
    }
}

fn jars_below(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory).expect("the jars").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            jars_below(&path, found);
        } else if path.extension().is_some_and(|e| e == "jar") {
            found.push(path);
        }
    }
}

/// Runs a step of the installation.
fn done(command: &mut Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{command:?}: {status}"),
        Err(error) => panic!("{command:?}: {error}; the comparison needs a JDK of version 17 and Python 3 with pip"),
    }
}

//! A certificate authority for tests, by the `openssl` command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::program;

/// An authority with its files in a directory.
pub struct Authority {
    directory: PathBuf,
    openssl: PathBuf,
}

impl Authority {
    /// Makes one; nothing if `openssl` is not installed.
    pub fn new(directory: &str) -> Option<Self> {
        let openssl = program("openssl")?;
        fs::create_dir_all(directory).expect("a directory");
        let own = Self { directory: Path::new(directory).to_owned(), openssl };
        own.run(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=Tripline tests",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-addext",
            "basicConstraints=critical,CA:TRUE",
        ]);
        Some(own)
    }

    /// The file of its certificate.
    pub fn ca(&self) -> String {
        self.directory.join("ca.pem").display().to_string()
    }

    /// A certificate for a host and its key, valid for so many days; negative for one that is out of date.
    pub fn issue(&self, name: &str, host: &str, days: i64) -> (String, String) {
        let (key, request, cert) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        fs::write(self.directory.join("ext"), format!("subjectAltName=DNS:{host}\nbasicConstraints=CA:FALSE\n"))
            .expect("a file");
        self.run(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=server",
            "-keyout",
            &key,
            "-out",
            &request,
        ]);
        let days = days.to_string();
        self.run(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            &days,
            "-extfile",
            "ext",
            "-out",
            &cert,
        ]);
        let path = |name: &str| self.directory.join(name).display().to_string();
        (path(&cert), path(&key))
    }

    fn run(&self, arguments: &[&str]) {
        let ended = Command::new(&self.openssl).args(arguments).current_dir(&self.directory).output();
        let ended = ended.expect("openssl runs");
        assert!(ended.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
    }
}

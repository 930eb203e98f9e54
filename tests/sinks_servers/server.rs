//! Places, programs and processes of the tests with real servers.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A directory that is gone after the test.
pub struct Place(PathBuf);

impl Place {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tripline-servers-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("a file");
        self.give_to_nobody();
    }

    /// PostgreSQL refuses to run as root. If the tests do, it runs as the user that its package makes.
    pub fn as_nobody(&self, program: &Path) -> Command {
        if !is_root() {
            return Command::new(program);
        }
        self.give_to_nobody();
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
        command
    }

    pub fn give_to_nobody(&self) {
        if is_root() {
            let _ = Command::new("chown").args(["-R", "postgres:"]).arg(&self.0).stderr(Stdio::null()).status();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().map(|output| output.stdout);
    id.is_ok_and(|id| id.trim_ascii() == b"0")
}

/// A process that ends with the test.
pub struct Server(Child);

impl Server {
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("the server starts"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT lets PostgreSQL end its children; the others end as well.
        let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where a program is, or nothing, loudly.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let places = path.split(':').chain(["/usr/sbin", "/usr/local/sbin"]);
    found(name, places.map(|place| Path::new(place).join(name)).find(|path| path.is_file()))
}

/// Where a program of PostgreSQL is: Debian keeps them by version, off the path.
pub fn postgres_program(name: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.is_file()).max();
    match newest {
        Some(path) => Some(path),
        None => program(name),
    }
}

fn found(name: &str, path: Option<PathBuf>) -> Option<PathBuf> {
    if path.is_none() {
        assert!(std::env::var_os("TRIPLINE_SERVERS").is_none(), "{name} is not installed");
        eprintln!("SKIPPED: {name} is not installed, so nothing is tested against it");
    }
    path
}

/// A port that nobody listens at.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// Waits until something holds; long enough for a slow machine.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < until, "{what}: it did not come");
        thread::sleep(Duration::from_millis(50));
    }
}

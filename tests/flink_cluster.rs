//! Jobs of Flink on a cluster of processes, between topics of a real broker: task managers are killed while one runs, and
//! no alert is lost, and none is there twice; a partition is silent; a job goes on from the savepoint of an earlier build;
//! rules come by a topic.
//!
//! Needs a compiler of Java 17, Maven, and what Maven fetches; runs only if `TRIPLINE_FLINK=required`, and says so
//! otherwise. `FLINK_KILLS` says how many task managers are killed.

#[path = "kafka/cluster.rs"]
mod cluster;
#[path = "flink/kept.rs"]
mod kept;
#[path = "flink/library.rs"]
mod library;
#[path = "flink/rules_topic.rs"]
mod rules_topic;
#[path = "kafka/stream.rs"]
mod stream;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use cluster::{Broker, Place, wait_for};
use library::native_library;
use stream::{RULES, Stream, alert};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Processes of Flink, which end with the test.
struct Flink {
    dir: PathBuf,
    manager: Child,
    workers: Vec<Child>,
}

impl Flink {
    fn script(arguments: &[&str]) -> Command {
        let mut command = Command::new(root().join("tests/flink/cluster"));
        command.args(arguments).stdin(Stdio::null());
        command
    }

    fn start(dir: PathBuf, workers: usize) -> Self {
        let is_free = |port: &u16| [0, 1].iter().all(|n| TcpListener::bind(("127.0.0.1", port + n)).is_ok());
        let first = 30_000 + (std::process::id() % 1000) as u16 * 10;
        let port = (first..60_000).step_by(5).find(is_free).expect("free ports");
        let path = dir.to_str().expect("UTF-8").to_owned();
        assert!(Self::script(&["fetch"]).status().expect("the script runs").success());
        let configured = Self::script(&["configure", &path, &port.to_string()]).status().expect("the script runs");
        assert!(configured.success());
        let manager = Self::spawn(&dir, "manager", 0);
        let workers = (0..workers).map(|n| Self::spawn(&dir, "worker", n)).collect();
        Self { dir, manager, workers }
    }

    fn spawn(dir: &Path, what: &str, n: usize) -> Child {
        let log = fs::File::create(dir.join(format!("{what}{n}.log"))).expect("a file");
        let mut command = Self::script(&[what, dir.to_str().expect("UTF-8")]);
        command.stdout(log.try_clone().expect("a handle")).stderr(log);
        command.spawn().expect("the process starts")
    }

    /// Runs a command of Flink's, again until the cluster takes it.
    fn flink(&self, arguments: &[&str]) -> String {
        let mut said = String::new();
        let dir = self.dir.to_str().expect("UTF-8");
        let mut ok = false;
        for _ in 0..60 {
            let whole: Vec<&str> = ["flink", dir].iter().chain(arguments).copied().collect();
            let ended = Self::script(&whole).output().expect("the script runs");
            said = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
            ok = ended.status.success();
            if ok {
                break;
            }
            thread::sleep(Duration::from_millis(500));
        }
        assert!(ok, "{said}");
        said
    }

    /// Submits a job, and gives the id by which Flink knows it.
    fn submit(&self, jar: &Path, options: &[&str]) -> String {
        self.resume(jar, options, None)
    }

    /// The same for a job that goes on from a savepoint.
    fn resume(&self, jar: &Path, options: &[&str], savepoint: Option<&Path>) -> String {
        let jar = jar.to_str().expect("UTF-8");
        let from: Vec<&str> = savepoint.iter().flat_map(|path| ["-s", path.to_str().expect("UTF-8")]).collect();
        let said = self.flink(&[&["run", "-d"], &from[..], &[jar], options].concat());
        let id = said.split("JobID ").nth(1).and_then(|rest| rest.split_whitespace().next());
        id.unwrap_or_else(|| panic!("no id of a job: {said}")).to_owned()
    }

    /// Waits until the job manager has logged a message.
    fn wait_for_message(&self, message: &str) {
        let log = || fs::read_to_string(self.dir.join("manager0.log")).unwrap_or_default();
        wait_for(&|| format!("`{message}` in {}", log()), || log().contains(message));
    }

    /// Kills a task manager at once, and starts another.
    fn kill(&mut self, n: usize) {
        let at = n % self.workers.len();
        self.workers[at].kill().expect("it runs");
        self.workers[at].wait().expect("it has ended");
        self.workers[at] = Self::spawn(&self.dir, "worker", at);
    }
}

impl Drop for Flink {
    fn drop(&mut self) {
        for child in self.workers.iter_mut().chain([&mut self.manager]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The operators and the native library, built at the first call.
fn built() -> &'static (PathBuf, PathBuf) {
    static BUILT: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "-f"]).arg(root().join("flink/pom.xml")).args(["package", "-DskipTests"]);
        assert!(maven.status().expect("Maven starts").success(), "the operators do not build");
        (root().join("flink/target/tripline-flink-0.1.0.jar"), native_library())
    })
}

/// Makes a job's jar of a rule file.
fn package(rules: &Path, jar: &Path) {
    let (operators, library) = built();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
    command.args(["flink", "package", "--lateness", "1s", "--library"]).arg(library);
    command.arg("--operators").arg(operators).arg("-o").arg(jar).arg(rules);
    let packaged = command.output().expect("the program runs");
    assert!(packaged.status.success(), "{}", String::from_utf8_lossy(&packaged.stderr));
}

#[test]
fn no_alert_is_lost_or_doubled_when_task_managers_are_killed() {
    if std::env::var_os("TRIPLINE_FLINK").is_none() {
        eprintln!("SKIPPED: set TRIPLINE_FLINK=required for tests with a cluster of Flink");
        return;
    }
    assert!(cluster::is_there(), "TRIPLINE_FLINK=required, but there is no broker to run it with");
    let kills: usize = std::env::var("FLINK_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let partitions = 4;
    let broker = Broker::start(Place::new("flink"));
    let place = broker.place();
    broker.topic("events", partitions);
    broker.topic("alerts", 1);

    // The last event of each partition lies so far behind that everything before it is decided.
    let mut stream = Stream::new(5, 60_000, partitions);
    for partition in 0..partitions {
        stream.events.push((partition, r#"{"ts":1767999999000,"type":"end"}"#.to_owned()));
    }
    let expected = stream.expected(&place.path("expected"), RULES);
    assert!(expected.len() > 500, "only {} alerts", expected.len());
    let jar = place.path("job.jar");
    package(&place.path("expected/rules.trip"), &jar);

    fs::create_dir_all(place.path("flink")).expect("a directory");
    let mut flink = Flink::start(place.path("flink"), 2);
    let address = broker.address();
    let options =
        ["--kafka", &address, "--topics", "events", "--alerts-topic", "alerts", "--exactly-once", "--idle", "3600"];
    let job = flink.submit(&jar, &options);

    println!("a job runs on two task managers; {} events will give {} alerts", stream.events.len(), expected.len());

    // Events come bit by bit, and between them task managers are killed.
    let mut random = fastrand::Rng::with_seed(9);
    let records: Vec<(i32, &str)> = stream.records().collect();
    let parts = records.len().div_ceil(kills + 1);
    for (n, part) in records.chunks(parts).enumerate() {
        if n > 0 {
            flink.kill(n);
            println!("task managers killed: {n} of {kills}");
        }
        for few in part.chunks(part.len().div_ceil(4)) {
            broker.write_to("events", few.iter().copied());
            thread::sleep(Duration::from_millis(random.u64(200..900)));
        }
    }
    let found = || broker.read("alerts").into_iter().filter_map(|record| record.value).collect::<Vec<String>>();
    let progress = || format!("{} of {} alerts are there", found().len(), expected.len());
    wait_for(&progress, || found().len() >= expected.len());
    thread::sleep(Duration::from_secs(2));
    let mut times: BTreeMap<_, i64> = BTreeMap::new();
    found().iter().for_each(|line| *times.entry(alert(line)).or_default() += 1);
    expected.into_iter().for_each(|alert| *times.entry(alert).or_default() -= 1);
    times.retain(|_, times| *times != 0);
    assert!(times.is_empty(), "more (above 0) or fewer than one process gives: {times:?}");
    println!("task managers killed: {kills}; every alert is there, each once");
    flink.flink(&["cancel", &job]);
    a_silent_partition_holds_nobody_back(&broker, &flink, &jar);
    kept::a_job_goes_on_from_an_earlier_savepoint(&broker, &flink, &jar);
    rules_topic::rules_that_come_by_a_topic_take_over(&broker, &mut flink);
}

/// One of two partitions never has an event: it is idle, and deadlines of the other pass.
fn a_silent_partition_holds_nobody_back(broker: &Broker, flink: &Flink, jar: &Path) {
    broker.topic("half", 2);
    broker.topic("half.alerts", 1);
    let mut stream = Stream::new(6, 2000, 1);
    stream.events.push((0, r#"{"ts":1767999999000,"type":"end"}"#.to_owned()));
    let expected = stream.expected(&broker.place().path("half"), RULES);
    assert!(expected.iter().any(|alert| alert.rule == "silent"), "an absence is among the alerts");
    let address = broker.address();
    let options =
        ["--kafka", &address, "--topics", "half", "--alerts-topic", "half.alerts", "--idle", "1", "--group", "half"];
    let job = flink.submit(jar, &options);
    broker.write_to("half", stream.records());
    let found = || broker.read("half.alerts").into_iter().filter_map(|record| record.value).collect::<Vec<String>>();
    let progress = || format!("{} of {} alerts are there", found().len(), expected.len());
    wait_for(&progress, || found().len() >= expected.len());
    let (mut got, mut expected): (Vec<_>, Vec<_>) = (found().iter().map(|line| alert(line)).collect(), expected);
    got.sort();
    expected.sort();
    assert_eq!(got, expected);
    flink.flink(&["cancel", &job]);
}

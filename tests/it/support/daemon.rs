//! The real daemon as a child process, and what its pages answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A running `clarion serve`. It is killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    address: String,
    told: Arc<Mutex<String>>,
}

impl Daemon {
    /// Starts the daemon in that folder and waits until it says that it is ready.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::launch(Command::new(env!("CARGO_BIN_EXE_clarion")).arg("serve").current_dir(folder))
    }

    /// The same by another command, which ends in that program.
    pub(crate) fn launch(command: &mut Command) -> Self {
        let mut child = command
            .env_remove("CLARION_CONFIG")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = Arc::new(Mutex::new(String::new()));
        let (shared, stderr) = (Arc::clone(&told), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut told = shared.lock().unwrap();
                told.push_str(&line);
                told.push('\n');
            }
        });
        let mut daemon = Self { child, address: String::new(), told };
        daemon.address = daemon.wait_for("it is ready", |daemon| {
            let told = daemon.told();
            let ready = told.lines().find_map(|line| Some(line.split_once("ready http://")?.1));
            ready.and_then(|address| Some(address.split('/').next()?.to_owned()))
        });
        daemon
    }

    /// What it said on standard error so far.
    pub(crate) fn told(&self) -> String {
        self.told.lock().unwrap().clone()
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// The port of its pages.
    pub(crate) fn port(&self) -> String {
        self.address.rsplit(':').next().unwrap().to_owned()
    }

    /// The status, the head and the body of a page.
    pub(crate) fn get(&self, path: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        (head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), head.to_owned(), body.to_owned())
    }

    /// Waits until something is there, at most 30 seconds.
    pub(crate) fn wait_for<T>(&self, what: &str, mut there: impl FnMut(&Self) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(value) = there(self) {
                return value;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain until {what}:\n{}", self.told());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends SIGTERM, twice in a row as `timeout` does to a process and its group; answers the exit code, what stood on standard output, and how long it took.
    pub(crate) fn terminate(mut self) -> (Option<i32>, String, Duration) {
        let begun = Instant::now();
        for _ in 0..2 {
            let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
            assert!(sent.success());
            std::thread::sleep(Duration::from_millis(20));
        }
        let status = self.child.wait().unwrap();
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        (status.code(), out, begun.elapsed())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

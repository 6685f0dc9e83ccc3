//! A program that is asked to end leaves nothing behind: no process that it started, no temporary
//! folder, and no lock.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use plasma_load_tests::machine::children;
use plasma_testkit::process::{Signal, send};

/// A busy machine may need so long; a program that does not end at all needs longer.
const AT_MOST: Duration = Duration::from_mins(1);

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < AT_MOST, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A program that loads for a minute, and what it started: ended, whatever the test finds.
struct Running {
    program: Child,
    started: Vec<u32>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
        for pid in self.started.iter().filter(|pid| is_there(**pid)) {
            let _ = send(*pid, Signal::KILL);
        }
    }
}

fn is_there(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

/// Starts a load on `data` with `temporary` for temporary folders.
fn load(target: &str, data: &Path, temporary: &Path) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plasma-load"));
    command.args(["soak", "--quick", "--seconds", "60", "--devices", "4", "--target", target]);
    command.arg("--data").arg(data).env("TMPDIR", temporary);
    let program = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Running { program: program.expect("the program starts"), started: Vec::new() }
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).expect("a folder").count()
}

/// Asks the program, and it alone, to end; sees that what it started is gone.
fn interrupt(running: &mut Running, signal: Signal) -> ExitStatus {
    send(running.program.id(), signal).expect("it runs");
    let mut status = None;
    until("the program ends", || {
        status = running.program.try_wait().expect("a child");
        status.is_some()
    });
    until("what it started has ended", || !running.started.iter().any(|pid| is_there(*pid)));
    status.expect("it has ended")
}

#[test]
fn an_interrupted_load_ends_its_node_and_the_next_one_can_begin() {
    let folder = tempfile::tempdir().unwrap();
    let (data, temporary) = (folder.path().join("data"), folder.path().join("temporary"));
    std::fs::create_dir(&temporary).unwrap();
    for signal in [Signal::TERM, Signal::HUP] {
        let mut running = load("plasma", &data, &temporary);
        until("the node runs and has users", || {
            assert_eq!(running.program.try_wait().unwrap(), None, "the program runs");
            running.started = children(running.program.id()).unwrap();
            !running.started.is_empty() && data.join("embedded/identities.json").exists()
        });
        let status = interrupt(&mut running, signal);
        assert_eq!(status.code(), Some(1));
        assert_eq!(entries(&temporary), 0);
    }
}

#[test]
fn an_interrupted_load_removes_its_temporary_folders() {
    let folder = tempfile::tempdir().unwrap();
    let (data, temporary) = (folder.path().join("data"), folder.path().join("temporary"));
    std::fs::create_dir(&temporary).unwrap();
    let mut running = load("bare", &data, &temporary);
    until("the bare relay runs", || {
        running.started = children(running.program.id()).unwrap();
        !running.started.is_empty()
    });
    assert_eq!(entries(&temporary), 1);
    let status = interrupt(&mut running, Signal::INT);
    assert_eq!(status.code(), Some(1));
    assert_eq!(entries(&temporary), 0);
}

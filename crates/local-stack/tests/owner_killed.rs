//! However the owner of a stack ends, nothing of it survives: no process, no port, no folder.
//!
//! This program starts itself a second time in the role of the owner, which starts a stack, says where it is and
//! waits; then the owner is killed, or the keeper of one of its servers.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code, though outside of a #[test] function"
)]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use housepipe_local_stack::{Lines, Postgres, Stack, Wanted, prepare_wanted};
use support::{is_running, parts, soon, wait_for};

const ROLE: &str = "HOUSEPIPE_TEST_ROLE";

fn main() {
    if let Ok(role) = std::env::var(ROLE) {
        return owner(&role);
    }
    // The usual options of a test program, such as --list, have no meaning here.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    for role in ["running", "frozen"] {
        println!("the owner of a {role} stack is killed");
        let mut owner = Owner::start(role);
        owner.process.kill().unwrap();
        owner.process.wait().unwrap();
        owner.nothing_is_left();
    }
    println!("the owner ends in order");
    let mut owner = Owner::start("running");
    drop(owner.process.stdin.take());
    assert!(owner.process.wait().unwrap().success());
    owner.nothing_is_left();

    #[cfg(target_os = "linux")]
    keepers_are_killed();
    println!("ok");
}

/// Elsewhere no kernel ends a server with its keeper.
#[cfg(target_os = "linux")]
fn keepers_are_killed() {
    println!("the keepers are killed");
    let mut owner = Owner::start("running");
    for pid in &owner.pids {
        support::kill(support::parent(*pid));
    }
    wait_for("the servers die with their keepers", soon(10), || {
        owner.pids.iter().all(|pid| !is_running(*pid))
    });
    owner.process.kill().unwrap();
    owner.process.wait().unwrap();
    // The folders had nobody left to remove them: the next start does.
    drop(housepipe_local_stack::Kafka::start(&parts(), &Default::default()).unwrap());
    owner.nothing_is_left();
}

/// Starts a stack, prints where it is, and waits for the end of standard input.
fn owner(role: &str) {
    let parts = prepare_wanted(&Wanted::pinned().with_postgres(), &mut Lines::default()).unwrap();
    let stack = Stack::start(&parts).unwrap();
    let postgres = Postgres::start(&parts).unwrap();
    if role == "frozen" {
        stack.clickhouse.freeze().unwrap();
        stack.kafka.freeze().unwrap();
    }
    println!("pid {}", stack.clickhouse.pid().unwrap());
    println!("pid {}", stack.kafka.pid().unwrap());
    println!("pid {}", postgres.pid().unwrap());
    println!("address {}", stack.clickhouse.url().trim_start_matches("http://"));
    println!("address {}", stack.kafka.bootstrap());
    println!("address {}", support::address(&postgres));
    println!("folder {}", stack.clickhouse.folder().display());
    println!("folder {}", stack.kafka.folder().display());
    println!("folder {}", postgres.folder().display());
    println!("ready");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

struct Owner {
    process: Child,
    pids: Vec<u32>,
    addresses: Vec<String>,
    folders: Vec<PathBuf>,
}

impl Owner {
    fn start(role: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .env(ROLE, role)
            // Options of the user's for other Javas must not keep ours from starting.
            .env("JAVA_TOOL_OPTIONS", "-XX:NoSuchOption")
            .env("JDK_JAVA_OPTIONS", "-XX:NoSuchOption")
            .env("_JAVA_OPTIONS", "-XX:NoSuchOption")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let lines: Vec<String> = lines.take_while(|line| line != "ready").collect();
        let all = |kind: &str| -> Vec<String> {
            lines
                .iter()
                .filter_map(|line| line.strip_prefix(kind))
                .map(|rest| rest.trim().to_owned())
                .collect()
        };
        let owner = Self {
            process,
            pids: all("pid").iter().map(|pid| pid.parse().unwrap()).collect(),
            addresses: all("address"),
            folders: all("folder").iter().map(PathBuf::from).collect(),
        };
        // What is not there at first would not be missed afterwards.
        assert_eq!((owner.pids.len(), owner.addresses.len(), owner.folders.len()), (3, 3, 3), "{lines:?}");
        assert!(owner.pids.iter().all(|pid| is_running(*pid)));
        assert!(owner.folders.iter().all(|folder| folder.is_dir()));
        for address in &owner.addresses {
            TcpStream::connect(address).unwrap();
        }
        owner
    }

    fn nothing_is_left(&self) {
        wait_for("the processes end", soon(10), || self.pids.iter().all(|pid| !is_running(*pid)));
        wait_for("the ports are free", soon(10), || {
            self.addresses.iter().all(|address| TcpStream::connect(address).is_err())
        });
        wait_for("the folders are gone", soon(10), || self.folders.iter().all(|folder| !folder.exists()));
    }
}

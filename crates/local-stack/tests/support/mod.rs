//! What several test programs share.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "test code, though outside of a #[test] function")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use housepipe_local_stack::{Lines, Parts, Postgres, Wanted, prepare_wanted};

/// The pinned parts, whatever the environment of the developer says.
pub(crate) fn parts() -> Parts {
    prepare_wanted(&Wanted::pinned(), &mut Lines::default()).unwrap()
}

pub(crate) fn soon(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

/// Waits for a condition.
#[expect(clippy::disallowed_methods, reason = "a pause between two looks, under a deadline")]
pub(crate) fn wait_for(what: &str, deadline: Instant, mut condition: impl FnMut() -> bool) {
    while !condition() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether the process is there and is not a zombie that somebody has yet to collect.
#[cfg(target_os = "linux")]
pub(crate) fn is_running(pid: u32) -> bool {
    stat(pid).is_some_and(|fields| !fields.starts_with('Z'))
}

/// Whether the process is there. A zombie counts where nobody tells us; its parent collects it soon.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_running(pid: u32) -> bool {
    nix::sys::signal::kill(process(pid), None).is_ok()
}

/// The process that started this one.
#[cfg(target_os = "linux")]
pub(crate) fn parent(pid: u32) -> u32 {
    stat(pid).unwrap().split(' ').nth(1).unwrap().parse().unwrap()
}

/// The fields of `/proc/<pid>/stat` from the state on: state, parent, group. The command before them may hold anything.
#[cfg(target_os = "linux")]
fn stat(pid: u32) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.to_owned())
}

/// The processes that this one started.
#[cfg(target_os = "linux")]
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let pids = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    pids.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// How many pieces of System V's shared memory there are that this process made.
#[cfg(target_os = "linux")]
pub(crate) fn memory_pieces(pid: u32) -> usize {
    let pieces = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
    // Key, id, permissions, size, maker.
    pieces.lines().filter(|line| line.split_whitespace().nth(4) == Some(&pid.to_string())).count()
}

/// Where a server listens.
pub(crate) fn address(postgres: &Postgres) -> String {
    let url = postgres.url("");
    url.rsplit_once('@').unwrap().1.trim_end_matches('/').to_owned()
}

/// SIGKILL.
pub(crate) fn kill(pid: u32) {
    nix::sys::signal::kill(process(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
}

fn process(pid: u32) -> nix::unistd::Pid {
    nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap())
}

/// Sends one request of Kafka's protocol and returns the body of the answer, without its length and correlation id.
pub(crate) fn ask_kafka<S: Read + Write>(
    stream: &mut S,
    key: u16,
    version: u16,
    body: &[u8],
) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let header_bytes = 2 + 2 + 4 + string("test").len();
    request.extend_from_slice(&u32::try_from(header_bytes + body.len()).unwrap().to_be_bytes());
    request.extend_from_slice(&key.to_be_bytes());
    request.extend_from_slice(&version.to_be_bytes());
    request.extend_from_slice(&[0, 0, 0, 7]);
    request.extend_from_slice(&string("test"));
    request.extend_from_slice(body);
    stream.write_all(&request)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer)?;
    assert_eq!(answer[..4], [0, 0, 0, 7], "the answer to another request");
    Ok(answer.split_off(4))
}

/// A length of two bytes and the text.
pub(crate) fn string(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

/// CreateTopics, version 2: one partition with one replica.
pub(crate) fn create_topic(bootstrap: &str, topic: &str) {
    create_replicated_topic(bootstrap, topic, 1);
}

/// The same with replicas on so many brokers.
pub(crate) fn create_replicated_topic(bootstrap: &str, topic: &str, replicas: u8) {
    let counts = [0, 0, 0, 1, 0, replicas];
    let body = [&[0, 0, 0, 1], &string(topic)[..], &counts, &[0; 8], &[0, 0, 0x27, 0x10, 0]].concat();
    let answer = ask_kafka(&mut TcpStream::connect(bootstrap).unwrap(), 19, 2, &body).unwrap();
    // Throttle time, count, name, then the error code.
    let code = &answer[4 + 4 + 2 + topic.len()..][..2];
    assert_eq!(code, [0, 0], "the topic was refused: {answer:?}");
}

/// Whether Metadata, version 1, lists the topic.
pub(crate) fn has_topic(bootstrap: &str, topic: &str) -> bool {
    let answer = ask_kafka(&mut TcpStream::connect(bootstrap).unwrap(), 3, 1, &[0xff; 4]).unwrap();
    let name = string(topic);
    answer.windows(name.len()).any(|window| window == name)
}

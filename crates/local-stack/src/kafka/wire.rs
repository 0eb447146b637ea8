//! Two questions to a broker, in Kafka's own protocol: which cluster is it, with a leader for every partition? And who
//! coordinates a group? And who may do what?
//!
//! A request is its length, then API key, version, correlation id, client id and the body, all big-endian; see
//! <https://kafka.apache.org/protocol#protocol_messages>. Metadata version 2 is old enough to have no compact
//! fields, and so are FindCoordinator version 0 and CreateAcls version 1; Kafka 4 still speaks them.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// A broker that answers at all answers within milliseconds.
const ANSWER_MAX: Duration = Duration::from_millis(1000);
/// Far more than the metadata of the topics of a test.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// API key 3 (Metadata), version 2, correlation id 1, client id "local-stack".
const METADATA: &[u8] = b"\0\x03\0\x02\0\0\0\x01\0\x0blocal-stack";
/// The null array.
const ALL_TOPICS: &[u8] = b"\xff\xff\xff\xff";
/// The error of a broker that knows no coordinator, or is about to make the topic that has one.
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
/// API key 10 (FindCoordinator), version 0, correlation id 1, client id "local-stack".
const FIND_COORDINATOR: &[u8] = b"\0\x0a\0\0\0\0\0\x01\0\x0blocal-stack";

/// API key 30 (CreateAcls), version 1, correlation id 1, client id "local-stack".
const CREATE_ACLS: &[u8] = b"\0\x1e\0\x01\0\0\0\x01\0\x0blocal-stack";

/// Asks the broker `id` on 127.0.0.1, which has to be of the cluster `cluster_id`; an error says what is not yet right.
pub(super) fn check_ready(port: u16, id: u16, cluster_id: &str) -> io::Result<()> {
    check_metadata(&ask(port, METADATA, ALL_TOPICS)?, id, cluster_id)
}

/// Asks the broker on 127.0.0.1 for the id of the one that coordinates `group`; none where it knows none at the moment.
pub(super) fn find_coordinator(port: u16, group: &str) -> io::Result<Option<u16>> {
    let length = u16::try_from(group.len()).map_err(io::Error::other)?;
    let body = [&length.to_be_bytes(), group.as_bytes()].concat();
    let answer = ask(port, FIND_COORDINATOR, &body)?;
    let mut reader = Reader(&answer);
    reader.skip(4)?; // correlation id
    let error_code = reader.i16()?;
    let id = reader.i32()?;
    match error_code {
        0 => u16::try_from(id).map(Some).map_err(io::Error::other),
        COORDINATOR_NOT_AVAILABLE => Ok(None),
        _ => Err(io::Error::other(format!("the broker answered with error {error_code}"))),
    }
}

/// Something that rights are about, by its number in the protocol.
#[derive(Debug, Clone, Copy)]
pub(super) enum Resource {
    Topic = 2,
    Group = 3,
}

/// What may be done, by its number in the protocol.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    /// To describe as well.
    Read = 3,
    Describe = 8,
}

/// Lets `user` do this with `name`, from everywhere.
pub(super) fn allow(
    port: u16,
    user: &str,
    operation: Operation,
    resource: Resource,
    name: &str,
) -> io::Result<()> {
    const LITERAL: u8 = 3;
    const ALLOW: u8 = 3;
    let mut body = vec![0, 0, 0, 1, resource as u8];
    let right = [operation as u8, ALLOW];
    for (text, behind) in [(name, &[LITERAL][..]), (&format!("User:{user}"), &[]), ("*", &right)] {
        let length = u16::try_from(text.len()).map_err(io::Error::other)?;
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(text.as_bytes());
        body.extend_from_slice(behind);
    }
    let answer = ask(port, CREATE_ACLS, &body)?;
    let mut reader = Reader(&answer);
    reader.skip(4)?; // correlation id
    reader.skip(4)?; // throttling
    let (count, error_code) = (reader.i32()?, reader.i16()?);
    match (count, error_code) {
        (1, 0) => Ok(()),
        _ => Err(io::Error::other(format!("the broker answered with error {error_code}"))),
    }
}

/// Sends a request to the broker on 127.0.0.1, and returns its answer without the length.
fn ask(port: u16, header: &[u8], body: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(header.len() + body.len()).map_err(io::Error::other)?;
    let request = [&length.to_be_bytes(), header, body].concat();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    stream.write_all(&request)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > ANSWER_BYTES_MAX {
        return Err(io::Error::other("the answer is too long"));
    }
    let mut answer = Vec::new();
    stream.take(length as u64).read_to_end(&mut answer)?;
    Ok(answer)
}

/// Fails unless it is our cluster, the broker is in it and each partition of each topic has a leader.
fn check_metadata(answer: &[u8], id: u16, cluster_id: &str) -> io::Result<()> {
    let mut reader = Reader(answer);
    reader.skip(4)?; // correlation id
    let brokers = reader.i32()?;
    let mut is_registered = false;
    for _ in 0..brokers {
        is_registered |= reader.i32()? == i32::from(id);
        reader.string()?;
        reader.skip(4)?;
        reader.string()?;
    }
    if reader.string()? != Some(cluster_id.as_bytes()) {
        return Err(io::Error::other("a broker of another cluster answers"));
    }
    let controller = reader.i32()?;
    if !is_registered || controller < 0 {
        return Err(io::Error::other("the broker is not registered yet"));
    }
    for _ in 0..reader.i32()? {
        reader.skip(2)?;
        reader.string()?;
        reader.skip(1)?;
        for _ in 0..reader.i32()? {
            reader.skip(2)?;
            let partition = reader.i32()?;
            let leader = reader.i32()?;
            reader.skip_i32s()?;
            reader.skip_i32s()?;
            if leader < 0 {
                return Err(io::Error::other(format!("partition {partition} of a topic has no leader yet")));
            }
        }
    }
    Ok(())
}

/// Reads big-endian fields from a slice.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = rest;
        Ok(taken)
    }

    fn skip(&mut self, bytes: usize) -> io::Result<()> {
        self.take(bytes).map(drop)
    }

    fn i16(&mut self) -> io::Result<i16> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = rest;
        Ok(i16::from_be_bytes(*bytes))
    }

    fn i32(&mut self) -> io::Result<i32> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = rest;
        Ok(i32::from_be_bytes(*bytes))
    }

    /// A length of two bytes, -1 for null, and the text.
    fn string(&mut self) -> io::Result<Option<&'a [u8]>> {
        match usize::try_from(self.i16()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }

    fn skip_i32s(&mut self) -> io::Result<()> {
        let count = usize::try_from(self.i32()?).unwrap_or(0);
        self.skip(count.saturating_mul(4))
    }
}

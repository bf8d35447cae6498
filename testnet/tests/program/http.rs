//! As much of an HTTP client as the dashboard's tests need, and no more: what it sends is exactly what
//! a test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for a byte.
const PATIENCE: Duration = Duration::from_secs(120);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut fields = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        fields.next().map(|(_, value)| value.trim())
    }
}

/// A server on loopback.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    port: u16,
}

impl Server {
    pub(crate) fn at(url: &str) -> Self {
        let (_, port) = url.rsplit_once(':').expect("a port");
        Self { port: port.trim().parse().expect("a number") }
    }

    fn own_host(&self) -> String {
        format!("Host: 127.0.0.1:{}\r\n", self.port)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.raw("GET", path, &self.own_host(), "")
    }

    pub(crate) fn get_with(&self, path: &str, headers: &str) -> Answer {
        self.raw("GET", path, &format!("{}{headers}", self.own_host()), "")
    }

    pub(crate) fn post(&self, path: &str, headers: &str, body: &str) -> Answer {
        self.raw("POST", path, &format!("{}{headers}", self.own_host()), body)
    }

    /// A request with exactly these headers, besides those that its form needs.
    pub(crate) fn raw(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let mut stream = self.connect();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        // A server that refuses early may not read it all.
        let _ = stream.write_all(request.as_bytes());
        let mut reader = BufReader::new(stream);
        let head = head_of(&mut reader);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer to {path}: {head:?}"));
        let mut body = Vec::new();
        if is_chunked(&head) {
            while let Some(mut chunk) = chunk_of(&mut reader) {
                body.append(&mut chunk);
            }
        } else {
            let _ = reader.read_to_end(&mut body);
        }
        Answer { status, head, body: String::from_utf8(body).expect("text") }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        stream
    }

    pub(crate) fn is_gone(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_err()
    }

    /// Events from here on.
    pub(crate) fn events(&self, path: &str, headers: &str) -> Events {
        let mut stream = self.connect();
        let request = format!("GET {path} HTTP/1.1\r\n{}{headers}\r\n", self.own_host());
        stream.write_all(request.as_bytes()).expect("sent");
        let mut reader = BufReader::new(stream);
        let head = head_of(&mut reader);
        assert!(head.contains("200 OK") && head.contains("text/event-stream"), "{head}");
        Events { reader, text: String::new() }
    }
}

/// A stream of server-sent events.
#[derive(Debug)]
pub(crate) struct Events {
    reader: BufReader<TcpStream>,
    text: String,
}

impl Events {
    /// The next event; its id is its cursor.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Value {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
                };
                let Some(data) = field("data:") else { continue };
                let value: Value = serde_json::from_str(data).expect("JSON");
                assert_eq!(field("id:"), Some(value["cursor"].to_string().as_str()), "{event}");
                return value;
            }
            let chunk = chunk_of(&mut self.reader).expect("the stream goes on");
            self.text += &String::from_utf8(chunk).expect("text");
        }
    }

    /// Reads until an event is as wanted.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let event = self.next();
            if wanted(&event) {
                return event;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}");
        }
    }
}

fn head_of(reader: &mut impl BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            break;
        }
    }
    head
}

fn is_chunked(head: &str) -> bool {
    head.to_ascii_lowercase().contains("transfer-encoding: chunked")
}

/// The next chunk; `None` at the end.
fn chunk_of(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut length = String::new();
    reader.read_line(&mut length).expect("the length of a chunk");
    let length = usize::from_str_radix(length.trim(), 16).unwrap_or(0);
    let mut chunk = vec![0; length + 2];
    reader.read_exact(&mut chunk).ok()?;
    chunk.truncate(length);
    (length > 0).then_some(chunk)
}

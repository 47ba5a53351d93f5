//! A site on loopback whose every answer is given byte for byte, and which remembers who asked what.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Clone)]
pub(crate) struct Site {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Site {
    /// Answers each request with what `answer` makes of it, and closes the connection.
    pub(crate) fn start(answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start_on("127.0.0.1", answer)
    }

    /// The same on another loopback address, so that it is another host.
    pub(crate) fn start_on(ip: &str, answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let site = Self { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let (shared, answer) = (site.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (site, answer) = (shared.clone(), Arc::clone(&answer));
                std::thread::spawn(move || site.serve(&stream, &*answer));
            }
        });
        site
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests for paths that begin so.
    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|asked| asked.path.starts_with(path)).cloned().collect()
    }

    fn serve(&self, stream: &TcpStream, answer: &dyn Fn(&Asked) -> Vec<u8>) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut lines = reader.by_ref().lines().map_while(Result::ok);
        let path = lines.next()?.split(' ').nth(1)?.to_owned();
        let headers: Vec<(String, String)> = lines
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())))
            .collect();
        let mut asked = Asked { path, headers, body: Vec::new() };
        // What is sent along is read, or the connection breaks off before the answer has arrived.
        if let Some(length) = asked.header("content-length").and_then(|length| length.parse().ok()) {
            asked.body = vec![0; length];
            reader.read_exact(&mut asked.body).ok()?;
        }
        self.asked.lock().unwrap().push(asked.clone());
        let bytes = answer(&asked);
        (&mut &*stream).write_all(&bytes).ok()
    }
}

/// An answer with this status, these header lines (each ended), and this body.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
}

/// An RSS feed with one entry a title, all of one date.
pub(crate) fn rss(site: &str, titles: &[&str]) -> String {
    let mut text = format!("<rss version=\"2.0\"><channel><title>Feed of {site}</title>");
    for (n, title) in titles.iter().enumerate() {
        write!(
            text,
            "<item><title>{title}</title><guid isPermaLink=\"false\">{site}-{n}</guid><link>https://{site}.example/{n}</link>\
             <pubDate>Wed, 18 Nov 2026 10:00:00 GMT</pubDate></item>"
        )
        .unwrap();
    }
    text + "</channel></rss>"
}

//! A mail server on loopback that keeps the wire, and that dies at whatever step it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Where the next connection ends; each is used once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Before any greeting.
    AtOnce,
    /// The sender, the recipient is refused for now (451) or for good (550).
    SenderLater,
    RecipientLater,
    RecipientRefused,
    /// Before DATA is answered.
    BeforeData,
    /// After DATA was answered, before anything of the message is read.
    AfterData,
    /// After so many bytes of the message.
    AtByte(usize),
    /// The message is whole, and the server ends before it says so; it keeps nothing.
    BeforeTaken,
    /// The message is kept, and the server ends before it says so.
    TakenInSilence,
    /// It stops answering: before the sender, before DATA, in the message, before it says that it took it, after it kept
    /// it without a word. It waits until the client is gone.
    HangAtSender,
    HangAtData,
    HangInMessage,
    HangBeforeTaken,
    HangTaken,
    /// The message is refused for now (452) or for good (554).
    MessageLater,
    MessageRefused,
}

/// One mail that the server took.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// As the message was before dots were doubled.
    pub(crate) message: Vec<u8>,
}

impl Taken {
    /// A header's value, unfolded.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.message).into_owned();
        let head = text.split("\r\n\r\n").next()?.replace("\r\n ", " ");
        let start = format!("{name}: ");
        head.split("\r\n").find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
    }
}

#[derive(Default)]
struct State {
    faults: Vec<Fault>,
    taken: Vec<Taken>,
    wire: Vec<String>,
    connections: usize,
    hanging: usize,
    /// `user\0password`, as PLAIN gives it.
    signed_in: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct MailServer {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
    /// What it tells of itself after EHLO, besides its name.
    extensions: Arc<Vec<&'static str>>,
}

impl MailServer {
    pub(crate) fn start() -> Self {
        Self::offering(&["8BITMIME"])
    }

    /// One that offers these extensions.
    pub(crate) fn offering(extensions: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), state: Arc::default(), extensions: Arc::new(extensions.to_vec()) };
        let shared = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || shared.converse(&stream));
            }
        });
        server
    }

    /// The next connections end so, one after the other.
    pub(crate) fn will(&self, faults: &[Fault]) {
        self.state.lock().unwrap().faults = faults.iter().rev().copied().collect();
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.state.lock().unwrap().taken.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// How often it stopped answering so far.
    pub(crate) fn hanging(&self) -> usize {
        self.state.lock().unwrap().hanging
    }

    /// Every line that clients said, messages left out.
    pub(crate) fn wire(&self) -> Vec<String> {
        self.state.lock().unwrap().wire.clone()
    }

    pub(crate) fn signed_in(&self) -> Vec<String> {
        self.state.lock().unwrap().signed_in.clone()
    }

    fn converse(&self, stream: &TcpStream) -> Option<()> {
        let fault = {
            let mut state = self.state.lock().unwrap();
            state.connections += 1;
            state.faults.pop()
        };
        let end = || stream.shutdown(Shutdown::Both).ok();
        if fault == Some(Fault::AtOnce) {
            return end();
        }
        let say = |text: &str| (&mut &*stream).write_all(format!("{text}\r\n").as_bytes()).ok();
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let (mut from, mut to) = (String::new(), Vec::new());
        say("220 mail.example ready")?;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end_matches(['\r', '\n']).to_owned();
            self.state.lock().unwrap().wire.push(line.clone());
            let verb: String = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => {
                    let mut lines = vec!["mail.example".to_owned()];
                    lines.extend(self.extensions.iter().map(|extension| (*extension).to_owned()));
                    let last = lines.len() - 1;
                    for (at, extension) in lines.iter().enumerate() {
                        say(&format!("250{}{extension}", if at == last { ' ' } else { '-' }))?;
                    }
                }
                "AUTH" => {
                    self.state.lock().unwrap().signed_in.push(line.split(' ').nth(2).unwrap_or_default().to_owned());
                    say("235 welcome")?;
                }
                "MAIL" if fault == Some(Fault::HangAtSender) => return self.hang(&mut reader),
                "DATA" if fault == Some(Fault::HangAtData) => return self.hang(&mut reader),
                "MAIL" if fault == Some(Fault::SenderLater) => say("451 not now")?,
                "MAIL" => {
                    from = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                    say("250 ok")?;
                }
                "RCPT" if fault == Some(Fault::RecipientLater) => say("451 not now")?,
                "RCPT" if fault == Some(Fault::RecipientRefused) => say("550 no such user")?,
                "RCPT" => {
                    to.push(line.split(['<', '>']).nth(1).unwrap_or_default().to_owned());
                    say("250 ok")?;
                }
                "DATA" if fault == Some(Fault::BeforeData) => return end(),
                "DATA" => {
                    say("354 go on")?;
                    if fault == Some(Fault::AfterData) {
                        return end();
                    }
                    if fault == Some(Fault::HangInMessage) {
                        let mut some = [0; 2_000];
                        let _ = reader.read_exact(&mut some);
                        return self.hang(&mut reader);
                    }
                    let message = message(&mut reader, fault)?;
                    let keep = || {
                        let taken = Taken { from: from.clone(), to: to.clone(), message: message.clone() };
                        self.state.lock().unwrap().taken.push(taken);
                    };
                    match fault {
                        Some(Fault::BeforeTaken) => return end(),
                        Some(Fault::HangBeforeTaken) => return self.hang(&mut reader),
                        Some(Fault::HangTaken) => {
                            keep();
                            return self.hang(&mut reader);
                        }
                        Some(Fault::TakenInSilence) => {
                            keep();
                            return end();
                        }
                        Some(Fault::MessageLater) => say("452 the disk is full")?,
                        Some(Fault::MessageRefused) => say("554 we do not want it")?,
                        _ => {
                            keep();
                            say("250 taken as 42")?;
                        }
                    }
                }
                "QUIT" => {
                    say("221 bye")?;
                    return end();
                }
                _ => say("250 ok")?,
            }
        }
    }

    /// Says that it hangs, and waits until the client is gone.
    fn hang(&self, reader: &mut impl BufRead) -> Option<()> {
        self.state.lock().unwrap().hanging += 1;
        let mut rest = Vec::new();
        let _ = reader.read_to_end(&mut rest);
        None
    }
}

/// The message up to the line with a dot alone, dots undone.
fn message(reader: &mut impl BufRead, fault: Option<Fault>) -> Option<Vec<u8>> {
    if let Some(Fault::AtByte(count)) = fault {
        let mut some = vec![0; count];
        let _ = reader.read_exact(&mut some);
        return None;
    }
    let mut message = Vec::new();
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        if line == b".\r\n" {
            return Some(message);
        }
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}

/// A mail server that speaks TLS: at once, or after STARTTLS. What is said inside goes to the plain one.
pub(crate) async fn behind_tls(plain: &MailServer, at_once: bool) -> u16 {
    use rustls::pki_types::pem::PemObject;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls");
    let chain = vec![rustls::pki_types::CertificateDer::from_pem_file(folder.join("mail.pem")).unwrap()];
    let key = rustls::pki_types::PrivateKeyDer::from_pem_file(folder.join("mail.key")).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, inner) = (listener.local_addr().unwrap().port(), plain.port);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(("127.0.0.1", inner)).await.ok()?;
                let mut client = client;
                if !at_once {
                    // The greeting and the first EHLO are the other's own; STARTTLS is answered here.
                    let mut from_client = tokio::io::BufReader::new(client);
                    let mut from_server = tokio::io::BufReader::new(server);
                    let mut line = String::new();
                    from_server.read_line(&mut line).await.ok()?;
                    from_client.get_mut().write_all(line.as_bytes()).await.ok()?;
                    line.clear();
                    from_client.read_line(&mut line).await.ok()?;
                    from_server.get_mut().write_all(line.as_bytes()).await.ok()?;
                    loop {
                        line.clear();
                        from_server.read_line(&mut line).await.ok()?;
                        from_client.get_mut().write_all(line.as_bytes()).await.ok()?;
                        if line.as_bytes().get(3) == Some(&b' ') {
                            break;
                        }
                    }
                    line.clear();
                    from_client.read_line(&mut line).await.ok()?;
                    if line.trim_end() != "STARTTLS" {
                        return None;
                    }
                    from_client.get_mut().write_all(b"220 go on\r\n").await.ok()?;
                    (client, server) = (from_client.into_inner(), from_server.into_inner());
                }
                let mut client = acceptor.accept(client).await.ok()?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await.ok()
            });
        }
    });
    port
}

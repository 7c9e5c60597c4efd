//! A small SMTP server in this process: takes everything in, and does what it is told to do wrong.
//!
//! Plain text only, AUTH PLAIN and LOGIN with any password. For TLS and a server that somebody else wrote, see
//! `aiosmtpd`.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_types::base64;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Message;
use crate::runtime::{self, Background};

/// What the server does instead of its usual answer.
#[derive(Clone, Debug)]
pub enum Act {
    /// Sends this line (or lines, with CR LF between), such as `451 4.7.1 try again later`.
    Reply(String),
    /// Sends this and, behind it, the line that it answers.
    Echo(String),
    /// Sends the usual answer a byte at a time, with this pause between.
    Drip(Duration),
    /// Falls silent, and keeps the connection open.
    Stall,
    /// Hangs up.
    Close,
}

/// A running server; it stops when this is dropped.
pub struct Sink {
    port: u16,
    book: Arc<Book>,
    _server: Background,
}

#[derive(Default)]
struct Book {
    notes: Mutex<Notes>,
    changed: Condvar,
}

#[derive(Default)]
struct Notes {
    messages: Vec<Message>,
    transcript: Vec<String>,
    extensions: Vec<String>,
    once: BTreeMap<String, VecDeque<Act>>,
    always: BTreeMap<String, Act>,
}

impl Sink {
    /// Starts a server on 127.0.0.1 that announces AUTH and takes every mail.
    pub fn start() -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Starts a server that listens here, for others than this machine too.
    pub fn start_at(address: SocketAddr) -> Self {
        let book = Arc::new(Book::default());
        book.notes().extensions =
            ["8BITMIME", "SMTPUTF8", "SIZE 35882577", "AUTH PLAIN LOGIN"].map(String::from).into();
        let listener = runtime::block_on(TcpListener::bind(address)).expect("the address is free");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::clone(&book);
        let server = Background::spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let book = Arc::clone(&shared);
                // A client that hangs up ends its session, and is no concern of the server.
                sessions.spawn(async move { drop(Session::new(stream, book).run().await) });
            }
        });
        Self { port, book, _server: server }
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What EHLO announces from now on: `["STARTTLS", "AUTH PLAIN"]`.
    pub fn announce(&self, extensions: &[&str]) {
        self.book.notes().extensions = extensions.iter().map(ToString::to_string).collect();
    }

    /// Does this once, at the next command of this name. After the mail's last line, the name is `.`; at the start, `CONNECT`.
    /// Several calls for one name are done one after the other.
    pub fn once(&self, command: &str, act: Act) {
        self.book.notes().once.entry(command.to_owned()).or_default().push_back(act);
    }

    /// Does this at every command of this name.
    pub fn always(&self, command: &str, act: Act) {
        self.book.notes().always.insert(command.to_owned(), act);
    }

    /// The mails taken in so far.
    pub fn messages(&self) -> Vec<Message> {
        self.book.notes().messages.clone()
    }

    /// Waits for so many mails and gives all that came; fails the test if they do not come in time.
    pub fn wait_for(&self, count: usize, within: Duration) -> Vec<Message> {
        let missing = |notes: &mut Notes| notes.messages.len() < count;
        let waited = self.book.changed.wait_timeout_while(self.book.notes(), within, missing);
        let (notes, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "{count} mails did not come within {within:?}:\n{}", notes.transcript.join("\n"));
        notes.messages.clone()
    }

    /// Every line that clients sent, mails themselves left out.
    pub fn transcript(&self) -> Vec<String> {
        self.book.notes().transcript.clone()
    }
}

impl Book {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn act(&self, command: &str) -> Option<Act> {
        let mut notes = self.notes();
        let once = notes.once.get_mut(command).and_then(VecDeque::pop_front);
        once.or_else(|| notes.always.get(command).cloned())
    }
}

struct Session {
    stream: BufReader<TcpStream>,
    book: Arc<Book>,
    message: Message,
}

/// What becomes of a session after an answer.
enum Answered {
    AsUsual,
    Otherwise,
}

impl Session {
    fn new(stream: TcpStream, book: Arc<Book>) -> Self {
        let message = Message { from: String::new(), to: Vec::new(), login: None, raw: Vec::new() };
        Self { stream: BufReader::new(stream), book, message }
    }

    async fn run(mut self) -> io::Result<()> {
        self.answer("CONNECT", "220 sink.test ESMTP").await?;
        while let Some(line) = self.read_line().await? {
            let command = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match command.as_str() {
                "EHLO" => {
                    let greeting = self.greeting();
                    self.answer("EHLO", &greeting).await?;
                }
                "AUTH" => self.log_in(&line).await?,
                "MAIL" => {
                    self.message.from = address(&line);
                    self.answer("MAIL", "250 2.1.0 sender ok").await?;
                }
                "RCPT" => {
                    if matches!(self.answer("RCPT", "250 2.1.5 recipient ok").await?, Answered::AsUsual) {
                        self.message.to.push(address(&line));
                    }
                }
                "DATA" => self.take_mail().await?,
                "RSET" => {
                    self.forget_mail();
                    self.answer("RSET", "250 2.0.0 ok").await?;
                }
                "HELO" | "NOOP" => {
                    self.answer(&command, "250 sink.test").await?;
                }
                "QUIT" => {
                    self.answer("QUIT", "221 2.0.0 bye").await?;
                    return Ok(());
                }
                "STARTTLS" => {
                    self.answer("STARTTLS", "454 4.7.0 no TLS here").await?;
                }
                _ => {
                    self.answer(&command, "502 5.5.2 unknown command").await?;
                }
            }
        }
        Ok(())
    }

    fn greeting(&self) -> String {
        let notes = self.book.notes();
        let mut lines = vec!["sink.test".to_owned()];
        lines.extend(notes.extensions.iter().cloned());
        let last = lines.len() - 1;
        let line = |(n, text): (usize, &String)| format!("250{}{text}", if n == last { ' ' } else { '-' });
        lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\r\n")
    }

    async fn log_in(&mut self, line: &str) -> io::Result<()> {
        let mut words = line.split(' ').skip(1);
        let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
        let login = if mechanism == "LOGIN" {
            let user = self.ask("334 VXNlcm5hbWU6").await?;
            (user, self.ask("334 UGFzc3dvcmQ6").await?)
        } else {
            let plain = match words.next() {
                Some(initial) => decode(initial),
                None => self.ask("334 ").await?,
            };
            let mut fields = plain.split('\0').skip(1).map(str::to_owned);
            (fields.next().unwrap_or_default(), fields.next().unwrap_or_default())
        };
        if matches!(self.answer("AUTH", "235 2.7.0 welcome").await?, Answered::AsUsual) {
            self.message.login = Some(login);
        }
        Ok(())
    }

    async fn ask(&mut self, challenge: &str) -> io::Result<String> {
        self.send(&format!("{challenge}\r\n")).await?;
        Ok(decode(&self.read_line().await?.unwrap_or_default()))
    }

    async fn take_mail(&mut self) -> io::Result<()> {
        if matches!(self.answer("DATA", "354 go ahead").await?, Answered::Otherwise) {
            return Ok(());
        }
        loop {
            let mut line = Vec::new();
            if self.stream.read_until(b'\n', &mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == b".\r\n" {
                break;
            }
            self.message.raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
        if matches!(self.answer(".", "250 2.0.0 taken").await?, Answered::AsUsual) {
            self.book.notes().messages.push(self.message.clone());
            self.book.changed.notify_all();
        }
        self.forget_mail();
        Ok(())
    }

    fn forget_mail(&mut self) {
        self.message =
            Message { login: self.message.login.take(), from: String::new(), to: Vec::new(), raw: Vec::new() };
    }

    /// Sends the usual answer to a command, or does what the test wants instead.
    async fn answer(&mut self, command: &str, usual: &str) -> io::Result<Answered> {
        match self.book.act(command) {
            None => self.send(&format!("{usual}\r\n")).await.map(|()| Answered::AsUsual),
            Some(Act::Reply(line)) => {
                self.send(&format!("{line}\r\n")).await?;
                Ok(if line.starts_with(['2', '3']) { Answered::AsUsual } else { Answered::Otherwise })
            }
            Some(Act::Echo(line)) => {
                let heard = self.book.notes().transcript.last().cloned().unwrap_or_default();
                self.send(&format!("{line} {heard}\r\n")).await?;
                Ok(Answered::Otherwise)
            }
            Some(Act::Drip(pause)) => {
                for byte in format!("{usual}\r\n").bytes() {
                    self.stream.write_all(&[byte]).await?;
                    tokio::time::sleep(pause).await;
                }
                Ok(Answered::AsUsual)
            }
            Some(Act::Stall) => {
                // Until the client hangs up.
                self.stream.read_to_end(&mut Vec::new()).await?;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Some(Act::Close) => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    async fn send(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes()).await
    }

    async fn read_line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).await?;
        let line = line.trim_end_matches(['\r', '\n']).to_owned();
        self.book.notes().transcript.push(line.clone());
        Ok((read > 0).then_some(line))
    }
}

/// What stands between the angle brackets.
fn address(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or(line, |(address, _)| address).to_owned()
}

fn decode(text: &str) -> String {
    base64::decode(text).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

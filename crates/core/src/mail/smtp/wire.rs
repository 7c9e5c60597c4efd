//! The connection below the protocol: TCP, TLS from the first byte, or TLS after STARTTLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use lettre::transport::smtp::extension::{ClientId, Extension, ServerInfo};
use lettre::transport::smtp::response::Response;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{SmtpError, Stage};
use crate::mail::clean;

/// RFC 5321, section 4.5.3.1.5: a reply line is at most 512 bytes. Servers write longer ones; none writes this much.
const REPLY_BYTES: u64 = 64 * 1024;

/// What the protocol talks through.
#[derive(Debug)]
pub(super) struct Wire {
    /// A greeting that came before TLS and is read again after it, where the protocol expects it.
    greeting: Vec<u8>,
    stream: Stream,
}

#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    pub(super) fn plain(tcp: TcpStream) -> Self {
        Self { greeting: Vec::new(), stream: Stream::Plain(tcp) }
    }

    pub(super) fn encrypted(tls: TlsStream<TcpStream>, greeting: Vec<u8>) -> Self {
        Self { greeting, stream: Stream::Tls(Box::new(tls)) }
    }
}

/// Asks a server for STARTTLS, up to the point where TLS may begin. Gives the server's greeting.
///
/// Whatever came in the clear is forgotten but for the greeting, and a server that sends more than its answer is refused:
/// those bytes could have been put there by somebody on the way, to be read as if they had come through TLS
/// (CVE-2011-0411 and its kin).
pub(super) async fn ask_for_tls(tcp: &mut TcpStream, server: &str, name: &ClientId) -> Result<Vec<u8>, SmtpError> {
    let mut reader = BufReader::new(tcp);
    let greeting = read_reply(&mut reader, Stage::Greet).await?;
    let features = command(&mut reader, &format!("EHLO {name}\r\n"), Stage::Greet).await?;
    let offered = ServerInfo::from_response(&parse(&features, Stage::Greet)?);
    if !offered.is_ok_and(|info| info.supports_feature(Extension::StartTls)) {
        return Err(SmtpError::NoStartTls { server: server.to_owned() });
    }
    command(&mut reader, "STARTTLS\r\n", Stage::Tls).await?;
    if !reader.buffer().is_empty() {
        return Err(broken(Stage::Tls, "the server sent more than it was asked for, before encryption"));
    }
    Ok(greeting)
}

async fn command(reader: &mut BufReader<&mut TcpStream>, line: &str, stage: Stage) -> Result<Vec<u8>, SmtpError> {
    reader.get_mut().write_all(line.as_bytes()).await.map_err(|error| broken(stage, error))?;
    read_reply(reader, stage).await
}

/// One reply, of as many lines as it has. A negative one is an error.
async fn read_reply(reader: &mut BufReader<&mut TcpStream>, stage: Stage) -> Result<Vec<u8>, SmtpError> {
    let mut reply = Vec::new();
    let mut limited = reader.take(REPLY_BYTES);
    loop {
        let begin = reply.len();
        let read = limited.read_until(b'\n', &mut reply).await.map_err(|error| broken(stage, error))?;
        if read == 0 {
            return Err(broken(stage, "the server hung up"));
        }
        // `250-` goes on, `250 ` is the last line; what is neither will not parse.
        let goes_on = matches!(&reply[begin..], [a, b, c, b'-', ..] if [a, b, c].into_iter().all(u8::is_ascii_digit));
        if !goes_on {
            break;
        }
    }
    let response = parse(&reply, stage)?;
    if response.is_positive() {
        return Ok(reply);
    }
    let text = response.message().collect::<Vec<_>>().join(" ");
    Err(SmtpError::Refused {
        stage,
        reply: clean::line(&format!("{} {text}", response.code()), 300),
        permanent: reply.first() == Some(&b'5'),
    })
}

fn parse(reply: &[u8], stage: Stage) -> Result<Response, SmtpError> {
    let text = String::from_utf8_lossy(reply);
    text.parse().map_err(|_| broken(stage, "what answers does not speak SMTP"))
}

fn broken(stage: Stage, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SmtpError {
    SmtpError::Broken { stage, source: source.into() }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if !wire.greeting.is_empty() {
            let some = wire.greeting.len().min(buffer.remaining());
            buffer.put_slice(&wire.greeting[..some]);
            wire.greeting.drain(..some);
            return Poll::Ready(Ok(()));
        }
        match &mut wire.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Stream::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Stream::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.stream {
            Stream::Plain(tcp) => tcp.peer_addr(),
            Stream::Tls(tls) => tls.get_ref().0.peer_addr(),
        }
    }
}

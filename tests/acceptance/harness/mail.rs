//! The mail sink, spoken to by hand: what it understands and what it is told to do.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use acceptance::mail::{Act, Attachment, Sink};

struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    fn connect(sink: &Sink) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", sink.port())).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Self { stream, reader }
    }

    /// The last line of the next answer; empty if the server hung up.
    fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line.trim_end().to_owned();
            }
        }
    }

    fn say(&mut self, line: &str) -> String {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.answer()
    }
}

const MAIL: &str = "Subject: =?utf-8?B?0JPQvtGC0L7QstC+?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
    --b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n\
    --c\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n..dotted\r\n\r\n--c\r\nContent-Type: text/html\r\n\r\n<p>hello</p>\r\n--c--\r\n\
    --b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=\"backup.log\"\r\nContent-Transfer-Encoding: base64\r\n\r\nbG9n\r\n--b--\r\n.";

#[test]
fn a_mail_arrives_as_it_was_sent() {
    let sink = Sink::start();
    let mut client = Client::connect(&sink);
    assert_eq!(client.answer(), "220 sink.test ESMTP");
    assert_eq!(client.say("EHLO me"), "250 AUTH PLAIN LOGIN");
    assert_eq!(client.say("AUTH PLAIN AHVzZXIAcGFzcw=="), "235 2.7.0 welcome");
    client.say("MAIL FROM:<a@example.org>");
    client.say("RCPT TO:<b@example.org>");
    client.say("RCPT TO:<c@example.org>");
    client.say("DATA");
    assert_eq!(client.say(MAIL), "250 2.0.0 taken");
    let message = sink.wait_for(1, Duration::from_secs(5)).remove(0);
    assert_eq!((message.from.as_str(), message.to.join(" ")), ("a@example.org", "b@example.org c@example.org".into()));
    assert_eq!(message.login, Some(("user".into(), "pass".into())));
    let letter = message.letter();
    assert_eq!((letter.subject.as_str(), letter.header("mime-version")), ("Готово", Some("1.0")));
    assert_eq!((letter.text.trim_end(), letter.html.trim_end()), (".dotted", "<p>hello</p>"));
    let log = Attachment { name: "backup.log".into(), content_type: "text/plain".into(), content: b"log".into() };
    assert_eq!(letter.attachments, [log]);
}

#[test]
fn the_script_is_followed() {
    let sink = Sink::start();
    sink.announce(&["STARTTLS"]);
    sink.once("MAIL", Act::Reply("451 4.7.1 greylisted".into()));
    sink.always("RCPT", Act::Reply("550 5.1.1 no such user".into()));
    sink.once("NOOP", Act::Drip(Duration::from_millis(20)));
    sink.always("DATA", Act::Close);
    let mut client = Client::connect(&sink);
    client.answer();
    assert_eq!(client.say("EHLO me"), "250 STARTTLS");
    assert_eq!(client.say("MAIL FROM:<a@example.org>"), "451 4.7.1 greylisted");
    assert_eq!(client.say("MAIL FROM:<a@example.org>"), "250 2.1.0 sender ok");
    assert_eq!(client.say("RCPT TO:<b@example.org>"), "550 5.1.1 no such user");
    let started = Instant::now();
    client.say("NOOP");
    assert!(started.elapsed() > Duration::from_millis(200));
    assert_eq!(client.say("DATA"), "");
    assert!(sink.messages().is_empty());
}

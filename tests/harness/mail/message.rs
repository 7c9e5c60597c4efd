//! A received mail: the envelope and the bytes, and what a reader's program makes of them.

use mailparse::{DispositionType, MailHeaderMap, ParsedMail};

/// A mail as a server took it in.
#[derive(Clone, Debug)]
pub struct Message {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// User and password, if the sender logged in.
    pub login: Option<(String, String)>,
    /// The mail itself, headers and body, lines ending in CR LF, dots unstuffed.
    pub raw: Vec<u8>,
}

/// What a reader sees of a mail.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The decoded subject.
    pub subject: String,
    /// Every header as (name, decoded value), in order.
    pub headers: Vec<(String, String)>,
    /// The `text/plain` part that is not an attachment.
    pub text: String,
    /// The `text/html` part.
    pub html: String,
    /// Attached files.
    pub attachments: Vec<Attachment>,
}

/// A file that came with a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// Its type, such as `text/plain`.
    pub content_type: String,
    /// Its bytes, decoded.
    pub content: Vec<u8>,
}

impl Message {
    /// Reads the mail as a reader's program does; a mail that no program could read fails the test.
    pub fn letter(&self) -> Letter {
        let raw = String::from_utf8_lossy(&self.raw);
        let mail = mailparse::parse_mail(&self.raw).unwrap_or_else(|e| panic!("not a mail: {e}\n{raw}"));
        let headers: Vec<_> = mail.headers.iter().map(|header| (header.get_key(), header.get_value())).collect();
        let subject = mail.headers.get_first_value("Subject").unwrap_or_default();
        let mut letter = Letter { subject, headers, text: String::new(), html: String::new(), attachments: Vec::new() };
        for part in mail.parts().filter(|part| part.subparts.is_empty()) {
            letter.add(part);
        }
        letter
    }
}

impl Letter {
    /// The value of a header, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn add(&mut self, part: &ParsedMail<'_>) {
        let disposition = part.get_content_disposition();
        let content_type = part.ctype.mimetype.clone();
        let name = disposition.params.get("filename").or_else(|| part.ctype.params.get("name"));
        if disposition.disposition == DispositionType::Attachment || name.is_some() {
            let content = part.get_body_raw().expect("a body in its declared encoding");
            self.attachments.push(Attachment { name: name.cloned().unwrap_or_default(), content_type, content });
            return;
        }
        let body = part.get_body().expect("a body in its declared encoding");
        match content_type.as_str() {
            "text/plain" => self.text.push_str(&body),
            "text/html" => self.html.push_str(&body),
            other => panic!("an inline part of type {other}, which a reader would not see"),
        }
    }
}

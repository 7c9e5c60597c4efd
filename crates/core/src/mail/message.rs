//! A report, drawn: subject, text and HTML.

use askama::Template;

use super::clean;
use super::parts::Section;
use super::report::Report;
use super::thread::Place;
use crate::figures;

/// A mail without its addresses: what there is to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One line without control characters; not yet encoded for a header.
    pub subject: String,
    /// The plain part. It says everything that the HTML part says.
    pub text: String,
    /// The HTML part, below 60 kB, complete in itself: nothing is loaded from anywhere.
    pub html: String,
    /// What goes with it.
    pub attachments: Vec<Attachment>,
    /// The mails that it belongs with.
    pub place: Place,
}

/// A file that goes with a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    name: String,
    content: Vec<u8>,
}

impl Attachment {
    /// A file by the name that the reader sees: the last part of a path, in one line, 120 characters at most.
    pub fn new(name: impl AsRef<str>, content: Vec<u8>) -> Self {
        let name = clean::line(name.as_ref().rsplit(['/', '\\']).next().unwrap_or_default(), 120);
        let name = if name.is_empty() { "attachment".to_owned() } else { name };
        Self { name, content }
    }

    /// The name that the reader sees.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes as they were given.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// The media type, by the name's extension. Nothing that a mail client would run or draw by itself is ever named.
    pub fn media_type(&self) -> &'static str {
        let extension = self.name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        match extension.as_deref() {
            Some("txt" | "log" | "sql" | "md") => "text/plain; charset=utf-8",
            Some("csv") => "text/csv; charset=utf-8",
            Some("json") => "application/json",
            Some("gz") => "application/gzip",
            Some("pdf") => "application/pdf",
            Some("png") => "image/png",
            _ => "application/octet-stream",
        }
    }
}

#[derive(Template)]
#[template(path = "report.html")]
struct Html<'a> {
    subject: &'a str,
    report: &'a Report,
    sent: String,
}

#[derive(Template)]
#[template(path = "report.txt")]
struct Text<'a> {
    report: &'a Report,
    sent: String,
}

impl Report {
    /// Draws the message.
    pub fn render(self) -> Message {
        let subject = self.subject();
        let sent = figures::instant(self.origin.at);
        let html = Html { subject: &subject, report: &self, sent: sent.clone() }.render();
        let text = Text { report: &self, sent }.render();
        // A template fails only where a value's own Display does, and these hold nothing but strings and numbers. Were it
        // ever otherwise, a bare mail is worth more than none.
        let bare = |_| format!("{}\n{}\n", self.headline, self.safety);
        let (text, html) = (text.unwrap_or_else(bare), html.unwrap_or_default());
        Message { subject, text, html, attachments: self.attachments, place: self.place }
    }

    /// What happened and whether the data is safe: the first line, also of what a phone shows before the mail is opened. What
    /// an error says has no full stop.
    fn opening(&self) -> String {
        let Self { headline, safety, .. } = self;
        if safety.is_empty() {
            return headline.clone();
        }
        let stop = if headline.ends_with(['.', '!', '?', '…']) { "" } else { "." };
        format!("{headline}{stop} {safety}")
    }

    /// `❌ Backup FAILED: eleganttex on db (a few words)`.
    fn subject(&self) -> String {
        let (kind, origin) = (&self.kind, &self.origin);
        let what = format!("{} {} {}", kind.symbol(), kind.subject_matter(), kind.state());
        let brief = if self.brief.is_empty() { String::new() } else { format!(" ({})", self.brief) };
        clean::line(&format!("{what}: {} on {}{brief}", origin.database, origin.host), 240)
    }
}

//! Names, errors and logs that mean harm: none of it may become markup, a header, a lie or a mail that is too large.

use backup_core::mail::{Attachment, Bar, Check, Fact, Kind, Origin, Report, State, Step};
use proptest::prelude::*;
use time::macros::datetime;

const SCRIPT: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";
const HEADER: &str = "eleganttex\r\nBcc: victim@example.com\r\n\r\n<h1>injected</h1>";

/// Every field at once.
pub(crate) fn report() -> Report {
    let origin = Origin::new(SCRIPT, HEADER, "db\u{0}\u{1b}[31m\u{202e}", datetime!(2025-01-29 02:00:00 +01:00));
    let table = format!("public.{}", "w".repeat(300));
    Report::new(Kind::Failure, origin, format!("{SCRIPT}\nAll is well.\u{2028}The data is safe."))
        .safety(HEADER)
        .in_subject(HEADER)
        .warning(SCRIPT)
        .paragraph(HEADER)
        .facts(SCRIPT, [Fact::new(&table, "1,204 rows"), Fact::new(SCRIPT, HEADER).beside(SCRIPT)])
        .checks(
            HEADER,
            [Check::new(SCRIPT, State::Critical, HEADER).advise(Step::run(SCRIPT, "echo '<b>&'\r\nrm -i x"))],
        )
        .bars("Bars", [Bar::new(SCRIPT, 0, HEADER), Bar::new("most", u64::MAX, "18 EB"), Bar::new("least", 1, "1 B")])
        .steps("Steps", [Step::run("x".repeat(2_000), "y".repeat(2_001))])
        .log_tail("pg_dump", b"\xff\xfe\0\x1b[31mred\x1b[0m\r50 %\r100 %\r\n</pre></td></table><script>")
        .attach(Attachment::new("../../etc/pass\"wd\r\nX: y.txt", Vec::new()))
}

/// A report that is all of the same text, so many times, in every part that takes text.
fn everywhere(text: &str, times: usize) -> Report {
    let origin = Origin::new(text, text, text, datetime!(2025-01-29 02:00:00 +01:00));
    let mut report = Report::new(Kind::Notice(text.to_owned()), origin, text).safety(text).in_subject(text);
    for _ in 0..times.min(50) {
        report = report.warning(text).paragraph(text);
    }
    report
        .facts(text, (0..times).map(|_| Fact::new(text, text).beside(text)))
        .checks(text, (0..times).map(|_| Check::new(text, State::Warning, text).advise(Step::run(text, text))))
        .bars(text, (0..times).map(|at| Bar::new(text, at as u64, text)))
        .steps(text, (0..times).map(|_| Step::run(text, text)))
        .details(text, text.repeat(times).as_bytes())
        .log_tail(text, text.repeat(times).as_bytes())
}

#[test]
fn ten_megabytes_of_details_are_cut_and_the_mail_says_so() {
    let line = "a line of some length that a program wrote, again and again, 64 b\n";
    let details = line.repeat(10 * 1024 * 1024 / line.len());
    let message = samples_with(&details).render();
    assert!(message.html.len() < 60_000, "{} bytes", message.html.len());
    for part in [&message.html, &message.text] {
        assert!(part.contains("10.0 MiB of 158,875 lines left out here"), "{part}");
    }
    let one_line = "x".repeat(10 * 1024 * 1024);
    assert!(samples_with(&one_line).render().text.contains("10.0 MiB of 1 lines left out here"));
}

fn samples_with(details: &str) -> Report {
    crate::samples::test().details("Details", details.as_bytes())
}

#[test]
fn a_full_mail_says_what_it_leaves_out() {
    let tables = (0..10_000).map(|n| Fact::count(format!("public.table_{n}"), n));
    let message = crate::samples::test().facts("Tables", tables).render();
    assert!(message.text.contains("public.table_0: 0\n"));
    assert!(message.text.contains(" more, not shown here"), "{}", message.text);
}

#[test]
fn half_a_command_is_never_offered() {
    let message =
        crate::samples::test().steps("Do", [Step::run("Clean:", format!("rm -r {}/old", "/tmp".repeat(600)))]).render();
    assert!(!message.text.contains("rm -r"), "{}", message.text);
    assert!(message.text.contains("the command is too long for a mail"));
}

#[test]
fn a_mail_stays_below_what_gmail_clips_whatever_it_holds() {
    for text in ["<", "'\"&<>", "é\n", "\u{1b}", "a b ", "", "\r\n", "𝔘𝔫𝔦"] {
        for length in [1, 100, 1_999, 20_000] {
            for times in [1, 39, 2_000 / length + 1] {
                let message = everywhere(&text.repeat(length), times).render();
                assert!(message.html.len() < 60_000, "{text:?} × {length} × {times}: {} bytes", message.html.len());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_from_outside_becomes_markup_or_a_control_character(text in "(\\PC|\\p{Cc}|[<>&'\"\r\n\u{202e}]){0,200}", times in 1usize..4) {
        let count = |html: &str, of: char| html.matches(of).count();
        let message = everywhere(&text, times).render();
        let plain = everywhere(&"x".repeat(text.trim().chars().count().min(1)), times).render();
        if !text.trim().is_empty() {
            prop_assert!(count(&message.html, '<') <= count(&plain.html, '<') + times * 60);
        }
        let odd = |c: char| c.is_control() && c != '\n';
        prop_assert!(!message.subject.contains(char::is_control));
        prop_assert!(!message.html.contains(odd) && !message.text.contains(odd));
        prop_assert!(!message.html.contains("<script"));
    }
}

//! Every kind of mail as its reader gets it, text and HTML, with the content that the tools give it; and what a mail makes
//! of content that means harm.

mod hostile;
mod samples;

use backup_core::mail::Report;

/// Both parts of the mail, held against what they were when somebody last looked at them.
fn assert_mail(name: &str, report: Report) {
    let message = report.render();
    assert!(message.html.len() < 60_000, "{} bytes of HTML", message.html.len());
    insta::assert_snapshot!(format!("{name}.txt"), format!("Subject: {}\n\n{}", message.subject, message.text));
    insta::assert_snapshot!(format!("{name}.html"), message.html);
}

#[test]
fn success() {
    assert_mail("success", samples::success());
}

#[test]
fn success_with_warning() {
    assert_mail("success_with_warning", samples::success_with_warning());
}

#[test]
fn failure() {
    assert_mail("failure", samples::failure());
}

#[test]
fn cleanup_failure() {
    assert_mail("cleanup_failure", samples::cleanup_failure());
}

#[test]
fn restore_test_success() {
    assert_mail("restore_test_success", samples::restore_test_success());
}

#[test]
fn restore_test_failure() {
    assert_mail("restore_test_failure", samples::restore_test_failure());
}

#[test]
fn restore_test_inconclusive() {
    assert_mail("restore_test_inconclusive", samples::restore_test_inconclusive());
}

#[test]
fn storage_report() {
    assert_mail("storage_report", samples::storage_report());
}

#[test]
fn health_alert() {
    assert_mail("health_alert", samples::health_alert());
}

#[test]
fn health_recovered() {
    assert_mail("health_recovered", samples::health_recovered());
}

#[test]
fn test_mail() {
    assert_mail("test", samples::test());
}

#[test]
fn notice() {
    assert_mail("notice", samples::notice());
}

#[test]
fn hostile_content() {
    assert_mail("hostile", hostile::report());
}

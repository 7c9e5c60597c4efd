//! A store that does not delete as it is asked.

use acceptance::store::{Answer, Fault};
use nix::sys::signal::Signal;

use super::*;

/// The answer of `DeleteObjects` that says this of these keys, without deleting anything.
fn refusal(keys: &[String], code: &str) -> Fault {
    let error = |key| format!("<Error><Key>{key}</Key><Code>{code}</Code><Message>not this one</Message></Error>");
    let errors = keys.iter().map(error).collect::<Vec<_>>().concat();
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DeleteResult>{errors}</DeleteResult>");
    let headers = vec![("content-type".into(), "application/xml".into())];
    Fault::Reply(Answer { status: 200, headers, body: body.into_bytes() })
}

fn batch() -> On {
    On::operation(Operation::DeleteObjects)
}

#[test]
fn each_refused_key_is_said_and_the_rest_goes() {
    let sandbox = sandbox();
    let expired = seed_three_expired(&sandbox);
    let locked = expired[0].clone();
    // The others were deleted by the answer's word, so they are taken away.
    let (first, gone) = (locked.clone(), expired[1..].to_vec());
    sandbox.store().fault(
        batch(),
        Fault::alter(move |answer| {
            let body = String::from_utf8(answer.body.clone()).unwrap();
            let start = body.find(&first).unwrap();
            let (from, to) =
                (body[..start].rfind("<Deleted>").unwrap(), start + body[start..].find("</Deleted>").unwrap());
            let error = format!(
                "<Error><Key>{first}</Key><Code>AccessDenied</Code><Message>object is locked</Message></Error>"
            );
            answer.body = format!("{}{error}{}", &body[..from], &body[to + "</Deleted>".len()..]).into_bytes();
        }),
    );
    let outcome = cleanup(&sandbox).arg("--json").run().exits(3);
    let outcome = outcome.says(&format!("cannot delete s3://shop-backups/{locked}: AccessDenied: object is locked"));
    let document = outcome.json();
    assert_eq!(document["refused"], serde_json::json!([{ "key": locked, "reason": "AccessDenied: object is locked" }]));
    assert_eq!(document["tiers"]["daily"]["gone"]["count"], 2);
    assert_eq!(document["tiers"]["daily"]["refused"]["count"], 1);
    assert!(gone.iter().all(|key| !keys(&sandbox).contains(key)));
    let letter = letter(&sandbox);
    assert!(letter.subject.contains("Cleanup FAILED") && letter.subject.contains("1 refused"), "{}", letter.subject);
    assert!(letter.text.contains(&locked) && letter.text.contains("Object Lock"), "{}", letter.text);
}

#[test]
fn a_missing_right_is_said_by_key_and_with_what_to_grant() {
    let sandbox = sandbox();
    let expired = seed_three_expired(&sandbox);
    sandbox.store().fault(batch(), Fault::refuse("AccessDenied"));
    let before = keys(&sandbox);
    let mut outcome = cleanup(&sandbox).run().exits(3).prints("none deleted").prints("3 refused by the store");
    for key in &expired {
        outcome = outcome.says(&format!("cannot delete s3://shop-backups/{key}: AccessDenied"));
    }
    assert_eq!(keys(&sandbox), before);
    assert!(letter(&sandbox).text.contains("s3:DeleteObject"));
}

#[test]
fn keys_that_the_store_was_too_busy_for_are_tried_again() {
    let sandbox = sandbox();
    let expired = seed_three_expired(&sandbox);
    sandbox.store().fault(batch().times(1), refusal(&expired, "SlowDown"));
    cleanup(&sandbox).run().succeeds().prints("3 deleted");
    assert_eq!(requests(&sandbox, Operation::DeleteObjects), 2);
    assert_eq!(keys(&sandbox).len(), 3);
}

#[test]
fn a_store_without_batches_is_asked_object_by_object() {
    for code in ["NotImplemented", "MissingContentMD5", "MethodNotAllowed"] {
        let sandbox = sandbox();
        seed_three_expired(&sandbox);
        sandbox.store().fault(batch(), Fault::refuse(code));
        cleanup(&sandbox).run().succeeds().prints("3 deleted").says("deleting one by one");
        assert_eq!(requests(&sandbox, Operation::DeleteObject), 3, "{}", sandbox.store().transcript());
        assert_eq!(keys(&sandbox).len(), 3);
    }
}

#[test]
fn an_answer_that_says_nothing_of_a_key_is_no_deletion() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    sandbox.store().fault(batch(), refusal(&[], ""));
    cleanup(&sandbox).run().exits(3).says("the store did not say what became of it").prints("3 refused");
}

#[test]
fn a_store_that_is_gone_in_the_middle_leaves_the_rest_for_next_time() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    sandbox.store().fault(batch(), Fault::ResetAfter(0));
    let outcome = cleanup(&sandbox).run().exits(3).prints("3 refused by the store");
    assert!(outcome.elapsed < Duration::from_mins(1));
    sandbox.store().clear_faults();
    cleanup(&sandbox).run().succeeds().prints("3 deleted");
}

#[test]
fn a_lost_answer_is_asked_for_again() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    sandbox.store().fault(batch().times(1), Fault::LoseAnswer);
    cleanup(&sandbox).run().succeeds().prints("3 deleted");
    assert_eq!(keys(&sandbox).len(), 3);
}

#[test]
fn a_record_stays_while_its_copy_cannot_be_deleted() {
    let sandbox = sandbox();
    seed(&sandbox, Tier::Daily, night(0));
    let mut records = Vec::new();
    for days in [500, 501, 502, 503] {
        records.push(seed_test(&sandbox, night(days), night(days), TestOutcome::Failed));
    }
    let copy = layout(&sandbox).key(BackupId { taken: night(503), tier: Tier::RecoveryTests });
    sandbox.store().fault(batch(), refusal(std::slice::from_ref(&copy), "AccessDenied"));
    cleanup(&sandbox).run().exits(3);
    assert!(keys(&sandbox).contains(&records[3]) && keys(&sandbox).contains(&copy));
    sandbox.store().clear_faults();
    cleanup(&sandbox).run().succeeds();
    assert!(!keys(&sandbox).contains(&records[3]) && !keys(&sandbox).contains(&copy));
    assert!(keys(&sandbox).contains(&records[2]));
}

#[test]
fn unfinished_uploads_that_may_not_be_listed_are_no_failure() {
    for code in ["AccessDenied", "NotImplemented"] {
        let sandbox = sandbox();
        seed_three_expired(&sandbox);
        sandbox.store().fault(On::operation(Operation::ListMultipartUploads), Fault::refuse(code));
        cleanup(&sandbox).run().succeeds().says("unfinished uploads are not looked for").prints("3 deleted");
    }
}

#[test]
fn a_signal_ends_it_and_a_person_is_told() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    sandbox.store().fault(batch(), Fault::Stall);
    let mut running = cleanup(&sandbox).spawn();
    running.wait_until("asked to delete", |_| requests(&sandbox, Operation::DeleteObjects) > 0);
    running.signal(Signal::SIGTERM);
    running.wait().exits(143).ends_within(Duration::from_secs(30)).says("perhaps up to 3 more: the store was asked");
    let text = letter(&sandbox).text;
    assert!(text.contains("ended by SIGTERM") && text.contains("perhaps up to 3 more"), "{text}");
    sandbox.assert_no_litter();
}

#[test]
fn a_page_that_says_nothing_is_no_end() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    let silent = |answer: &mut Answer| answer.body = b"<ListBucketResult></ListBucketResult>".to_vec();
    sandbox.store().fault(On::operation(Operation::ListObjects), Fault::alter(silent));
    deletes_nothing(&sandbox, cleanup(&sandbox)).exits(1).says("it does not say whether there is more");
}

#[test]
fn versions_that_the_store_keeps_are_told_of() {
    let sandbox = sandbox();
    seed_three_expired(&sandbox);
    sandbox.store().fault(
        batch(),
        Fault::alter(|answer| {
            let body = String::from_utf8(answer.body.clone()).unwrap();
            answer.body = body.replace("</Deleted>", "<DeleteMarker>true</DeleteMarker></Deleted>").into_bytes();
        }),
    );
    let outcome = cleanup(&sandbox).arg("--json").run().succeeds();
    assert_eq!(outcome.json()["versions_kept"], true);
    assert!(letter(&sandbox).text.contains("The bucket keeps versions"));
}

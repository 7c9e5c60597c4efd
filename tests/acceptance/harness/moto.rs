//! The second S3 store.

use acceptance::moto::Moto;

#[test]
fn a_bucket_keeps_objects_versions_and_uploads_apart_from_others() {
    let (moto, other) = (Moto::new_bucket(), Moto::new_bucket());
    moto.enable_versioning();
    for n in 0..3 {
        moto.seed("a folder/ключ+1.txt", format!("version {n}").as_bytes());
    }
    assert_eq!(moto.keys(), ["a folder/ключ+1.txt"]);
    assert_eq!(moto.read("a folder/ключ+1.txt"), b"version 2");
    assert_eq!(moto.head("a folder/ключ+1.txt")["content-length"], "9");
    assert_eq!(moto.versions().len(), 3);
    assert_eq!(moto.request("POST", "upload?uploads", b"").status, 200);
    assert_eq!(moto.unfinished_uploads().len(), 1);
    assert_eq!((other.keys().len(), other.unfinished_uploads().len()), (0, 0));
}

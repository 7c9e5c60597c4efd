//! Mistakes that operators make, each with the words that they get to read.

use std::os::unix::ffi::OsStringExt;

use super::*;

/// What is needed and has no default.
const NEEDED: &[(&str, &str)] = &[("S3_BUCKET_NAME", "shop-backups")];

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// All settings from one reader: the lines of the message, or none.
fn problems(environment: &Environment) -> Vec<String> {
    let mut reader = Reader::new(environment);
    let read = (
        enabled(&mut reader),
        Database::read(&mut reader, environment),
        Store::read(&mut reader),
        Compression::read(&mut reader),
        Limits::read(&mut reader),
        Mail::read(&mut reader),
        Places::read(&mut reader),
    );
    let thresholds = Thresholds::read(&mut reader);
    let rest = (thresholds, Retention::read(&mut reader, thresholds), Health::read(&mut reader));
    let all = || Some((read.0?, read.1?, read.2?, read.3?, read.4?, read.5?, read.6?, rest.0?, rest.1?, rest.2?));
    match reader.finish(all) {
        Ok(_) => Vec::new(),
        Err(ConfigError { problems }) => problems
            .iter()
            .map(|Problem { variable, wrong, example }| format!("{variable} {wrong} | {example}"))
            .collect(),
    }
}

/// One mistake on top of settings that are right.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("BACKUP_ENABLED", "ja", "BACKUP_ENABLED is `ja`: must be true or false (or yes, no, on, off, 1, 0)"),
    ("BACKUP_ENABLED", "2", "BACKUP_ENABLED is `2`: must be true or false"),
    ("BACKUP_ENABLED", "truefalse", "BACKUP_ENABLED is `truefalse`: must be"),
    ("DB_HOST", " ", "DB_HOST holds nothing but blanks"),
    ("DB_PORT", "0", "DB_PORT is `0`: must be a whole number from 1 to 65535"),
    ("DB_PORT", "65536", "DB_PORT is `65536`: must be"),
    ("DB_PORT", "-1", "DB_PORT is `-1`: must be"),
    ("DB_PORT", "5432/tcp", "DB_PORT is `5432/tcp`: must be"),
    ("DB_PORT", "99999999999999999999", "DB_PORT is `99999999999999999999`: must be"),
    ("DB_PORT", "5432.0", "DB_PORT is `5432.0`: must be"),
    ("DB_NAME", "two\nlines", "DB_NAME is `two\u{fffd}lines`: must not hold a newline"),
    ("DB_NAME", "sixty-four bytes, one more than PostgreSQL takes for a name, so.", "must be at most 63 bytes long"),
    ("DB_USER", "\t", "DB_USER holds nothing but blanks"),
    ("POSTGRES_DB", "\r\n", "POSTGRES_DB holds nothing but blanks | DB_NAME=eleganttex"),
    ("PG_BIN_DIR", "/no/such/folder", "PG_BIN_DIR is `/no/such/folder`: no such directory"),
    ("S3_BUCKET_NAME", "s3://shop", "S3_BUCKET_NAME is `s3://shop`: must be the bucket's name alone"),
    ("S3_BUCKET_NAME", "shop/daily", "S3_BUCKET_NAME is `shop/daily`: must be the bucket's name alone"),
    ("S3_BUCKET_NAME", "ab", "S3_BUCKET_NAME is `ab`: must be 3 to 63"),
    ("S3_BUCKET_NAME", "my bucket", "S3_BUCKET_NAME is `my bucket`: must be 3 to 63"),
    ("S3_REGION", "eu central 1", "S3_REGION is `eu central 1`: must be letters, digits and hyphens"),
    ("AWS_REGION", "eu.central", "AWS_REGION is `eu.central`: must be"),
    ("AWS_ACCESS_KEY_ID", "AKIAHUNTER2", "AWS_SECRET_ACCESS_KEY is not set, but AWS_ACCESS_KEY_ID is"),
    ("AWS_SECRET_ACCESS_KEY", "hunter2", "AWS_ACCESS_KEY_ID is not set, but AWS_SECRET_ACCESS_KEY is"),
    ("S3_ENDPOINT_URL", "s3.example.com", "S3_ENDPOINT_URL is `s3.example.com`: must start with https:// or http://"),
    ("S3_ENDPOINT_URL", "https://", "S3_ENDPOINT_URL is `https://`: must name a host"),
    ("S3_ENDPOINT_URL", "https://s3.example.com/bucket", "must end after the host and port"),
    ("AWS_ENDPOINT_URL", "ftp://s3.example.com", "AWS_ENDPOINT_URL is `ftp://s3.example.com`: must start with"),
    ("S3_FORCE_PATH_STYLE", "maybe", "S3_FORCE_PATH_STYLE is `maybe`: must be true or false"),
    ("S3_STORAGE_CLASS", "standard ia", "S3_STORAGE_CLASS is `standard ia`: must be capital letters"),
    ("S3_STORAGE_CLASS", "DEEP_ARCHIVE", "S3_STORAGE_CLASS is `DEEP_ARCHIVE`: cannot be read back at once"),
    ("S3_SERVER_SIDE_ENCRYPTION", "AES-256", "S3_SERVER_SIDE_ENCRYPTION is `AES-256`: must be AES256, aws:kms or"),
    ("S3_SSE_KMS_KEY_ID", "alias/x", "S3_SSE_KMS_KEY_ID is set, but S3_SERVER_SIDE_ENCRYPTION is not aws:kms"),
    ("BACKUP_S3_PREFIX", "/", "BACKUP_S3_PREFIX is `/`: must not be empty"),
    ("BACKUP_S3_PREFIX", "a/../b", "BACKUP_S3_PREFIX is `a/../b`: must be folder names"),
    ("BACKUP_S3_PREFIX", "/db-backups", "BACKUP_S3_PREFIX is `/db-backups`: must be folder names"),
    ("BACKUP_S3_PREFIX", "backups//db", "BACKUP_S3_PREFIX is `backups//db`: must be folder names"),
    ("BACKUP_S3_PREFIX", "..", "BACKUP_S3_PREFIX is `..`: must be folder names"),
    ("BACKUP_S3_PREFIX", "my backups", "BACKUP_S3_PREFIX is `my backups`: must be folder names"),
    ("BACKUP_COMPRESSION_LEVEL", "0", "BACKUP_COMPRESSION_LEVEL is `0`: must be a whole number from 1 to 12"),
    ("BACKUP_COMPRESSION_LEVEL", "13", "BACKUP_COMPRESSION_LEVEL is `13`: must be"),
    ("BACKUP_COMPRESSION_LEVEL", "best", "BACKUP_COMPRESSION_LEVEL is `best`: must be"),
    ("BACKUP_COMPRESSION_THREADS", "0", "BACKUP_COMPRESSION_THREADS is `0`: must be a whole number from 1 to 64"),
    ("BACKUP_CONNECT_TIMEOUT", "10", "BACKUP_CONNECT_TIMEOUT is `10`: must be a number and a unit (s, m, h, d)"),
    ("BACKUP_LOCK_TIMEOUT", "0s", "BACKUP_LOCK_TIMEOUT is `0s`: must be a number and a unit (s, m, h, d), at least 1s"),
    ("BACKUP_STALL_TIMEOUT", "soon", "BACKUP_STALL_TIMEOUT is `soon`: must be"),
    ("BACKUP_RUN_TIMEOUT", "-1h", "BACKUP_RUN_TIMEOUT is `-1h`: must be"),
    ("BACKUP_NOTIFICATION_EMAIL", "admin", "BACKUP_NOTIFICATION_EMAIL is `admin`: must be one or more addresses"),
    ("BACKUP_NOTIFICATION_EMAIL", "a@example.com;b@example.com", "must be one or more addresses with commas between"),
    ("BACKUP_NOTIFICATION_EMAIL", "a@example.com", "MAIL_FROM is not set, and MAIL_USERNAME is no address"),
    ("BACKUP_NOTIFY_ON", "success", "BACKUP_NOTIFY_ON is `success`: must be all or failure"),
    ("MAIL_SMTP_PORT", "smtp", "MAIL_SMTP_PORT is `smtp`: must be a whole number"),
    ("MAIL_SMTP_SECURITY", "ssl", "MAIL_SMTP_SECURITY is `ssl`: must be tls, starttls or none"),
    ("MAIL_SMTP_CA_FILE", "/no/such/ca.pem", "MAIL_SMTP_CA_FILE is `/no/such/ca.pem`: no such file"),
    ("MAIL_FROM", "Backup <admin@", "MAIL_FROM is `Backup <admin@`: must be an address, or Name <address>"),
    ("MAIL_FROM", "Evil\r\nBcc: x@example.com <a@example.com>", "must not hold control characters"),
    ("BACKUP_HOME", " ", "BACKUP_HOME holds nothing but blanks"),
    ("DB_HOST", "postgres://app:hunter2@db/shop", "DB_HOST is `postgres://app:[secret]@db/shop`: must be a host alone"),
    ("S3_ENDPOINT_URL", "https://app:hunter2@store", "S3_ENDPOINT_URL is `https://app:[secret]@store`: must not hold"),
    ("DB_PASSWORD_FILE", "/no/such/file", "DB_PASSWORD_FILE names a file that cannot be read: No such file"),
    (
        "DB_PASSWORD_FILE",
        "/dev/null",
        "DB_PASSWORD_FILE names a file that cannot be read: it is no regular file | DB_PASSWORD_FILE=/run/secrets/db_password",
    ),
    ("MAIL_PASSWORD_FILE", "/", "MAIL_PASSWORD_FILE names a file that cannot be read: Is a directory"),
];

#[test]
fn every_mistake_is_told_by_its_variable_with_an_example() {
    for (name, value, expected) in MISTAKES {
        let told = problems(&environment(&[NEEDED, &[(*name, *value)]].concat()));
        assert_eq!(told.len(), 1, "{name}={value:?}: {told:#?}");
        assert!(told[0].contains(expected), "{name}={value:?}\n  expected {expected}\n  told     {}", told[0]);
        let (_, example) = told[0].rsplit_once(" | ").unwrap();
        let (variable, right) = example.split_once('=').unwrap();
        assert!(
            !right.is_empty() && (variable.ends_with("_FILE") || ALL.iter().any(|known| known.name == variable)),
            "{example}"
        );
        assert!(!told[0].to_lowercase().contains("hunter2"), "a secret is told: {}", told[0]);
    }
}

#[test]
fn what_the_examples_say_is_right() {
    let examples: Vec<(&str, &str)> = ALL
        .iter()
        .filter(|setting| !["PG_BIN_DIR", "MAIL_SMTP_CA_FILE"].contains(&setting.name))
        .map(|setting| (setting.name, setting.example.trim_matches('\'')))
        .collect();
    assert_eq!(problems(&environment(&examples)), [""; 0]);
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_reading() {
    let wrong =
        environment(&[("DB_PORT", "x"), ("BACKUP_S3_PREFIX", ".."), ("MAIL_SMTP_PORT", "y"), ("BACKUP_ENABLED", "z")]);
    let told = problems(&wrong);
    let variables: Vec<_> = told.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(variables, ["BACKUP_ENABLED", "DB_PORT", "S3_BUCKET_NAME", "BACKUP_S3_PREFIX", "MAIL_SMTP_PORT"]);
}

#[test]
fn empty_means_unset_and_is_no_mistake() {
    let empty: Vec<_> = ALL.iter().map(|setting| (setting.name, "")).chain([("DB_PASSWORD_FILE", "")]).collect();
    assert_eq!(problems(&environment(&[&empty[..], NEEDED].concat())), [""; 0]);
    let told = problems(&environment(&empty));
    assert_eq!(told, ["S3_BUCKET_NAME is not set: the bucket that the backups go to | S3_BUCKET_NAME=my-bucket"]);
}

#[test]
fn a_name_that_was_nearly_hit_is_told() {
    let told = |name| problems(&environment(&[(name, "shop")]));
    for near in ["S3_BUCKET", "S3_BUCKETNAME", "S3_BUKCET_NAME"] {
        assert_eq!(told(near).len(), 1);
        assert!(told(near)[0].contains(&format!("is not set ({near} is, which is not a setting)")), "{:?}", told(near));
    }
    let suspicious = |name| misspelled(&environment(&[(name, "x")]));
    assert_eq!(suspicious("DB_PASWORD"), ["DB_PASWORD is set, but is not a setting: is DB_PASSWORD meant?"]);
    assert_eq!(suspicious("BACKUP_RETENTION"), ["BACKUP_RETENTION is set, but is not a setting"]);
    for other in ["PATH", "DATABASE_URL", "PGPASSFILE", "MAIL_HOST", "DB_PASSWORD", "POSTGRES_DB", "AWS_PROFILE"] {
        assert_eq!(suspicious(other), [""; 0], "{other}");
    }
}

/// Kubernetes sets these in every container for a service named `backup`, `health` or `db`.
#[test]
fn the_links_of_services_are_no_settings_and_no_mistakes() {
    let links = [
        ("BACKUP_PORT", "tcp://10.0.0.1:80"),
        ("BACKUP_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("BACKUP_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("BACKUP_PORT_80_TCP_PORT", "80"),
        ("BACKUP_PORT_80_TCP_PROTO", "tcp"),
        ("BACKUP_PORT_X_PORT_53_UDP", "udp://10.0.0.1:53"),
        ("BACKUP_SERVICE_HOST", "10.0.0.1"),
        ("BACKUP_SERVICE_PORT", "80"),
        ("BACKUP_SERVICE_PORT_HTTP", "80"),
        ("HEALTH_PORT", "tcp://10.0.0.1:80"),
        ("DB_PORT", "tcp://10.0.0.1:5432"),
        ("DB_PORT_5432_TCP_ADDR", "10.0.0.1"),
        ("MAIL_SMTP_PORT", "tcp://10.0.0.1:25"),
    ];
    assert_eq!(misspelled(&environment(&links)), [""; 0]);
    assert_eq!(problems(&environment(&[&links[..], NEEDED].concat())), [""; 0]);
    for mistake in [("BACKUP_PORT", "80"), ("BACKUP_PORT_80_TLS", "x"), ("BACKUP_SERVICE_HOSTS", "x")] {
        assert_eq!(misspelled(&environment(&[mistake])).len(), 1, "{mistake:?}");
    }
}

/// A folder with a file of these bytes, and the file's path.
fn file(bytes: &[u8]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, bytes).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

fn password(variables: &[(&str, &str)]) -> Result<Option<String>, String> {
    let environment = environment(variables);
    let mut reader = Reader::new(&environment);
    let secret = reader.secret(&catalog::DB_PASSWORD);
    let secret = reader.finish(|| Some(secret)).map_err(|error| error.problems[0].wrong.clone())?;
    Ok(secret.map(|secret| secret.reveal().to_owned()))
}

#[test]
fn a_secret_comes_from_its_file_less_one_newline() {
    for (bytes, expected) in [
        (&b"hunter2"[..], Ok("hunter2")),
        (b"hunter2\n", Ok("hunter2")),
        (b"hunter2\r\n", Ok("hunter2")),
        (b" hunter2 \n", Ok(" hunter2 ")),
        (b"\n", Err("names an empty file")),
        (b"hunter2\n\n", Err("names a file with more than one line")),
        (b"hunter2\nmore", Err("names a file with more than one line")),
        (b"hunter2\0", Err("names a file with more than one line")),
        (b"hunter\xff", Err("names a file that is not UTF-8 text")),
    ] {
        let (_folder, path) = file(bytes);
        let found = password(&[("DB_PASSWORD_FILE", &path)]);
        assert_eq!(found, expected.map(|text| Some(text.to_owned())).map_err(str::to_owned), "{bytes:?}");
    }
}

#[test]
fn of_a_secret_and_its_file_one_is_enough() {
    let (_folder, path) = file(b"hunter2");
    let both = password(&[("DB_PASSWORD", "hunter2"), ("DB_PASSWORD_FILE", &path)]);
    assert_eq!(both, Err("and DB_PASSWORD are both set: leave one out".to_owned()));
    // The fallback is the application's, which may have no file.
    let fallback = password(&[("DATABASE_PASSWORD", "other"), ("DB_PASSWORD_FILE", &path)]);
    assert_eq!(fallback, Ok(Some("hunter2".to_owned())));
    assert_eq!(password(&[("DATABASE_PASSWORD", " a b ")]), Ok(Some(" a b ".to_owned())));
    assert_eq!(password(&[]), Ok(None));
}

#[test]
fn what_is_not_text_is_told_and_not_shown() {
    let bytes = std::ffi::OsString::from_vec(b"hunter\xff2".to_vec());
    for name in ["DB_NAME", "DB_PASSWORD", "S3_BUCKET_NAME", "BACKUP_RUN_TIMEOUT"] {
        let needed = NEEDED.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let environment = needed.chain([(name.into(), bytes.clone())]).collect();
        let told = problems(&environment);
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(
            told[0].starts_with(&format!("{name} is not UTF-8 text | ")) && !told[0].contains("hunter"),
            "{}",
            told[0]
        );
    }
}

#[test]
fn every_secret_is_known_to_be_one_wherever_it_comes_from() {
    let (_folder, path) = file(b"by-file\n");
    let variables = [("DATABASE_PASSWORD", "by-fallback"), ("MAIL_PASSWORD", "direct"), ("DB_PASSWORD_FILE", &*path)];
    let found: Vec<_> = secrets(&environment(&variables)).iter().map(|secret| secret.reveal().to_owned()).collect();
    assert_eq!(found, ["by-fallback", "by-file", "direct"]);
}

#[test]
fn limits_take_the_units_that_people_write() {
    for (text, seconds) in [("90s", 90), ("10m", 600), ("1h 30m", 5400), ("2days", 172_800), (" 5min ", 300)] {
        let environment = environment(&[("BACKUP_RUN_TIMEOUT", text)]);
        let limits = Limits::read(&mut Reader::new(&environment)).unwrap();
        assert_eq!(limits.run.as_secs(), seconds, "{text}");
    }
}

#[test]
fn what_kubernetes_sets_for_a_service_is_no_setting() {
    let mut variables = NEEDED.to_vec();
    variables.extend([("DB_PORT", "tcp://10.0.0.1:5433"), ("MAIL_SMTP_PORT", "udp://10.0.0.2:25")]);
    variables.extend([("DB_PORT_5432_TCP", "tcp://10.0.0.1:5433"), ("DB_SERVICE_HOST", "10.0.0.1")]);
    assert_eq!(problems(&environment(&variables)), [""; 0]);
    let variables = environment(&variables);
    assert_eq!(Database::read(&mut Reader::new(&variables), &variables).map(|database| database.port), Some(5432));
}

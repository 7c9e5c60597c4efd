//! One report of every kind, as its tool would build it.

use std::time::Duration;

use backup_core::mail::{Attachment, Bar, Check, Fact, Kind, Origin, Report, State, Step};
use time::macros::datetime;

const GIB: u64 = 1 << 30;
const KEY: &str = "s3://acme-backups/db-backups/daily/2025/01/29/eleganttex_backup_20250129_020000.sql.gz";

fn origin(tool: &str) -> Origin {
    Origin::new(format!("{tool} 0.1.0"), "eleganttex", "db", datetime!(2025-01-29 02:00:00 +01:00))
}

pub(crate) fn success() -> Report {
    Report::new(Kind::Success, origin("backup"), "eleganttex was backed up in 1 min 12 s: 182.4 MiB.")
        .safety("The data is safe: the stored copy was read back and equals what was sent.")
        .in_subject("182.4 MiB")
        .facts(
            "This backup",
            [
                Fact::size("Stored", 191_234_567),
                Fact::size("Dump before compression", 1_204_456_789).beside("1,204,456,789 bytes, 6.3 to 1"),
                Fact::count("Tables", 42),
                Fact::count("Rows", 3_481_022),
                Fact::took("Took", Duration::from_secs(72)).beside("15.9 MiB/s"),
                Fact::at("Data as of", datetime!(2025-01-29 02:00:01 +01:00)),
                Fact::new("Stored as", KEY),
                Fact::new("Promoted to", "weekly").beside("the first success of week 04"),
                Fact::new("PostgreSQL", "15.10").beside("pg_dump 15.10"),
            ],
        )
        .facts(
            "Since the last backup, 1 day ago",
            [
                Fact::size_change("Stored", 190_001_234, 191_234_567),
                Fact::count_change("Rows", 3_470_111, 3_481_022),
                Fact::new("New tables", "public.invoice_lines, public.invoices"),
                Fact::new("Gone tables", "none"),
            ],
        )
        .steps(
            "To restore it into a new database",
            [Step::run(
                "This command leaves the live database alone:",
                "docker-compose exec backup restore run latest --into eleganttex_restored",
            )],
        )
}

pub(crate) fn success_with_warning() -> Report {
    Report::new(Kind::SuccessWithWarning, origin("backup"), "eleganttex was backed up, but not copied to weekly.")
        .safety("The data is safe: the daily backup is whole and verified. The next run fills the missing slot.")
        .in_subject("stored, not promoted")
        .warning("cannot copy to weekly/2025/week-04: AccessDenied")
        .facts("This backup", [Fact::size("Stored", 191_234_567), Fact::new("Stored as", KEY)])
        .steps("What to do", [Step::say("Grant s3:PutObject on acme-backups/db-backups/weekly/ to the backup user.")])
}

pub(crate) fn failure() -> Report {
    Report::new(
        Kind::Failure,
        origin("backup"),
        "eleganttex was not backed up: the dump of table public.orders was refused (permission denied).",
    )
    .safety("The data is safe up to Tue 2025-01-28 02:00: the backup of that night is in the store. Changes since then have no backup yet.")
    .in_subject("permission denied")
    .facts(
        "What is safe",
        [
            Fact::new("Newest good backup", "1 day old").beside("Tue 2025-01-28 02:00:00 +01:00"),
            Fact::size("Its size", 190_001_234),
            Fact::new("Its key", "s3://acme-backups/db-backups/daily/2025/01/28/eleganttex_backup_20250128_020000.sql.gz"),
            Fact::new("Next attempt", "tonight at 02:00").beside("Thu 2025-01-30 02:00:00 +01:00"),
            Fact::new("Failed at", "dumping, after 14 s").beside("81.2 MiB had been read"),
        ],
    )
    .steps(
        "What to do",
        [
            Step::run(
                "Let the backup user read the table:",
                "docker-compose exec db psql -U postgres -d eleganttex \\\n  -c 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO eleganttex'",
            ),
            Step::run("Then make the backup now:", "docker-compose exec backup backup"),
            Step::run("The whole log of this run:", "docker-compose exec backup tail -n 200 /backup/logs/backup.log"),
        ],
    )
    .log_tail(
        "The last lines of pg_dump",
        b"pg_dump: last built-in OID is 16383\npg_dump: reading extensions\npg_dump: reading user-defined tables\n\
          pg_dump: error: query failed: ERROR:  permission denied for table orders\n\
          pg_dump: detail: Query was: LOCK TABLE public.orders IN ACCESS SHARE MODE\n",
    )
}

pub(crate) fn cleanup_failure() -> Report {
    Report::new(Kind::CleanupFailure, origin("cleanup"), "Nothing was deleted: the newest backup is 4 days old.")
        .safety("What is in the store may be all there is, so all of it was kept. Changes of the last 4 days have no backup.")
        .in_subject("backups have stopped")
        .facts(
            "What is in the store",
            [
                Fact::new("Newest backup", "4 days old").beside("Sat 2025-01-25 02:00:00 +01:00"),
                Fact::new("Limit", "26 h").beside("HEALTH_MAX_BACKUP_AGE_HOURS"),
                Fact::new("Kept although due", "3 backups").beside("2 daily, 1 weekly"),
                Fact::size("In all", 11 * GIB + 123_456),
            ],
        )
        .steps(
            "What to do",
            [
                Step::run("See why backups have stopped:", "docker-compose exec backup tail -n 50 /backup/logs/backup.log"),
                Step::run("Make one now:", "docker-compose exec backup backup"),
                Step::run("Then clean up:", "docker-compose exec backup cleanup"),
            ],
        )
}

pub(crate) fn restore_test_success() -> Report {
    Report::new(
        Kind::RestoreTestSuccess,
        origin("restore-test"),
        "The backup of Wed 2025-01-29 02:00 was restored and equals its original, row by row.",
    )
    .safety("The data can be restored: a full restore takes about 4 min 10 s.")
    .in_subject("42 tables, 3,481,022 rows")
    .facts(
        "Certificate",
        [
            Fact::new("Backup", KEY),
            Fact::size("Size", 191_234_567),
            Fact::at("Data as of", datetime!(2025-01-29 02:00:01 +01:00)),
            Fact::took("Time to restore", Duration::from_secs(250)).beside("on this machine, 2 cores"),
            Fact::new("Tables proven", "42 of 42").beside("row counts and digests of all rows"),
            Fact::count("Rows proven", 3_481_022),
            Fact::new("Schema", "equal").beside("tables, indexes, constraints, functions, owners"),
            Fact::new("The test tested", "3 planted faults found").beside("a changed row, a dropped index, a flipped byte"),
            Fact::new("PostgreSQL", "15.10").beside("dumped by 15.10, restored into 15.10"),
            Fact::new("Kept as", "s3://acme-backups/db-backups/recovery-tests/2025/01/restore_test_20250129_020000.sql.gz"),
        ],
    )
    .facts(
        "Largest tables",
        [
            Fact::new("public.order_lines", "2,204,551 rows"),
            Fact::new("public.orders", "1,048,576 rows"),
            Fact::new("public.customers", "98,304 rows"),
        ],
    )
    .steps(
        "To restore this backup",
        [Step::run(
            "Into a new database, beside the live one:",
            "docker-compose exec backup restore run daily/2025/01/29/eleganttex_backup_20250129_020000.sql.gz --into eleganttex_restored",
        )],
    )
}

pub(crate) fn restore_test_failure() -> Report {
    Report::new(
        Kind::RestoreTestFailure,
        origin("restore-test"),
        "The backup of Wed 2025-01-29 02:00 was restored, but differs: public.orders has 10,481 rows, 10,482 in the backup.",
    )
    .safety("The newest backup is not proven. The newest proven one is of Wed 2025-01-01, 28 days old.")
    .in_subject("public.orders differs")
    .facts(
        "What differs",
        [
            Fact::new("public.orders", "10,481 rows restored").beside("10,482 in the backup"),
            Fact::new("public.order_lines", "digest differs").beside("2,204,551 rows in both"),
        ],
    )
    .facts(
        "The backup",
        [
            Fact::new("Tested", KEY),
            Fact::new("Newest proven", "s3://acme-backups/db-backups/recovery-tests/2025/01/restore_test_20250101_030000.sql.gz"),
        ],
    )
    .steps("What to do", [Step::run("Make a new backup:", "docker-compose exec backup backup"), Step::run("Test it:", "docker-compose exec backup restore-test latest")])
    .log_tail("The last lines of psql", b"psql:<stdin>:18234: WARNING:  page is not marked all-visible\nCOPY 10481\n")
}

pub(crate) fn restore_test_inconclusive() -> Report {
    Report::new(
        Kind::RestoreTestInconclusive,
        origin("restore-test"),
        "The restore test could not be carried out: the extension postgis is not installed on this machine.",
    )
    .safety("This says nothing about the backup. The newest proven one is of Wed 2025-01-01, 28 days old.")
    .in_subject("postgis is missing")
    .steps(
        "What to do",
        [Step::run(
            "Install it in the image, then rebuild:",
            "docker-compose build --build-arg EXTRA_PACKAGES=postgresql-15-postgis-3 backup",
        )],
    )
}

pub(crate) fn storage_report() -> Report {
    let weeks = [
        ("week 49", 182),
        ("week 50", 188),
        ("week 51", 191),
        ("week 52", 190),
        ("week 00", 197),
        ("week 01", 204),
        ("week 02", 209),
        ("week 03", 223),
    ];
    Report::new(
        Kind::StorageReport,
        origin("cleanup"),
        "The store holds 52 backups of eleganttex, 9.3 GiB; 8 were deleted, as the retention says.",
    )
    .safety("The data is safe: the newest backup is 1 h old, the newest proven one 28 days.")
    .in_subject("9.3 GiB, +214 MiB this week")
    .warning("2 objects under db-backups/ are not ours (1.2 GiB). They are never deleted.")
    .facts(
        "What is stored",
        [
            Fact::new("Daily", "30 backups, 5.3 GiB").beside("Tue 2024-12-31 to Wed 2025-01-29; 7 deleted"),
            Fact::new("Weekly", "12 backups, 2.1 GiB").beside("2024 week 45 to 2025 week 04; 1 deleted"),
            Fact::new("Monthly", "7 backups, 1.3 GiB").beside("2024-07 to 2025-01; none deleted"),
            Fact::new("Recovery tests", "3 backups, 0.5 GiB").beside("2024-11 to 2025-01; none deleted"),
            Fact::size("In all", 9 * GIB + 321_654_987),
            Fact::new("Growth", "+214 MiB a week").beside("over the past 8 weeks; at that pace 20 GiB in about a year"),
        ],
    )
    .bars("One backup, by week", weeks.map(|(week, mib)| Bar::size(week, mib << 20)))
    .facts(
        "Objects that are not ours",
        [
            Fact::new("1.2 GiB", "db-backups/old/dump-2023.tar").beside("1,288,490,188 bytes"),
            Fact::new("1.2 KiB", "db-backups/README").beside("1,204 bytes"),
        ],
    )
    .paragraph("This report comes every Sunday. Should it stay away, something is wrong.")
    .attach(Attachment::new("storage-report-20250129.txt", b"tier count\n".to_vec()))
}

pub(crate) fn health_alert() -> Report {
    Report::new(Kind::HealthAlert, origin("health-check"), "2 of 10 checks fail: recent-backup and disk.")
        .safety("The newest backup is 31 h old; changes since then have no backup.")
        .in_subject("recent-backup, disk")
        .checks(
            "Checks",
            [
                Check::new("database", State::Ok, "Answers in 4 ms, PostgreSQL 15.10."),
                Check::new("storage", State::Ok, "52 backups under db-backups/."),
                Check::new("disk", State::Critical, "/backup is 96 % full, the limit is 90 %.")
                    .advise(Step::run("See what fills it:", "docker-compose exec backup du -xh /backup | sort -h | tail")),
                Check::new("recent-backup", State::Critical, "The newest backup is 31 h old, the limit is 26 h.")
                    .advise(Step::run("Make one now:", "docker-compose exec backup backup")),
                Check::new("restore-test", State::Warning, "The last test was 34 days ago."),
                Check::new("cron", State::Ok, "crond runs."),
                Check::new("tools", State::Ok, "All programs are there, PostgreSQL 15."),
                Check::new("notifications", State::Ok, "The last mail got through 1 h ago."),
            ],
        )
        .log_tail("The last lines of health.log", b"[2025-01-29 02:00:00] ERROR disk: /backup is 96 % full\n[2025-01-29 02:00:01] ERROR recent-backup: 31 h old\n")
}

pub(crate) fn health_recovered() -> Report {
    Report::new(Kind::HealthRecovered, origin("health-check"), "All 10 checks pass again, after 3 h 2 min.")
        .safety("The data is safe: the newest backup is 12 min old.")
        .checks(
            "What had failed",
            [
                Check::new("disk", State::Ok, "/backup is 61 % full, the limit is 90 %."),
                Check::new("recent-backup", State::Ok, "The newest backup is 12 min old."),
            ],
        )
}

pub(crate) fn test() -> Report {
    Report::new(Kind::Test, origin("notify"), "Hello from the backup container")
        .safety("Mails from the backup system arrive. This one says nothing about the backups themselves.")
        .in_subject("Hello from the backup container")
        .details("Details", b"Sent by hand.")
        .facts(
            "The way it came",
            [
                Fact::new("Server", "smtp.example.com, port 587"),
                Fact::new("Encryption", "STARTTLS"),
                Fact::new("Logged in as", "backup@example.com"),
                Fact::new("From", "Backups <backup@example.com>"),
                Fact::new("To", "operator@example.com"),
            ],
        )
}

pub(crate) fn notice() -> Report {
    Report::new(
        Kind::Notice("MAINTENANCE".to_owned()),
        origin("notify"),
        "The database moves to a new server on Sunday.",
    )
    .in_subject("The database moves to a new server on Sunday.")
    .details("Details", "08:00 read-only\n08:10 last backup\n08:30 new server — done\n".as_bytes())
}

//! Every variable, with its default and its meaning: what `--help`, `.env.example` and the README are held against.

/// A variable that an operator can set.
#[derive(Debug)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Other variables that are asked when it is not set, in this order.
    pub fallbacks: &'static [&'static str],
    /// What holds when none of them is set.
    pub default: Option<&'static str>,
    /// What it is for, as one line.
    pub meaning: &'static str,
    /// A value that would do.
    pub example: &'static str,
    /// Never shown; may come from the file that `NAME_FILE` names.
    pub secret: bool,
    /// The block it belongs to.
    pub group: Group,
}

/// The blocks that settings are shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Whether backups are made, as which user, in which time zone.
    General,
    /// The database to back up.
    Database,
    /// The S3 store.
    Store,
    /// How long backups are kept.
    Retention,
    /// How hard to compress, how long to wait.
    Work,
    /// From when on something is wrong.
    Health,
    /// Who hears of it, and through which server.
    Mail,
    /// Directories and programs.
    Places,
}

/// All of them, in the order in which they are shown.
pub const EVERY_GROUP: [Group; 8] = [
    Group::General,
    Group::Database,
    Group::Store,
    Group::Retention,
    Group::Work,
    Group::Health,
    Group::Mail,
    Group::Places,
];

impl Setting {
    /// Whether an operator's variable of this name reaches the setting.
    pub fn is_named(&self, name: &str) -> bool {
        name == self.name
            || self.fallbacks.contains(&name)
            || (self.secret && name.strip_suffix("_FILE").is_some_and(|stem| stem == self.name))
    }
}

macro_rules! settings {
    ($($(#[$group:ident])? $name:ident $([$($fallback:literal),*])? $(= $default:literal)?, $example:literal, $meaning:literal $(, $secret:ident)?;)*) => {
        $(
            pub(super) const $name: Setting = Setting {
                name: stringify!($name),
                fallbacks: &[$($($fallback),*)?],
                default: settings!(@default $($default)?),
                meaning: $meaning,
                example: $example,
                secret: settings!(@secret $($secret)?),
                group: settings!(@group $($group)?),
            };
        )*
        /// Every setting, in the order in which they are documented.
        pub const ALL: &[&Setting] = &[$(&$name),*];
    };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
    (@secret) => { false };
    (@secret secret) => { true };
    (@group $group:ident) => { Group::$group };
}

settings! {
    #[General] BACKUP_ENABLED = "true", "true", "false: backup, cleanup and restore-test do nothing, and say so";
    #[General] BACKUP_USER, "backup", "the user that a tool started by root becomes before it touches anything";
    #[General] TZ = "UTC", "Europe/Berlin", "the time zone of keys, logs and mails";

    #[Database] DB_HOST = "db", "db", "the host of the database";
    #[Database] DB_PORT = "5432", "5432", "its port";
    #[Database] DB_NAME ["POSTGRES_DB"] = "eleganttex", "eleganttex", "the database to back up";
    #[Database] DB_USER ["DATABASE_USERNAME"] = "eleganttex", "backup", "the role that logs in; reading all tables is enough";
    #[Database] DB_PASSWORD ["DATABASE_PASSWORD"], "'secret'", "its password", secret;

    #[Store] S3_BUCKET_NAME, "my-bucket", "the bucket that the backups go to";
    #[Store] S3_REGION ["AWS_REGION"] = "us-east-1", "eu-central-1", "the bucket's region";
    #[Store] AWS_ACCESS_KEY_ID, "AKIAIOSFODNN7EXAMPLE", "access key; without it roles, profiles and web identity of AWS are tried", secret;
    #[Store] AWS_SECRET_ACCESS_KEY, "'secret'", "the secret that goes with it", secret;
    #[Store] AWS_SESSION_TOKEN, "'token'", "the token of temporary keys", secret;
    #[Store] S3_ENDPOINT_URL ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"], "https://s3.example.com", "the address of a store that is not AWS";
    #[Store] S3_FORCE_PATH_STYLE, "true", "bucket in the path, not in the host name (default: true with S3_ENDPOINT_URL)";
    #[Store] S3_STORAGE_CLASS, "STANDARD_IA", "storage class of every object written (default: the bucket's own)";
    #[Store] S3_SERVER_SIDE_ENCRYPTION, "aws:kms", "AES256, aws:kms or aws:kms:dsse (default: the bucket's own)";
    #[Store] S3_SSE_KMS_KEY_ID, "alias/backups", "the KMS key, with aws:kms";
    #[Store] AWS_MAX_ATTEMPTS = "7", "7", "how often a request is tried before it has failed";
    #[Store] S3_MAX_PARTS = "10000", "1000", "how many parts the store takes for one object; AWS takes 10,000, some take 1,000";
    #[Store] BACKUP_S3_PREFIX = "db-backups", "db-backups", "the folder in the bucket that is ours";

    #[Retention] BACKUP_RETENTION_DAYS = "30", "30", "days that daily backups are kept";
    #[Retention] BACKUP_WEEKLY_RETENTION = "12", "12", "weeks that weekly backups are kept";
    #[Retention] BACKUP_MONTHLY_RETENTION = "12", "12", "months that monthly backups are kept";
    #[Retention] BACKUP_RECOVERY_TEST_RETENTION = "3", "3", "months that the copies of restore tests are kept";
    #[Retention] BACKUP_MINIMUM_KEEP = "3", "3", "never fewer backups than this in a tier, whatever their age";

    #[Work] BACKUP_COMPRESSION_LEVEL = "6", "6", "1 (fast) to 12 (small)";
    #[Work] BACKUP_COMPRESSION_THREADS, "2", "cores that compression may use (default: all)";
    #[Work] BACKUP_CONNECT_TIMEOUT = "10s", "10s", "how long a connection may take, to the database and to the store";
    #[Work] BACKUP_LOCK_TIMEOUT = "5m", "5m", "how long the dump may wait for a lock in the database";
    #[Work] BACKUP_STALL_TIMEOUT = "10m", "10m", "how long the dump, or one answer of the store, may send nothing";
    #[Work] BACKUP_RUN_TIMEOUT = "12h", "12h", "how long a whole run may take";

    #[Health] HEALTH_MAX_BACKUP_AGE_HOURS = "26", "26", "a newest backup older than this, and the time that the last one took, means that backups have stopped: cleanup then deletes nothing";
    #[Health] HEALTH_DISK_MAX_PERCENT = "90", "90", "a disk fuller than this is a fault";
    #[Health] HEALTH_LOG_MAX_MB = "100", "100", "log files larger than this together mean that they are not rotated";
    #[Health] HEALTH_TEMP_MAX_MB = "500", "500", "more scratch files than this, while no restore test runs, were left behind";
    #[Health] HEALTH_REMINDER_HOURS = "24", "24", "how often a fault that lasts is mailed again; warnings seven times as seldom";
    #[Health] HEALTH_CRONTAB = "/etc/crontab", "/etc/crontab", "the crontab that starts the tools: where it names them, a cron daemon must run";

    #[Mail] BACKUP_NOTIFICATION_EMAIL, "admin@example.com", "who is told; several with commas between (unset: nobody)";
    #[Mail] BACKUP_NOTIFY_ON = "all", "failure", "all, or failure: no mail for the daily success";
    #[Mail] MAIL_SMTP_SERVER = "smtp.gmail.com", "smtp.gmail.com", "the mail server";
    #[Mail] MAIL_SMTP_PORT = "587", "587", "its port";
    #[Mail] MAIL_SMTP_SECURITY, "starttls", "tls, starttls or none (default: tls on port 465, else starttls)";
    #[Mail] MAIL_SMTP_CA_FILE, "/etc/ssl/private-ca.pem", "certificates to trust beside the system's";
    #[Mail] MAIL_USERNAME, "your-email@gmail.com", "the user of the mail server (unset: no login)";
    #[Mail] MAIL_PASSWORD, "'app password'", "the password; for Gmail an app password", secret;
    #[Mail] MAIL_FROM, "'Elegant Tex Backup <your-email@gmail.com>'", "the sender (default: MAIL_USERNAME)";

    #[Places] BACKUP_HOME = "/backup", "/backup", "where logs, temp, state and .env are looked for";
    #[Places] BACKUP_LOG_DIR, "/backup/logs", "log files (default: logs under BACKUP_HOME)";
    #[Places] BACKUP_TEMP_DIR, "/backup/temp", "scratch space (default: temp under BACKUP_HOME)";
    #[Places] BACKUP_STATE_DIR, "/backup/state", "locks, results, unsent mail (default: state under BACKUP_HOME)";
    #[Places] BACKUP_ENV_FILE, "/backup/.env", "a file of settings that fills in what the environment leaves open (default: .env under BACKUP_HOME, else here)";
    #[Places] PG_BIN_DIR, "/usr/lib/postgresql/15/bin", "where the PostgreSQL programs are, before PATH";
}

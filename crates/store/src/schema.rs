//! The tables, and how those of an earlier version become those of this one.

use std::path::Path;

use sqlx::SqlitePool;

use crate::Error;

/// The newest schema that this version knows.
pub const SCHEMA: i64 = STEPS.len() as i64;

/// Marks a database as one of ours in its header.
const APPLICATION: i64 = i64::from_be_bytes(*b"\0\0\0\0TERT");

/// Each step makes a schema of the one before; a database counts those that it has. What is released stays as it is here.
const STEPS: &[&str] = &[
    // 1: rooms that last, and users.
    "CREATE TABLE rooms (
        uri TEXT PRIMARY KEY NOT NULL,
        subject TEXT,
        policy TEXT NOT NULL,            -- a JSON object
        creator TEXT,
        members_only INTEGER NOT NULL,
        hidden INTEGER NOT NULL,
        sha256 TEXT,
        md5 TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE room_people (
        room TEXT NOT NULL REFERENCES rooms (uri) ON DELETE CASCADE,
        role TEXT NOT NULL,              -- moderator, member, banned, muted
        uri TEXT NOT NULL,
        PRIMARY KEY (room, role, uri)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE users (
        uri TEXT PRIMARY KEY NOT NULL,
        sha256 TEXT,
        md5 TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE user_aliases (
        user TEXT NOT NULL REFERENCES users (uri) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        uri TEXT NOT NULL,
        PRIMARY KEY (user, place)
    ) STRICT, WITHOUT ROWID;",
    // 2: whether a room is the operator's. Those that were there were treated as such.
    "ALTER TABLE rooms ADD COLUMN permanent INTEGER NOT NULL DEFAULT 1;",
];

/// Brings a database to the schema of this version. One that is not ours, or newer, is left as it is.
pub(crate) async fn prepare(pool: &SqlitePool, file: &Path) -> Result<(), Error> {
    let unusable = |error: sqlx::Error| Error::Unusable { file: file.to_owned(), reason: error.to_string() };
    let found = version(pool, file).await?;
    // Readers do not wait for the writer. This is a property of the file: whoever opens it later finds it so.
    sqlx::query("PRAGMA journal_mode = WAL").execute(pool).await.map_err(unusable)?;
    if found == SCHEMA {
        return Ok(());
    }
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.map_err(unusable)?;
    // Somebody else may have been faster.
    let found = version(&mut *transaction, file).await?;
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or_default()) {
        sqlx::raw_sql(step).execute(&mut *transaction).await.map_err(unusable)?;
    }
    let marks = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA}");
    sqlx::raw_sql(&marks).execute(&mut *transaction).await.map_err(unusable)?;
    transaction.commit().await.map_err(unusable)
}

/// The schema of a database: 0 where there is none yet.
async fn version<'c>(database: impl sqlx::SqliteExecutor<'c>, file: &Path) -> Result<i64, Error> {
    const LOOK: &str = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
        FROM pragma_application_id, pragma_user_version";
    let unusable = |reason| Error::Unusable { file: file.to_owned(), reason };
    let looked: Result<(i64, i64, i64), _> = sqlx::query_as(LOOK).fetch_one(database).await;
    match looked.map_err(|error| unusable(error.to_string()))? {
        (0, 0, 0) => Ok(0),
        (APPLICATION, found, _) if (0..=SCHEMA).contains(&found) => Ok(found),
        (APPLICATION, found, _) => Err(Error::Newer { file: file.to_owned(), found, known: SCHEMA }),
        _ => Err(unusable("it is the database of another program".to_owned())),
    }
}

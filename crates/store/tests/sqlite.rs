//! SQLite under the store: the contract of every backend, and what only a file can do.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

mod contract;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use contract::{Backend, full_room};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use store::{Error, Store, StoredRoom};

contract! {
    Sqlite, "the_writer_that_is_killed":
    kept::an_empty_store_has_nothing,
    kept::a_room_is_there_as_it_was_put,
    kept::a_room_is_put_whole,
    kept::a_deleted_room_leaves_nothing,
    kept::a_user_is_there_as_it_was_put_and_gone_when_deleted,
    kept::all_come_in_the_order_of_their_addresses,
    kept::what_was_put_is_there_after_reopening,
    adversity::whoever_writes_at_the_same_time_waits,
    adversity::a_later_version_s_database_is_refused_and_left_alone,
    adversity::a_damaged_row_is_named_and_harms_no_other,
}

#[test]
fn the_writer_that_is_killed() {
    contract::run(contract::adversity::write_until_killed::<Sqlite>());
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    contract::run(async {
        let place = Sqlite::new();
        let directory = place.file.parent().unwrap();
        let text = directory.join("text.db");
        std::fs::write(&text, "Dear diary, ".repeat(100)).unwrap();
        let foreign = Sqlite { file: directory.join("foreign.db"), owned: false };
        foreign.run_sql("CREATE TABLE diary (day TEXT)").await;
        for (file, reason) in [
            (&text, "file is not a database"),
            (&foreign.file, "it is the database of another program"),
            (&directory.to_owned(), "Is a directory"),
            (&directory.join("nowhere/tertulia.db"), "No such file or directory"),
        ] {
            let before = std::fs::read(file).ok();
            let error = Store::open(file).await.unwrap_err();
            assert!(matches!(error, Error::Unusable { .. }), "{error:?}");
            let told = error.to_string();
            assert!(told.starts_with(&format!("{} cannot be used as a store: ", file.display())), "{told}");
            assert!(told.contains(reason), "{told}");
            assert_eq!(std::fs::read(file).ok(), before, "it is left as it was");
        }
    });
}

#[test]
fn the_rooms_of_the_first_schema_are_the_operator_s() {
    contract::run(async {
        let place = Sqlite::new();
        let room = StoredRoom { is_permanent: true, ..full_room("sip:a@chat.test") };
        let store = place.open().await.unwrap();
        store.put_room(&room).await.unwrap();
        store.close().await;
        place.run_sql("ALTER TABLE rooms DROP COLUMN permanent").await;
        place.set_schema(1).await;
        for _ in 0..2 {
            let store = place.open().await.unwrap();
            assert_eq!(store.rooms().await.unwrap(), std::slice::from_ref(&room));
            store.close().await;
        }
    });
}

#[test]
fn nobody_else_reads_the_file_and_readers_do_not_wait() {
    contract::run(async {
        let place = Sqlite::new();
        let store = place.open().await.unwrap();
        store.put_room(&full_room("sip:a@chat.test")).await.unwrap();
        let names = ["tertulia.db", "tertulia.db-wal"];
        for name in names {
            let mode = std::fs::metadata(place.file.with_file_name(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        // While somebody writes, others read what was there before.
        let mut writer = place.connect().await;
        let mut write = writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::query("DELETE FROM rooms").execute(&mut *write).await.unwrap();
        assert_eq!(store.rooms().await.unwrap(), [full_room("sip:a@chat.test")]);
        write.commit().await.unwrap();
        assert_eq!(store.rooms().await.unwrap(), []);
    });
}

/// A file in a directory of its own.
struct Sqlite {
    file: PathBuf,
    owned: bool,
}

impl Sqlite {
    async fn connect(&self) -> sqlx::SqliteConnection {
        SqliteConnectOptions::new().filename(&self.file).create_if_missing(true).connect().await.unwrap()
    }
}

impl Backend for Sqlite {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("store-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Self { file: directory.join("tertulia.db"), owned: true }
    }

    fn place(&self) -> String {
        self.file.to_str().unwrap().to_owned()
    }

    fn at(place: &str) -> Self {
        Self { file: place.into(), owned: false }
    }

    async fn open(&self) -> Result<Store, Error> {
        Store::open(&self.file).await
    }

    async fn run_sql(&self, sql: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn set_schema(&self, number: i64) {
        self.run_sql(&format!("PRAGMA user_version = {number}")).await;
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        if self.owned {
            let _ = std::fs::remove_dir_all(self.file.parent().unwrap_or(Path::new("nowhere")));
        }
    }
}

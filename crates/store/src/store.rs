//! The handle: everything that is read and written.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use room::Address;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions as _, FromRow, Sqlite, Transaction};

use crate::read::{PersonRow, RoomRow, UserRow};
use crate::{Error, StoredRoom, StoredUser, schema};

/// How long somebody else may be writing.
const PATIENCE: Duration = Duration::from_secs(5);
/// Begins a write: whoever is second waits here, where nothing has been read yet.
const WRITE: &str = "BEGIN IMMEDIATE";

/// Each reads the rows of the owners from one address to another.
const ROOMS: &str = "SELECT uri, subject, policy, creator, members_only, hidden, sha256, md5, permanent FROM rooms
    WHERE uri BETWEEN ? AND ? ORDER BY uri";
const PEOPLE: &str = "SELECT room, role, uri FROM room_people WHERE room BETWEEN ? AND ? ORDER BY room, role, uri";
const USERS: &str = "SELECT uri, sha256, md5 FROM users WHERE uri BETWEEN ? AND ? ORDER BY uri";
const ALIASES: &str = "SELECT user, 'alias', uri FROM user_aliases WHERE user BETWEEN ? AND ? ORDER BY user, place";
/// From the first to the last address that there can be.
const ALL: (&str, &str) = ("", "\u{10ffff}");

/// A database that is open. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Store {
    // With a single connection, the writes of this handle need not wait for one another by polling.
    pool: SqlitePool,
}

impl Store {
    /// Opens the database in a file, which is made if it is not there, for its owner alone; its directory must be there.
    ///
    /// # Errors
    ///
    /// [`Error::Unusable`] and [`Error::Newer`], with the file.
    pub async fn open(file: &Path) -> Result<Self, Error> {
        let unusable = |reason: String| Error::Unusable { file: file.to_owned(), reason };
        let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file);
        drop(made.map_err(|error| unusable(error.to_string()))?);
        let options = SqliteConnectOptions::new()
            .filename(file)
            .busy_timeout(PATIENCE)
            // A write that has returned is on the disk, not only with the system.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
        let pool = pool.map_err(|error| unusable(error.to_string()))?;
        schema::prepare(&pool, file).await?;
        Ok(Self { pool })
    }

    /// Closes the database, after what is under way.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// All rooms, in the order of their addresses.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] with the first room that is, and [`Error::Failed`].
    pub async fn rooms(&self) -> Result<Vec<StoredRoom>, Error> {
        self.read_rooms(ALL).await
    }

    /// The room of an address.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] and [`Error::Failed`].
    pub async fn room(&self, uri: &Address) -> Result<Option<StoredRoom>, Error> {
        Ok(self.read_rooms((uri.as_str(), uri.as_str())).await?.pop())
    }

    /// Keeps a room, instead of what was kept under its address.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`]: nothing has changed.
    pub async fn put_room(&self, room: &StoredRoom) -> Result<(), Error> {
        let mut write = self.pool.begin_with(WRITE).await?;
        remove(&mut write, "DELETE FROM rooms WHERE uri = ?", &room.uri).await?;
        let password = room.password.clone().unwrap_or_default();
        sqlx::query("INSERT INTO rooms VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(room.uri.as_str())
            .bind(&room.subject)
            .bind(serde_json::Value::from_iter(room.policy.clone()).to_string())
            .bind(room.creator.as_ref().map(Address::as_str))
            .bind(room.members.is_some())
            .bind(room.hidden)
            .bind(password.sha256)
            .bind(password.md5)
            .bind(room.is_permanent)
            .execute(&mut *write)
            .await?;
        let lists = [
            ("moderator", Some(&room.moderators)),
            ("member", room.members.as_ref()),
            ("banned", Some(&room.bans)),
            ("muted", Some(&room.mutes)),
        ];
        for (role, list) in lists {
            for person in list.into_iter().flatten() {
                sqlx::query("INSERT INTO room_people VALUES (?, ?, ?)")
                    .bind(room.uri.as_str())
                    .bind(role)
                    .bind(person.as_str())
                    .execute(&mut *write)
                    .await?;
            }
        }
        Ok(write.commit().await?)
    }

    /// Forgets a room. Says whether it was there.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`]: nothing has changed.
    pub async fn delete_room(&self, uri: &Address) -> Result<bool, Error> {
        let mut write = self.pool.begin_with(WRITE).await?;
        let was_there = remove(&mut write, "DELETE FROM rooms WHERE uri = ?", uri).await?;
        write.commit().await?;
        Ok(was_there)
    }

    /// All users, in the order of their addresses.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] with the first user that is, and [`Error::Failed`].
    pub async fn users(&self) -> Result<Vec<StoredUser>, Error> {
        self.read_users(ALL).await
    }

    /// The user of an address.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] and [`Error::Failed`].
    pub async fn user(&self, uri: &Address) -> Result<Option<StoredUser>, Error> {
        Ok(self.read_users((uri.as_str(), uri.as_str())).await?.pop())
    }

    /// Keeps a user, instead of what was kept under its address.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`]: nothing has changed.
    pub async fn put_user(&self, user: &StoredUser) -> Result<(), Error> {
        let mut write = self.pool.begin_with(WRITE).await?;
        remove(&mut write, "DELETE FROM users WHERE uri = ?", &user.uri).await?;
        sqlx::query("INSERT INTO users VALUES (?, ?, ?)")
            .bind(user.uri.as_str())
            .bind(&user.password.sha256)
            .bind(&user.password.md5)
            .execute(&mut *write)
            .await?;
        for (place, alias) in (0_i64..).zip(&user.aliases) {
            sqlx::query("INSERT INTO user_aliases VALUES (?, ?, ?)")
                .bind(user.uri.as_str())
                .bind(place)
                .bind(alias.as_str())
                .execute(&mut *write)
                .await?;
        }
        Ok(write.commit().await?)
    }

    /// Forgets a user. Says whether it was there.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`]: nothing has changed.
    pub async fn delete_user(&self, uri: &Address) -> Result<bool, Error> {
        let mut write = self.pool.begin_with(WRITE).await?;
        let was_there = remove(&mut write, "DELETE FROM users WHERE uri = ?", uri).await?;
        write.commit().await?;
        Ok(was_there)
    }

    /// Rooms and those who belong to them, as they were at one moment.
    async fn read_rooms(&self, range: (&str, &str)) -> Result<Vec<StoredRoom>, Error> {
        let mut snapshot = self.pool.begin().await?;
        let rooms: Vec<RoomRow> = rows(&mut snapshot, ROOMS, range).await?;
        let people: Vec<PersonRow> = rows(&mut snapshot, PEOPLE, range).await?;
        let whole = |room: RoomRow| {
            let people = those_of(&people, &room.uri);
            room.room(people)
        };
        rooms.into_iter().map(whole).collect()
    }

    async fn read_users(&self, range: (&str, &str)) -> Result<Vec<StoredUser>, Error> {
        let mut snapshot = self.pool.begin().await?;
        let users: Vec<UserRow> = rows(&mut snapshot, USERS, range).await?;
        let aliases: Vec<PersonRow> = rows(&mut snapshot, ALIASES, range).await?;
        let whole = |user: UserRow| {
            let aliases = those_of(&aliases, &user.uri);
            user.user(aliases)
        };
        users.into_iter().map(whole).collect()
    }
}

/// What a query finds between two addresses.
async fn rows<R>(snapshot: &mut Transaction<'_, Sqlite>, sql: &str, (from, to): (&str, &str)) -> Result<Vec<R>, Error>
where
    R: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
{
    Ok(sqlx::query_as(sql).bind(from).bind(to).fetch_all(&mut **snapshot).await?)
}

/// The rows of one owner among rows that are in the order of their owners.
fn those_of<'a>(rows: &'a [PersonRow], owner: &str) -> &'a [PersonRow] {
    let start = rows.partition_point(|row| row.owner.as_str() < owner);
    let rest = rows.get(start..).unwrap_or_default();
    rest.get(..rest.partition_point(|row| row.owner == owner)).unwrap_or_default()
}

/// Deletes a row with all that hangs on it.
async fn remove(write: &mut Transaction<'_, Sqlite>, sql: &str, uri: &Address) -> Result<bool, Error> {
    Ok(sqlx::query(sql).bind(uri.as_str()).execute(&mut **write).await?.rows_affected() > 0)
}

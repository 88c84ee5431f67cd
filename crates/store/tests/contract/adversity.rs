//! Others who write at the same time, an end in the middle of a write, and rows that nobody should have written.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use store::{Error, SCHEMA, Store, StoredRoom, StoredUser};
use tokio::task::JoinSet;

use super::{Backend, address, full_room, plain_room, user};

/// Where the writer that is to be killed finds its place.
const PLACE: &str = "STORE_TEST_PLACE";
/// Rooms and users that it writes in turn.
const TURNS: u64 = 3;

pub async fn whoever_writes_at_the_same_time_waits<B: Backend>() {
    let backend = B::new();
    let handles = [backend.open().await.unwrap(), backend.open().await.unwrap()];
    let mut writers = JoinSet::new();
    for number in 0..8 {
        let store = handles[number % 2].clone();
        writers.spawn(async move {
            for count in 0..10 {
                store.put_room(&version(0, number as u64 * 100 + count)).await.unwrap();
                store.put_room(&full_room(&format!("sip:own-{number}-{count}@chat.test"))).await.unwrap();
                store.rooms().await.unwrap();
                if count % 2 == 1 {
                    assert!(store.delete_room(&address(&format!("sip:own-{number}-{count}@chat.test"))).await.unwrap());
                }
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    for store in handles {
        let mut rooms = store.rooms().await.unwrap();
        let shared = rooms.remove(rooms.iter().position(|room| room.uri == version(0, 0).uri).unwrap());
        assert_eq!(shared, version(0, number_of(&shared)), "one of those that were put, whole");
        assert_eq!(rooms.len(), 8 * 5);
        assert!(rooms.iter().all(|room| *room == full_room(room.uri.as_str())));
    }
}

pub async fn a_later_version_s_database_is_refused_and_left_alone<B: Backend>() {
    let backend = B::new();
    let store = backend.open().await.unwrap();
    store.put_room(&full_room("sip:a@chat.test")).await.unwrap();
    store.close().await;
    backend.set_schema(SCHEMA + 1).await;
    for _ in 0..2 {
        let error = backend.open().await.unwrap_err();
        assert!(matches!(error, Error::Newer { found, known: SCHEMA, .. } if found == SCHEMA + 1), "{error}");
        let told = error.to_string();
        assert!(told.contains("was written by a later version"), "{told}");
    }
    backend.set_schema(SCHEMA).await;
    let store = backend.open().await.unwrap();
    assert_eq!(store.rooms().await.unwrap(), [full_room("sip:a@chat.test")]);
}

pub async fn a_damaged_row_is_named_and_harms_no_other<B: Backend>() {
    let backend = B::new();
    let store = backend.open().await.unwrap();
    for uri in ["sip:a@chat.test", "sip:b@chat.test"] {
        store.put_room(&full_room(uri)).await.unwrap();
        store.put_user(&user(uri, &["im:a@y"])).await.unwrap();
    }
    let b = address("sip:b@chat.test");
    for damage in [
        "UPDATE rooms SET policy = '{' WHERE uri = 'sip:b@chat.test'",
        "UPDATE rooms SET policy = '[]' WHERE uri = 'sip:b@chat.test'",
        "UPDATE rooms SET creator = 'alice' WHERE uri = 'sip:b@chat.test'",
        "UPDATE rooms SET sha256 = 'secret' WHERE uri = 'sip:b@chat.test'",
        "UPDATE rooms SET members_only = 0 WHERE uri = 'sip:b@chat.test'",
        "UPDATE room_people SET role = 'king' WHERE room = 'sip:b@chat.test' AND role = 'muted'",
        "UPDATE room_people SET uri = '' WHERE room = 'sip:b@chat.test' AND role = 'muted'",
    ] {
        backend.run_sql(damage).await;
        let errors = [store.room(&b).await.unwrap_err(), store.rooms().await.unwrap_err()];
        for error in errors {
            let told = error.to_string();
            assert!(told.starts_with("what is stored of sip:b@chat.test is damaged: "), "{damage}: {told}");
            assert!(!told.contains("secret"), "{told}");
        }
        assert_eq!(store.room(&address("sip:a@chat.test")).await.unwrap(), Some(full_room("sip:a@chat.test")));
        store.put_room(&full_room("sip:b@chat.test")).await.unwrap();
    }
    for damage in [
        "UPDATE users SET md5 = 'secret' WHERE uri = 'sip:b@chat.test'",
        "UPDATE user_aliases SET uri = 'bob' WHERE user = 'sip:b@chat.test'",
    ] {
        backend.run_sql(damage).await;
        let told = store.user(&b).await.unwrap_err().to_string();
        assert!(told.starts_with("what is stored of sip:b@chat.test is damaged: "), "{damage}: {told}");
        assert!(store.delete_user(&b).await.unwrap(), "and can be removed");
        assert_eq!(store.users().await.unwrap(), [user("sip:a@chat.test", &["im:a@y"])]);
        store.put_user(&user("sip:b@chat.test", &["im:a@y"])).await.unwrap();
    }
}

/// A process writes, and says after each write that it is done; it is killed at some time in the middle. `writer` is the test that
/// it runs. It is a clock as well: how far it ticks after a write is how far the next one has got.
pub async fn killed_while_writing<B: Backend>(writer: &str) {
    let backend = B::new();
    let mut first = 0;
    for ticks in [0, 1, 2, 5, 10, 20, 40, 60, 80, 100, 150, 200, 300, 500] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", writer, "--nocapture", "--test-threads=1"])
            .env(PLACE, backend.place())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let number = |line: String| line.strip_prefix("written ")?.parse::<u64>().ok();
        let enough = lines.by_ref().filter_map(number).nth(5).unwrap();
        let meanwhile: Vec<_> = lines.by_ref().take(ticks).collect();
        child.kill().unwrap();
        let last = meanwhile.into_iter().chain(lines).filter_map(number).last().unwrap_or(enough);
        assert!(!child.wait().unwrap().success());
        assert!(last > first, "it went on from where the one before was killed");
        first = last;
        check(&backend.open().await.unwrap(), last).await;
    }
}

/// What that process does. Without a place it is one test of many, and does nothing.
pub async fn write_until_killed<B: Backend>() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let store = B::at(&place).open().await.unwrap();
    std::thread::spawn(|| while writeln!(std::io::stdout(), "tick").is_ok() {});
    let written = store.rooms().await.unwrap().iter().map(number_of).max().unwrap_or_default();
    for number in written + 1.. {
        store.put_room(&version(number % TURNS, number)).await.unwrap();
        store.put_user(&user_version(number % TURNS, number)).await.unwrap();
        println!("written {number}");
    }
}

/// Everything that was said to be written is there, and each room and user is whole.
async fn check(store: &Store, last: u64) {
    let rooms = store.rooms().await.unwrap();
    assert_eq!(rooms.len() as u64, TURNS);
    for (turn, room) in (0..TURNS).zip(rooms) {
        let number = number_of(&room);
        assert_eq!(room, version(turn, number));
        assert!(number + TURNS > last, "{number} of turn {turn}, though {last} was written");
        assert!(number <= last + 1);
    }
    let users = store.users().await.unwrap();
    assert_eq!(users.len() as u64, TURNS);
    for (turn, user) in (0..TURNS).zip(users) {
        let number = user.aliases[0].user().parse().unwrap();
        assert_eq!(user, user_version(turn, number));
        assert!(number + TURNS > last && number <= last + 1);
    }
}

/// A room that says in every part by which write it came.
fn version(turn: u64, number: u64) -> StoredRoom {
    let mut room = plain_room(&format!("sip:room-{turn}@chat.test"));
    let people = |role: &str| (0..50).map(|who| address(&format!("sip:{role}-{who}-{number}@chat.test"))).collect();
    room.subject = Some(number.to_string());
    room.policy.insert(format!("key-{number}"), number.into());
    (room.moderators, room.bans, room.mutes) = (people("moderator"), people("banned"), people("muted"));
    room.members = number.is_multiple_of(2).then(|| people("member"));
    room
}

fn number_of(room: &StoredRoom) -> u64 {
    room.subject.as_ref().unwrap().parse().unwrap()
}

fn user_version(turn: u64, number: u64) -> StoredUser {
    let aliases: Vec<_> = (0..20).map(|place| format!("im:{number}@{place}.test")).collect();
    user(&format!("sip:user-{turn}@chat.test"), &aliases.iter().map(String::as_str).collect::<Vec<_>>())
}

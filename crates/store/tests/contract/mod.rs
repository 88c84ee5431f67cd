//! What every database under a [`Store`] has to pass, whatever it is. [`contract!`] makes the tests of one backend.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a test may fail so")]

pub mod adversity;
pub mod kept;

use std::collections::BTreeSet;

use room::Address;
use serde_json::json;
use store::{Error, Ha1, Store, StoredRoom, StoredUser};

/// A kind of database, and a place in it that is a test's own.
pub trait Backend: Sized {
    /// An empty place, which goes with the value.
    fn new() -> Self;
    /// A text by which another process finds it.
    fn place(&self) -> String;
    /// The place of another process.
    fn at(place: &str) -> Self;
    /// Opens a handle on it, one of several.
    async fn open(&self) -> Result<Store, Error>;
    /// Says something to the database behind the store's back.
    async fn run_sql(&self, sql: &str);
    /// Lets it have been written by another version.
    async fn set_schema(&self, number: i64);
}

/// The tests of a backend. The last argument is the name of a test in the same file that calls [`adversity::write_until_killed`].
#[macro_export]
macro_rules! contract {
    ($backend:ty, $writer:literal: $($module:ident::$name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                $crate::contract::run($crate::contract::$module::$name::<$backend>());
            }
        )*

        #[test]
        fn whoever_is_killed_while_writing_leaves_the_old_or_the_new() {
            $crate::contract::run($crate::contract::adversity::killed_while_writing::<$backend>($writer));
        }
    };
}

pub fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

pub fn address(uri: &str) -> Address {
    Address::parse(uri).unwrap()
}

pub fn addresses<const N: usize>(uris: [&str; N]) -> BTreeSet<Address> {
    uris.into_iter().map(address).collect()
}

pub fn ha1(digit: char) -> Ha1 {
    Ha1 { sha256: Some(digit.to_string().repeat(64)), md5: Some(digit.to_string().repeat(32)) }
}

/// A room of which everything is said.
pub fn full_room(uri: &str) -> StoredRoom {
    let policy = [
        ("nicknames", json!(false)),
        ("grace", json!("90s")),
        ("wrapped_types", json!(["text/plain", "image/*"])),
        ("history", json!(50)),
        ("of a later version", json!({ "a": [1, null, "x"], "b": 0.5 })),
    ];
    StoredRoom {
        uri: address(uri),
        subject: Some("Té, \"talk\" & '); DROP TABLE rooms; --\u{1f375}".to_owned()),
        policy: policy.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        creator: Some(address("sip:o'hara@chat.test")),
        is_permanent: false,
        moderators: addresses(["sip:alice@chat.test", "tel:+15551234"]),
        members: Some(addresses(["sip:bob@chat.test", "im:carol@chat.test"])),
        hidden: true,
        password: Some(ha1('a')),
        bans: addresses(["sip:alice@chat.test", "sip:mallory@[::1]:5070"]),
        mutes: addresses(["sip:dave@chat.test"]),
    }
}

pub fn plain_room(uri: &str) -> StoredRoom {
    StoredRoom::new(address(uri))
}

pub fn user(uri: &str, aliases: &[&str]) -> StoredUser {
    StoredUser { uri: address(uri), password: ha1('b'), aliases: aliases.iter().map(|uri| address(uri)).collect() }
}

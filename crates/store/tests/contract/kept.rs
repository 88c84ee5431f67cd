//! What is put is there, until something else is put or it is deleted.

use store::{Ha1, StoredRoom};

use super::{Backend, address, addresses, full_room, ha1, plain_room, user};

pub async fn an_empty_store_has_nothing<B: Backend>() {
    let store = B::new();
    let store = store.open().await.unwrap();
    assert_eq!(store.rooms().await.unwrap(), []);
    assert_eq!(store.room(&address("sip:lobby@chat.test")).await.unwrap(), None);
    assert_eq!(store.users().await.unwrap(), []);
    assert_eq!(store.user(&address("sip:alice@chat.test")).await.unwrap(), None);
}

pub async fn a_room_is_there_as_it_was_put<B: Backend>() {
    let backend = B::new();
    let store = backend.open().await.unwrap();
    let nobody_in_particular = StoredRoom { members: Some(addresses([])), ..plain_room("sip:closed@chat.test") };
    let half = Ha1 { sha256: None, ..ha1('c') };
    let old_password = StoredRoom { password: Some(half), ..plain_room("sip:md5@chat.test") };
    for room in [full_room("sip:a@chat.test"), plain_room("sip:b@chat.test"), nobody_in_particular, old_password] {
        store.put_room(&room).await.unwrap();
        assert_eq!(store.room(&room.uri).await.unwrap(), Some(room));
    }
}

pub async fn a_room_is_put_whole<B: Backend>() {
    let backend = B::new();
    let store = backend.open().await.unwrap();
    let uri = "sip:a@chat.test";
    let other = full_room("sip:b@chat.test");
    store.put_room(&other).await.unwrap();
    for room in [full_room(uri), plain_room(uri), full_room(uri)] {
        store.put_room(&room).await.unwrap();
        assert_eq!(store.rooms().await.unwrap(), [room, other.clone()]);
    }
}

pub async fn a_deleted_room_leaves_nothing<B: Backend>() {
    let backend = B::new();
    let store = backend.open().await.unwrap();
    let (room, other) = (full_room("sip:a@chat.test"), full_room("sip:b@chat.test"));
    store.put_room(&room).await.unwrap();
    store.put_room(&other).await.unwrap();
    assert!(store.delete_room(&room.uri).await.unwrap());
    assert!(!store.delete_room(&room.uri).await.unwrap());
    assert_eq!(store.rooms().await.unwrap(), [other]);
    // Those who belonged to it do not come back with a room of that name.
    store.put_room(&plain_room("sip:a@chat.test")).await.unwrap();
    assert_eq!(store.room(&room.uri).await.unwrap(), Some(plain_room("sip:a@chat.test")));
}

pub async fn a_user_is_there_as_it_was_put_and_gone_when_deleted<B: Backend>() {
    let backend = B::new();
    let store = backend.open().await.unwrap();
    let mut alice = user("sip:alice@chat.test", &["tel:+15551234", "im:alice@chat.test", "sip:a@b.test"]);
    let bob = user("sip:bob@chat.test", &["tel:+15551234"]);
    store.put_user(&alice).await.unwrap();
    store.put_user(&bob).await.unwrap();
    assert_eq!(store.user(&alice.uri).await.unwrap().as_ref(), Some(&alice));
    (alice.password, alice.aliases) = (Ha1 { md5: None, ..ha1('d') }, alice.aliases[..1].to_vec());
    store.put_user(&alice).await.unwrap();
    assert_eq!(store.users().await.unwrap(), [alice.clone(), bob.clone()]);
    assert!(store.delete_user(&alice.uri).await.unwrap());
    assert!(!store.delete_user(&alice.uri).await.unwrap());
    assert_eq!(store.users().await.unwrap(), [bob]);
    store.put_user(&user("sip:alice@chat.test", &[])).await.unwrap();
    assert_eq!(store.user(&alice.uri).await.unwrap(), Some(user("sip:alice@chat.test", &[])));
}

pub async fn all_come_in_the_order_of_their_addresses<B: Backend>() {
    let backend = B::new();
    let store = backend.open().await.unwrap();
    let names = ["b", "a", "B", "a%20b", "z", "a-b", "10", "9"];
    for name in names {
        store.put_room(&full_room(&format!("sip:{name}@chat.test"))).await.unwrap();
        store.put_user(&user(&format!("sip:{name}@chat.test"), &["im:x@y", "im:a@y"])).await.unwrap();
    }
    let mut order = names.map(|name| address(&format!("sip:{name}@chat.test")));
    order.sort();
    let rooms = store.rooms().await.unwrap();
    assert_eq!(rooms, order.each_ref().map(|uri| full_room(uri.as_str())));
    assert_eq!(store.users().await.unwrap().into_iter().map(|user| user.uri).collect::<Vec<_>>(), order);
}

pub async fn what_was_put_is_there_after_reopening<B: Backend>() {
    let backend = B::new();
    let store = backend.open().await.unwrap();
    store.put_room(&full_room("sip:a@chat.test")).await.unwrap();
    store.put_user(&user("sip:alice@chat.test", &["im:a@y"])).await.unwrap();
    store.close().await;
    for _ in 0..2 {
        let store = backend.open().await.unwrap();
        assert_eq!(store.rooms().await.unwrap(), [full_room("sip:a@chat.test")]);
        assert_eq!(store.users().await.unwrap(), [user("sip:alice@chat.test", &["im:a@y"])]);
        store.close().await;
    }
}

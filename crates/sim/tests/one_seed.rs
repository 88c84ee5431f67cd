//! One seed, one conversation: the whole server and its participants run without a socket, a thread or a clock, and always
//! the same.

use std::time::{Duration, Instant};

use client::{Event, Leaving};
use sim::stage::settings;
use sim::world::{Network, World, name};

const ROOM: &str = "sip:tertulia@chat.example.com";

/// Three people join, talk, whisper, take nicknames and leave.
fn conversation(seed: u64, network: Network) -> World {
    let mut world = World::new(settings(start()), 3, seed);
    world.network = network;
    let minute = Duration::from_secs(60);
    for person in 0..3 {
        world.join(person, ROOM);
    }
    world.pass(minute);
    for person in 0..3 {
        let events = world.events(person);
        assert!(matches!(events.as_slice(), [Event::Joined(room)] if room.is_focus && room.nicknames), "{events:?}");
    }

    world.with(0, |agent, now| agent.nick(now, Some("Ana")).expect("the room takes nicknames"));
    world.pass(minute);
    world.with(1, |agent, now| agent.nick(now, Some("ANA")).expect("the room takes nicknames"));
    world.with(0, |agent, now| agent.say(now, "¡Buenas!").expect("who is in the room can speak"));
    world.with(1, |agent, now| agent.whisper(now, &name(2), "psst").expect("the room takes private messages"));
    world.pass(minute);
    let said = |events: &[Event]| -> Vec<(String, bool, String)> {
        let said = events.iter().filter_map(|event| match event {
            Event::Said(said) => Some((said.from.clone(), said.private, text(&said.octets))),
            _ => None,
        });
        said.collect()
    };
    let [ana, ben, eva] = [0, 1, 2].map(|person| world.events(person));
    assert_eq!(said(&ana), []);
    assert_eq!(said(&ben), [(name(0), false, "¡Buenas!".to_owned())]);
    let mut heard = said(&eva);
    heard.sort();
    assert_eq!(heard, [(name(0), false, "¡Buenas!".to_owned()), (name(1), true, "psst".to_owned())]);
    assert!(ana.iter().any(|event| matches!(event, Event::Nickname { outcome: Ok(()), .. })), "{ana:?}");
    assert!(ben.iter().any(|event| matches!(event, Event::Nickname { outcome: Err(_), .. })), "{ben:?}");
    let delivered = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Delivered { .. })).count();
    assert_eq!((delivered(&ana), delivered(&ben)), (1, 1));

    for person in 0..3 {
        world.with(person, |agent, now| agent.leave(now).expect("who is in the room can leave"));
    }
    world.pass(minute);
    for person in 0..3 {
        assert_eq!(world.events(person), [Event::Left(Leaving::Own)]);
    }
    assert_eq!(world.node.signalling().census(), [0, 0]);
    world
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn start() -> Instant {
    Instant::now()
}

fn wild() -> Network {
    Network { latency: Duration::from_millis(20), jitter: Duration::from_millis(80), loss: 100, splits: true }
}

#[test]
fn one_seed_is_one_conversation_to_the_octet() {
    let (first, second) = (conversation(7, wild()), conversation(7, wild()));
    assert!(first.trace.len() > 30);
    assert_eq!(first.trace, second.trace);
    assert_ne!(first.trace, conversation(8, wild()).trace);
}

#[test]
fn people_understand_each_other_on_every_network() {
    conversation(1, Network::default());
    for seed in 0..50 {
        conversation(seed, wild());
    }
}

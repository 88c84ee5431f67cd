//! The switch against its reference: what a slow recipient gets, misses and is told, message by message.

use rand_core::Rng;
use sim::laggard::{Fate, Laggard};
use sim::people::{Chat, Outcome, Person, Placement, ROOM, to};
use sim::rng::seeded;

/// The largest message that still goes to the congested, in octets of its CPIM form.
const LARGE: usize = 2048;

/// What a recipient has got since it was asked last: the numbers of messages, and notices as nothing.
fn heard(chat: &mut Chat, person: Person) -> Vec<Option<usize>> {
    let mut heard = Vec::new();
    while let Some(outcome) = chat.outcome(person) {
        let Outcome::Whole(message) = outcome else { panic!("no message was in pieces") };
        let text = message.text();
        heard.push(text.strip_prefix("number ").and_then(|rest| rest.split(' ').next()?.parse().ok()));
    }
    heard
}

/// The octets of a message in its CPIM form, on the wire to `bob`, and of that what all copies share.
struct Sizes {
    octets: usize,
    frame: usize,
    shared: usize,
}

/// Learns from one message what every message costs beside its text.
struct Ruler {
    cpim: usize,
    addresses: usize,
}

impl Ruler {
    fn learn(chat: &mut Chat, alice: Person, bob: Person) -> Self {
        let link = chat.link(bob);
        chat.say(alice, "number 0 ");
        let frame = chat.stage.pending(link).to_vec();
        let text = String::from_utf8_lossy(&frame).into_owned();
        let body = text.split_once("\r\n\r\n").expect("a frame has a body").1;
        let cpim = body.rfind("\r\n-------").expect("a frame has an end") - "number 0 ".len();
        let shared = text.find("Message-ID: ").expect("a frame has an id");
        let after = body.len() - body.rfind("\r\n-------").expect("a frame has an end");
        chat.hears(bob, "number 0 ");
        Self { cpim, addresses: shared + after }
    }

    fn measure(&self, text: usize) -> Sizes {
        let octets = self.cpim + text;
        let range = if octets > LARGE { format!("1-*/{octets}") } else { format!("1-{octets}/{octets}") };
        let head = "Message-ID: 1234567890123456\r\nFailure-Report: partial\r\nByte-Range: \r\n\
                    Content-Type: message/cpim\r\n\r\n";
        let shared = head.len() + range.len() + octets;
        Sizes { octets, frame: shared + self.addresses, shared }
    }
}

fn play(seed: u64, placement: Placement) -> [usize; 3] {
    let mut chance = seeded(seed, 0);
    let mut roll = |to: usize| (chance.next_u64() % to as u64) as usize;
    let mut chat = Chat::new();
    chat.placement = placement;
    let [alice, bob] = chat.all(["alice", "bob"]);
    let ruler = Ruler::learn(&mut chat, alice, bob);
    let link = chat.link(bob);
    let mut model = Laggard::default();
    let mut expected: Vec<Option<usize>> = Vec::new();
    let mut fates = [0; 3];
    chat.stage.stall(link, 0);
    for number in 1..800 {
        let length = [roll(200), 1000 + roll(3000), roll(20_000)][roll(3)];
        let text = format!("number {number} {}", "x".repeat(length));
        let Sizes { octets, frame, shared } = ruler.measure(text.len());
        assert_eq!(chat.send(alice, to(ROOM, &text)), Some(200));
        let fate = model.message(octets, LARGE, frame, shared);
        fates[fate as usize] += 1;
        match fate {
            Fate::Queued => expected.push(Some(number)),
            Fate::LeftOut => {}
            Fate::Noticed => {
                expected.push(None);
                // Its size is measured when it comes; it is short, and nothing here is so near a mark.
                model.queue(NOTICE);
            }
        }
        if roll(350) == 0 {
            // The socket takes everything, and then nothing again.
            let waiting = model.waiting();
            chat.stage.unstall(link);
            model.takes(waiting);
            assert_eq!(heard(&mut chat, bob), std::mem::take(&mut expected), "seed {seed}, up to number {number}");
            chat.stage.stall(link, 0);
        }
    }
    chat.stage.unstall(link);
    assert_eq!(heard(&mut chat, bob), expected, "seed {seed}, at the end");
    fates
}

/// About what a notice takes on the wire.
const NOTICE: usize = 600;

// CONFORMANCE 7701-079 7701-080
#[test]
fn the_switch_does_as_its_reference() {
    let mut fates = [0; 3];
    for seed in 0..6 {
        let placement = if seed % 2 == 0 { Placement::Home } else { Placement::Away };
        for (sum, of) in fates.iter_mut().zip(play(seed, placement)) {
            *sum += of;
        }
    }
    println!("queued, left out, noticed: {fates:?}");
    assert!(fates.iter().all(|times| *times > 5), "{fates:?}");
}

//! What it costs to tell a room of what changed: in proportion to what changed, and to how many are told. Counted are octets and
//! allocations, never time. `ROSTER_SUBSCRIBERS` in the environment is how large the larger room is instead of 400.

use std::time::Duration;

use allocation_counter::measure;
use sim::people::{Chat, Person, SipMessage};

const INTERVAL: Duration = Duration::from_secs(5);
const PLAIN: &str = "Accept: application/conference-info+xml";
const PATCHES: &str = "Accept: application/xcon-conference-info+xml, application/xcon-conference-info-diff+xml";

/// A room in which everybody is told what changes.
struct Audience {
    chat: Chat,
    people: Vec<Person>,
}

/// What a round has cost, in which so many joined.
#[derive(Debug)]
struct Cost {
    octets: usize,
    allocations: u64,
    allocated: u64,
}

impl Audience {
    fn new(size: usize, accept: &str) -> Self {
        let mut chat = Chat::in_room(|policy| (policy.roster_full_below, policy.roster_interval) = (0, INTERVAL));
        let people = (0..size).map(|number| chat.join(format!("s{number:04}").as_str())).collect();
        let mut audience = Self { chat, people };
        for nth in 0..size {
            let answer = audience.chat.subscribe(audience.people[nth], &["Event: conference", accept]);
            assert_eq!(answer.code(), 200);
            audience.hear(nth).expect("everything is told at once");
        }
        audience.chat.stage.pass(INTERVAL);
        audience
    }

    fn hear(&mut self, nth: usize) -> Option<SipMessage> {
        let notify = self.chat.next_sip(self.people[nth])?;
        self.chat.answer_to(self.people[nth], &notify, "200 OK");
        Some(notify)
    }

    /// So many join, and everybody is told of it in one round.
    fn round(&mut self, joining: usize, name: &str) -> Cost {
        for number in 0..joining {
            self.chat.join(format!("{name}{number:04}").as_str());
        }
        let told = measure(|| self.chat.stage.pass(INTERVAL));
        let mut octets = 0;
        for nth in 0..self.people.len() {
            let notify = self.hear(nth).expect("everybody is told");
            assert_eq!(notify.body.matches("<user ").count(), joining, "{}", notify.body);
            octets = octets.max(notify.body.len());
            assert!(self.hear(nth).is_none(), "once");
        }
        Cost { octets, allocations: told.count_total, allocated: told.bytes_total }
    }
}

#[test]
fn a_round_costs_what_changed_and_is_rendered_once() {
    let large = std::env::var("ROSTER_SUBSCRIBERS").ok().and_then(|many| many.parse().ok()).unwrap_or(400);
    for accept in [PLAIN, PATCHES] {
        let [small, large] = [large / 10, large].map(|size| {
            let mut audience = Audience::new(size, accept);
            audience.round(1, "warm");
            let (one, many) = (audience.round(1, "one"), audience.round(40, "many"));
            println!("{size} subscribers, {accept}: one joins {one:?}, 40 join {many:?}");
            // What is told grows with what changed: a join is told in as many octets as another.
            assert!(many.octets < one.octets * 40, "{one:?} {many:?}");
            // However much it is, each copy takes as many allocations: it is rendered once for all.
            let further = many.allocations.saturating_sub(one.allocations);
            assert!(further < 40 * 60, "{further} allocations for 39 joins and {size} subscribers");
            (size, one, many)
        });
        let ((few, one_of_few, _), (all, one_of_all, many_of_all)) = (&small, &large);
        // The room's size has nothing to do with what each subscriber gets, but for the digits of numbers,
        assert!(one_of_all.octets <= one_of_few.octets + 4, "{small:?} {large:?}");
        // nor with what that costs.
        let each = |allocations: u64, size: &usize| allocations as f64 / *size as f64;
        let (in_small, in_large) = (each(one_of_few.allocations, few), each(one_of_all.allocations, all));
        assert!(in_large < in_small * 1.05, "{in_small} {in_large} allocations for each");
        let (in_small, in_large) = (each(one_of_few.allocated, few), each(one_of_all.allocated, all));
        assert!(in_large < in_small * 1.25, "{in_small} {in_large} octets allocated for each");
        // And forty times as much told is at most forty times the octets copied.
        assert!(many_of_all.allocated < one_of_all.allocated * 40, "{large:?}");
    }
}

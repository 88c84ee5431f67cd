//! A thousand lives, and what holds in each of them (the invariants of the architecture): order, once, private, unique, whole,
//! and nothing left behind.

use std::collections::BTreeMap;

use sim::life::{Log, Plan, live};

fn plan(seed: u64) -> Plan {
    Plan { seed, people: 5, rounds: 2, deeds: 25 }
}

/// What happened in some lives altogether.
#[derive(Default)]
struct Sum {
    deeds: BTreeMap<&'static str, usize>,
    said: usize,
    delivered: usize,
    heard: usize,
    obligations: usize,
    rosters: usize,
}

impl Sum {
    fn add(mut self, log: &Log) -> Self {
        for (deed, times) in &log.deeds {
            *self.deeds.entry(deed).or_default() += times;
        }
        self.said += log.said.len();
        self.delivered += log.said.iter().filter(|utterance| utterance.delivered).count();
        self.heard += log.heard.values().map(Vec::len).sum::<usize>();
        self.obligations += log.obligations();
        self.rosters += log.rosters;
        self
    }
}

fn lives(seeds: impl Iterator<Item = u64>) -> Sum {
    seeds.fold(Sum::default(), |sum, seed| {
        let log = live(plan(seed));
        if let Err(fault) = log.check() {
            panic!("seed {seed}: {fault}");
        }
        sum.add(&log)
    })
}

#[test]
fn a_thousand_lives_are_as_they_must_be() {
    let sums = std::thread::scope(|scope| {
        let halves = [0, 1].map(|first| scope.spawn(move || lives((first..1000).step_by(2))));
        halves.map(|half| half.join().expect("every life is sound"))
    });
    for Sum { deeds, said, delivered, heard, obligations, rosters } in sums {
        // Lives in which little happens would prove little.
        println!(
            "{deeds:?}, {said} said, {delivered} delivered, {heard} heard, of that {obligations} without fail, {rosters} pictures"
        );
        assert!(deeds.len() == 7 && deeds.values().all(|times| *times > 300), "{deeds:?}");
        assert!(delivered * 10 > said * 8 && heard > said && obligations > 1000 && rosters > 100);
    }
}

#[test]
fn one_seed_is_one_life() {
    assert_eq!(live(plan(3)), live(plan(3)));
}

/// What is broken on purpose is found.
#[test]
fn a_broken_life_is_found() {
    let sound = (0..).map(|seed| live(plan(seed))).find(|log| log.obligations() > 20).expect("a full life");
    assert_eq!(sound.check(), Ok(()));
    let (listener, numbers) = sound.heard.iter().find(|(_, heard)| heard.len() > 3).expect("somebody has heard enough");
    let break_ = |change: &dyn Fn(&mut Log)| {
        let mut log = sound.clone();
        change(&mut log);
        log.check().expect_err("it is broken")
    };
    let ear = |log: &mut Log, change: &dyn Fn(&mut Vec<usize>)| change(log.heard.get_mut(listener).expect("an ear"));

    assert!(break_(&|log| ear(log, &|heard| heard.push(numbers[0]))).contains("twice or too late"));
    assert!(break_(&|log| ear(log, &|heard| heard.push(usize::MAX))).contains("nobody said"));
    assert!(break_(&|log| log.said[numbers[0]].by = *listener).contains("itself"));
    assert!(break_(&|log| log.said[numbers[0]].to = Some(listener + 1)).contains("alone"));
    assert!(break_(&|log| log.left_over = 1).contains("left"));
    assert!(break_(&|log| log.wrong_rosters.push("p1: Ana".to_owned())).contains("picture"));
    assert!(break_(&|log| log.shared_nicknames.push("Ana".to_owned())).contains("Ana"));
    let lost = (0..sound.said.len()).filter(|number| {
        let mut log = sound.clone();
        log.heard.values_mut().for_each(|heard| heard.retain(|other| other != number));
        log.check().is_err()
    });
    assert!(lost.count() > 3, "messages that get lost are noticed");
}

//! What was said, what was heard of it, and how long it took.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

/// The fewest octets that a line of a load has.
pub(super) const SMALLEST: usize = 64;
/// Of how many kinds of trouble the number is kept.
const KINDS: usize = 32;

/// What a message of a load says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    /// Which load it is of.
    pub(super) run: u32,
    /// Which participant says it.
    pub(super) sender: u32,
    /// Which of its messages it is, from 0.
    pub(super) number: u32,
    /// When it was to be said, from the beginning of the load.
    pub(super) stamp: Duration,
}

impl Line {
    /// The message, filled up to its size.
    pub(super) fn write(&self, sizes: (usize, usize), into: &mut Vec<u8>) {
        into.clear();
        let Self { run, sender, number, stamp } = self;
        // Writing to a `Vec` does not fail.
        let _ = write!(into, "load {run:08x} {sender} {number} {} ", stamp.as_nanos());
        into.resize(self.size(sizes), b'.');
    }

    /// The message that these octets begin.
    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        let mut rest = octets.get(..octets.len().min(SMALLEST))?.strip_prefix(b"load ")?;
        let run = u32::try_from(field(&mut rest, 16)?).ok()?;
        let sender = u32::try_from(field(&mut rest, 10)?).ok()?;
        let number = u32::try_from(field(&mut rest, 10)?).ok()?;
        let stamp = Duration::from_nanos(field(&mut rest, 10)?);
        Some(Self { run, sender, number, stamp })
    }

    /// How many octets it has: spread evenly over the sizes, and the same whenever it is asked.
    fn size(&self, (least, most): (usize, usize)) -> usize {
        let mixed = (u64::from(self.sender) << 32 | u64::from(self.number)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        least + ((mixed * (most - least + 1) as u64) >> 32) as usize
    }

    fn is_whole(&self, octets: &[u8], sizes: (usize, usize)) -> bool {
        let filling = octets.get(SMALLEST..).unwrap_or_default();
        // Without a way out on the way, so that many octets are looked at at once.
        let differences = filling.iter().fold(0, |differences, octet| differences | (octet ^ b'.'));
        octets.len() == self.size(sizes) && differences == 0
    }
}

/// A number and the space behind it, which shows that it is whole.
fn field(rest: &mut &[u8], radix: u32) -> Option<u64> {
    let mut value = 0_u64;
    for (at, octet) in rest.iter().enumerate() {
        if *octet == b' ' && at > 0 {
            *rest = rest.get(at + 1..)?;
            return Some(value);
        }
        let digit = char::from(*octet).to_digit(radix)?;
        value = value.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))?;
    }
    None
}

/// What one participant has heard of each sender.
#[derive(Debug)]
pub(super) struct Hearing(Vec<Heard>);

#[derive(Debug, Default, Clone)]
struct Heard {
    next: u32,
    /// Numbers before the next one that have not come.
    missing: Vec<u32>,
}

impl Hearing {
    pub(super) fn new(senders: u32) -> Self {
        Self(vec![Heard::default(); senders as usize])
    }

    /// A message came.
    pub(super) fn hear(&mut self, line: &Line, octets: &[u8], sizes: (usize, usize), tally: &mut Tally) {
        let Some(heard) = self.0.get_mut(line.sender as usize) else { return tally.spoiled += 1 };
        if !line.is_whole(octets, sizes) {
            tally.spoiled += 1;
        }
        if line.number >= heard.next {
            heard.missing.extend(heard.next..line.number);
            heard.next = line.number + 1;
        } else if let Some(at) = heard.missing.iter().position(|missing| *missing == line.number) {
            heard.missing.swap_remove(at);
            tally.disordered += 1;
        } else {
            tally.twice += 1;
            return;
        }
        tally.heard += 1;
    }
}

/// What became of everything.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) joined: u64,
    /// Said goodbye, and it was answered.
    pub(super) left: u64,
    /// Messages said.
    pub(super) said: u64,
    /// Messages that were answered with 200.
    pub(super) taken: u64,
    /// Copies that came, each once.
    pub(super) heard: u64,
    /// Copies that came again.
    pub(super) twice: u64,
    /// Copies that came behind a later message of the same sender.
    pub(super) disordered: u64,
    /// Copies that are not what was said.
    pub(super) spoiled: u64,
    /// Messages that were refused, by code; 0: never answered.
    pub(super) refusals: BTreeMap<u16, u64>,
    /// What else went wrong, and how often.
    pub(super) troubles: BTreeMap<String, u64>,
    /// From the call to the room.
    pub(super) join: Delays,
    /// From a message to its answer.
    pub(super) answer: Delays,
    /// From when a message was due to each of its copies.
    pub(super) delivery: Delays,
}

impl Tally {
    /// That of who could not join.
    pub(super) fn absent(why: String) -> Self {
        Self { troubles: BTreeMap::from([(why, 1)]), ..Self::default() }
    }

    pub(super) fn refused(&mut self, code: Option<u16>) {
        *self.refusals.entry(code.unwrap_or(0)).or_default() += 1;
    }

    pub(super) fn trouble(&mut self, what: &str) {
        self.troubled(what.to_owned(), 1);
    }

    fn troubled(&mut self, what: String, times: u64) {
        let known = self.troubles.len() < KINDS || self.troubles.contains_key(&what);
        let what = if known { what } else { "other".to_owned() };
        *self.troubles.entry(what).or_default() += times;
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.joined += other.joined;
        self.left += other.left;
        self.said += other.said;
        self.taken += other.taken;
        self.heard += other.heard;
        self.twice += other.twice;
        self.disordered += other.disordered;
        self.spoiled += other.spoiled;
        for (code, times) in other.refusals {
            *self.refusals.entry(code).or_default() += times;
        }
        for (what, times) in other.troubles {
            self.troubled(what, times);
        }
        self.join.merge(&other.join);
        self.answer.merge(&other.answer);
        self.delivery.merge(&other.delivery);
    }
}

/// Delays, kept by their size: each is known to within a sixteenth.
#[derive(Debug, Default)]
pub(super) struct Delays {
    /// By power of two and sixteenth of it, in nanoseconds. Empty while there are none.
    counts: Vec<u64>,
    number: u64,
    longest: Duration,
}

/// Sixteen for each power of two of a `u64`.
const BUCKETS: usize = 61 * 16;

impl Delays {
    pub(super) fn add(&mut self, delay: Duration) {
        if self.counts.is_empty() {
            self.counts = vec![0; BUCKETS];
        }
        let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(nanos)) {
            *count += 1;
        }
        self.number += 1;
        self.longest = self.longest.max(delay);
    }

    /// The delay that this part of all, from 0 to 1, did not exceed: at most a sixteenth too long.
    pub(super) fn quantile(&self, part: f64) -> Duration {
        let wanted = (self.number as f64 * part).ceil().max(1.0) as u64;
        let mut passed = 0;
        let found = self.counts.iter().position(|count| {
            passed += count;
            passed >= wanted
        });
        found.map_or(Duration::ZERO, |at| Duration::from_nanos(upper(at)).min(self.longest))
    }

    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    fn merge(&mut self, other: &Self) {
        if self.counts.is_empty() {
            self.counts.clone_from(&other.counts);
        } else {
            self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
        }
        self.number += other.number;
        self.longest = self.longest.max(other.longest);
    }
}

/// Numbers below 16 have a bucket each; above, the four bits behind the first one count.
fn bucket(nanos: u64) -> usize {
    let power = nanos.max(16).ilog2() - 4;
    (power as usize) * 16 + (nanos >> power) as usize
}

/// The largest number of a bucket.
fn upper(bucket: usize) -> u64 {
    let power = (bucket / 16).saturating_sub(1);
    let first = (bucket - power * 16) as u64;
    (first << power) + ((1 << power) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sender: u32, number: u32) -> Line {
        Line { run: 7, sender, number, stamp: Duration::from_nanos(1_234_567) }
    }

    #[test]
    fn a_line_is_read_as_it_was_written_and_known_when_it_is_spoiled() {
        let sizes = (64, 300);
        let mut octets = Vec::new();
        for number in 0..1000 {
            let line = line(3, number);
            line.write(sizes, &mut octets);
            assert_eq!(Line::read(&octets), Some(line));
            assert!(line.is_whole(&octets, sizes) && (64..=300).contains(&octets.len()));
            octets.pop();
            assert!(!line.is_whole(&octets, sizes));
            octets.push(b'x');
            assert!(!line.is_whole(&octets, sizes) || octets.len() == SMALLEST);
        }
        let longest = Line { run: u32::MAX, sender: 99_999, number: u32::MAX, stamp: Duration::from_secs(86_400) };
        longest.write((64, 64), &mut octets);
        assert_eq!(Line::read(&octets), Some(longest));
        for other in [
            b"hello".as_slice(),
            b"",
            b"load ",
            b"load 00000007 1 2",
            b"load 00000007 1 x 3 ....",
            b"load 00000007  1 2 3 ",
            b"load 100000007 1 2 3 ",
        ] {
            assert_eq!(Line::read(other), None);
        }
    }

    #[test]
    fn what_is_missing_repeated_or_out_of_order_is_counted() {
        let sizes = (64, 64);
        let (mut hearing, mut tally) = (Hearing::new(2), Tally::default());
        let mut octets = Vec::new();
        for (sender, number) in [(0, 0), (1, 0), (0, 1), (0, 4), (0, 2), (0, 2), (1, 0), (0, 5)] {
            line(sender, number).write(sizes, &mut octets);
            hearing.hear(&line(sender, number), &octets, sizes, &mut tally);
        }
        // 3 of the first sender is missing: six came, each once.
        assert_eq!((tally.heard, tally.twice, tally.disordered, tally.spoiled), (6, 2, 1, 0));
        hearing.hear(&line(2, 0), &octets, sizes, &mut tally);
        hearing.hear(&line(1, 1), &octets[1..], sizes, &mut tally);
        assert_eq!((tally.heard, tally.spoiled), (7, 2));
    }

    #[test]
    fn quantiles_are_at_most_a_sixteenth_too_long() {
        let mut delays = Delays::default();
        assert_eq!(delays.quantile(0.5), Duration::ZERO);
        for micros in 1..=1000 {
            delays.add(Duration::from_micros(micros));
        }
        for (part, micros) in [(0.5, 500), (0.9, 900), (0.99, 990), (0.001, 1)] {
            let (found, exact) = (delays.quantile(part), Duration::from_micros(micros));
            assert!(exact <= found && found <= exact + exact / 16, "{part}: {found:?}");
        }
        assert_eq!(delays.quantile(1.0), Duration::from_millis(1));
        let mut all = Delays::default();
        all.add(Duration::from_secs(9));
        all.merge(&delays);
        assert_eq!((all.number, all.longest()), (1001, Duration::from_secs(9)));
    }

    #[test]
    fn every_number_has_its_bucket() {
        for nanos in (0..64)
            .map(|power| 1_u64 << power)
            .flat_map(|power| [power - 1, power, power + power / 3])
            .chain([u64::MAX])
        {
            let at = bucket(nanos);
            assert!(at < BUCKETS, "{nanos}");
            assert!(nanos <= upper(at) && (at == 0 || upper(at - 1) < nanos), "{nanos} in {at}");
        }
    }
}

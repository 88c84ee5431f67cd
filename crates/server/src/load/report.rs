//! What a load has shown.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::tally::{Delays, Tally};
use super::{Load, Times};

/// The report; its fields are those of the JSON. Times are in the units that the names end in.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    participants: u64,
    joined: u64,
    left: u64,
    joining_s: f64,
    joins_per_s: f64,
    join_ms: Quantiles,
    said: u64,
    taken: u64,
    /// By MSRP code; 0: never answered.
    refused: BTreeMap<u16, u64>,
    talking_s: f64,
    messages_per_s: f64,
    answer_ms: Quantiles,
    /// A copy of each message taken for everybody but its sender.
    expected: u64,
    heard: u64,
    deliveries_per_s: f64,
    delivery_ms: Quantiles,
    lost: u64,
    twice: u64,
    out_of_order: u64,
    spoiled: u64,
    leaving_s: f64,
    /// The processor time of this process, where the system tells it.
    processor_s: Option<f64>,
    troubles: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct Quantiles {
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

impl Report {
    pub(super) fn of(args: &Load, times: &Times, tally: Tally) -> Self {
        let expected = tally.taken * tally.joined.saturating_sub(1);
        Self {
            participants: u64::from(args.participants),
            joined: tally.joined,
            left: tally.left,
            joining_s: times.joining.as_secs_f64(),
            joins_per_s: rate(tally.joined, times.joining),
            join_ms: Quantiles::of(&tally.join),
            said: tally.said,
            taken: tally.taken,
            refused: tally.refusals,
            talking_s: times.talking.as_secs_f64(),
            messages_per_s: rate(tally.taken, times.talking),
            answer_ms: Quantiles::of(&tally.answer),
            expected,
            heard: tally.heard,
            deliveries_per_s: rate(tally.heard, times.talking),
            delivery_ms: Quantiles::of(&tally.delivery),
            lost: expected.saturating_sub(tally.heard),
            twice: tally.twice,
            out_of_order: tally.disordered,
            spoiled: tally.spoiled,
            leaving_s: times.leaving.as_secs_f64(),
            processor_s: processor(),
            troubles: tally.troubles,
        }
    }

    /// Whether everybody came, said all there was to say, heard everything once and in order, and left.
    pub(super) fn all_is_well(&self, messages: u32) -> bool {
        self.joined == self.participants
            && self.left == self.participants
            && self.taken == u64::from(messages)
            && self.heard == self.expected
            && self.twice + self.out_of_order + self.spoiled == 0
            && self.troubles.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |part: u64, all: u64| if part == all { part.to_string() } else { format!("{part} of {all}") };
        writeln!(
            f,
            "joined      {} in {:.2} s ({:.0}/s)  {}",
            of(self.joined, self.participants),
            self.joining_s,
            self.joins_per_s,
            self.join_ms
        )?;
        writeln!(
            f,
            "messages    {} in {:.2} s ({:.0}/s)  {}",
            of(self.taken, self.said),
            self.talking_s,
            self.messages_per_s,
            self.answer_ms
        )?;
        writeln!(
            f,
            "deliveries  {} ({:.0}/s)  {}",
            of(self.heard, self.expected),
            self.deliveries_per_s,
            self.delivery_ms
        )?;
        writeln!(
            f,
            "            {} lost, {} twice, {} out of order, {} spoiled",
            self.lost, self.twice, self.out_of_order, self.spoiled
        )?;
        writeln!(f, "left        {} in {:.2} s", of(self.left, self.joined), self.leaving_s)?;
        if let Some(seconds) = self.processor_s {
            writeln!(f, "processor   {seconds:.2} s of this process")?;
        }
        for (code, times) in &self.refused {
            match code {
                0 => writeln!(f, "! not answered: {times}")?,
                code => writeln!(f, "! refused with {code}: {times}")?,
            }
        }
        for (what, times) in &self.troubles {
            writeln!(f, "! {what}: {times}")?;
        }
        Ok(())
    }
}

impl Quantiles {
    fn of(delays: &Delays) -> Self {
        let millis = |delay: Duration| (delay.as_secs_f64() * 1e6).round() / 1e3;
        let at = |part| millis(delays.quantile(part));
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: millis(delays.longest()) }
    }
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ms: {:.1} half, {:.1} p90, {:.1} p99, {:.1} longest", self.p50, self.p90, self.p99, self.max)
    }
}

fn rate(number: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds > 0.0 { number as f64 / seconds } else { 0.0 }
}

/// The user and system time of this process: fields 14 and 15 of Linux' stat, in hundredths of a second.
fn processor() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(|field| field.parse::<f64>().ok());
    Some((times.next()?? + times.next()??) / 100.0)
}

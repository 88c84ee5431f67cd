//! Simulated time, network and people: for tests alone.
//!
//! [`stage`] plays a node against scripted peers, octet by octet; [`people`] puts participants on it, so that a test reads like
//! the rows of a checklist; [`script`] compares what came with what was to come. Nothing here waits for anything: time is a
//! value, and moves when a test says so.

pub mod laggard;
pub mod life;
pub mod people;
pub mod rng;
pub mod script;
pub mod stage;
pub mod world;

//! The chat-room server tertulia.
mod config;
fn main() {
    let _ = config::Config::embedded();
    let _ = config::Config::parse("");
}

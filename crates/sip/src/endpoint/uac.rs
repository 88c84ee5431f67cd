//! stub
#[derive(Debug)]
pub struct Attempt;

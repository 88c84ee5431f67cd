//! stub
#[derive(Debug)]
pub struct ServerTransaction;

//! stub
#[derive(Debug)]
pub struct Dialog;
/// A dialog.
pub type DialogId = crate::slots::Id<Dialog>;

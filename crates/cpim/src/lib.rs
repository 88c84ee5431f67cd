//! The Message/CPIM format

//! Simulated time, network and people for the tests of this workspace

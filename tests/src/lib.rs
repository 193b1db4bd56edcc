//! rampart-tests

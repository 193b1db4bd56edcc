//! rampart-shim

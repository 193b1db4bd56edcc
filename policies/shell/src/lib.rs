//! rampart-shell

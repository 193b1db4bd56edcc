//! rampart-scan

//! rampart-egress

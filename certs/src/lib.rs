//! rampart-certs

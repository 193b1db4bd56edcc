//! rampart-agents

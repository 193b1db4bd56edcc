//! rampart-mcp

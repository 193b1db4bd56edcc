//! The clients, and where each keeps its servers.

use std::path::PathBuf;

use super::servers::Shape;
use crate::environment::Environment;

/// An MCP client.
pub(super) struct Client {
    /// As `rampart mcp install` takes it.
    pub(super) name: &'static str,
    pub(super) places: fn(&Environment) -> Vec<Place>,
}

/// A file with servers.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) shape: Shape,
    /// It belongs to a project, and goes to others with it.
    pub(super) shared: bool,
}

/// What most clients have.
const USUAL: Shape = Shape::Json(&[&["mcpServers"]]);

pub(super) const CLIENTS: [Client; 7] = [
    // Settings of the user, per project too, and those of a project.
    Client {
        name: "claude-code",
        places: |env| {
            let folder =
                Environment::variable("CLAUDE_CONFIG_DIR").map_or_else(|| env.user_home.clone(), PathBuf::from);
            let own = Shape::Json(&[&["mcpServers"], &["projects", "*", "mcpServers"]]);
            vec![of_user(folder.join(".claude.json"), own), of_project(env, ".mcp.json", USUAL)]
        },
    },
    Client {
        name: "claude-desktop",
        places: |env| vec![of_user(applications(env).join("Claude/claude_desktop_config.json"), USUAL)],
    },
    Client {
        name: "cursor",
        places: |env| {
            vec![of_user(env.user_home.join(".cursor/mcp.json"), USUAL), of_project(env, ".cursor/mcp.json", USUAL)]
        },
    },
    Client {
        name: "vscode",
        places: |env| {
            let servers = Shape::Json(&[&["servers"]]);
            vec![
                of_user(applications(env).join("Code/User/mcp.json"), servers),
                of_project(env, ".vscode/mcp.json", servers),
            ]
        },
    },
    Client {
        name: "codex",
        places: |env| {
            let folder = Environment::variable("CODEX_HOME").map(PathBuf::from);
            let folder = folder.unwrap_or_else(|| env.user_home.join(".codex"));
            vec![of_user(folder.join("config.toml"), Shape::Toml), of_project(env, ".codex/config.toml", Shape::Toml)]
        },
    },
    Client {
        name: "gemini",
        places: |env| {
            let user = env.user_home.join(".gemini/settings.json");
            vec![of_user(user, USUAL), of_project(env, ".gemini/settings.json", USUAL)]
        },
    },
    Client {
        name: "cline",
        places: |env| {
            let settings = "settings/cline_mcp_settings.json";
            let extension = applications(env).join("Code/User/globalStorage/saoudrizwan.claude-dev");
            vec![
                of_user(extension.join(settings), USUAL),
                of_user(env.user_home.join(".cline/data").join(settings), USUAL),
            ]
        },
    },
];

fn of_user(path: PathBuf, shape: Shape) -> Place {
    Place { path, shape, shared: false }
}

fn of_project(environment: &Environment, path: &str, shape: Shape) -> Place {
    Place { path: environment.workspace().join(path), shape, shared: true }
}

/// Where programs with windows keep their settings.
fn applications(environment: &Environment) -> PathBuf {
    if cfg!(target_os = "macos") {
        return environment.user_home.join("Library/Application Support");
    }
    let folder = Environment::variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    folder.unwrap_or_else(|| environment.user_home.join(".config"))
}

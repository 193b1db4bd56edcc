//! The texts that a service manager reads. Pure: where they go and who is told is decided elsewhere.

use rampart_client::system::System;

/// What a unit is made of.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    /// Absolute path of this program.
    pub(super) program: String,
    /// Rampart's home; for the system's service a folder that the manager makes.
    pub(super) home: String,
    /// For the whole machine and under a user of its own.
    pub(super) system: bool,
}

/// The first line of everything written here, by which it is known again.
pub(super) const MARK: &str = "Written by `rampart serve install`; `rampart serve uninstall` removes it.";
/// The user of the system's service.
pub(super) const USER: &str = "rampart";
/// The socket that all users of the machine ask.
pub(super) const SOCKET: &str = "/run/rampart/gateway.sock";
/// What the system's service has for itself and shows to others. It cannot enter the homes of users, so that projects'
/// own policies are not read.
const FOLDERS: &str = "\
StateDirectory=rampart
StateDirectoryMode=0700
RuntimeDirectory=rampart
RuntimeDirectoryMode=0755
WorkingDirectory=/var/lib/rampart
Environment=RAMPART_NO_PROJECT_POLICY=1
";
/// Label of the launchd job.
pub(super) const LABEL: &str = "rampart.gateway";

/// What every gateway needs and nothing else (systemd.exec(5)). It listens on loopback, dials out, and runs no program.
const HARDENING: &str = "\
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
UMask=0077
LimitNOFILE=65536
";

/// What only the system's manager can do for a service. `/proc` stays visible: whoever asks on the socket is known by
/// the processes above it.
const HARDENING_SYSTEM: &str = "\
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RemoveIPC=yes
CapabilityBoundingSet=
AmbientCapabilities=
";

impl Unit {
    /// For systemd (systemd.service(5)).
    pub(super) fn systemd(&self) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"));
        let (identity, hardening, wanted) = if self.system {
            (format!("User={USER}\nGroup={USER}\n{FOLDERS}"), HARDENING_SYSTEM, "multi-user.target")
        } else {
            (String::new(), "", "default.target")
        };
        let shared = if self.system { format!(" --shared {SOCKET}") } else { String::new() };
        format!(
            "# {MARK}
[Unit]
Description=Rampart, a firewall for AI agents
After=network.target

[Service]
Type=exec
ExecStart={} serve{shared}
ExecReload=kill -HUP $MAINPID
Environment={}
Restart=on-failure
RestartSec=1
TimeoutStopSec=20
{identity}{HARDENING}{hardening}
[Install]
WantedBy={wanted}
",
            quoted(&self.program),
            quoted(&format!("RAMPART_HOME={}", self.home)),
        )
    }

    /// The user of the system's service (sysusers.d(5)).
    pub(super) fn sysusers() -> String {
        format!("# {MARK}\nu {USER} - \"Rampart, a firewall for AI agents\" /var/lib/rampart\n")
    }

    /// By which the surfaces of every user find the system's gateway.
    pub(super) fn system_file() -> anyhow::Result<String> {
        let system = System { note: MARK.to_owned(), socket: SOCKET.into(), user: USER.to_owned() };
        Ok(serde_json::to_string_pretty(&system)? + "\n")
    }

    /// For launchd (launchd.plist(5)).
    pub(super) fn launchd(&self) -> String {
        let text = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<!-- {MARK} -->
<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">
<plist version=\"1.0\">
<dict>
  <key>Label</key><string>{LABEL}</string>
  <key>ProgramArguments</key>
  <array><string>{}</string><string>serve</string></array>
  <key>EnvironmentVariables</key>
  <dict><key>RAMPART_HOME</key><string>{}</string></dict>
  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key>
  <dict><key>SuccessfulExit</key><false/></dict>
  <key>ExitTimeOut</key><integer>20</integer>
  <key>Umask</key><integer>63</integer>
  <key>ProcessType</key><string>Interactive</string>
</dict>
</plist>
",
            text(&self.program),
            text(&self.home),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_path_holds_stays_in_its_place() {
        let unit = Unit { program: "/opt/a b/100%/ra\"mpart".into(), home: "/home/x & y".into(), system: false };
        let text = unit.systemd();
        assert!(text.contains("ExecStart=\"/opt/a b/100%%/ra\\\"mpart\" serve\n"), "{text}");
        assert!(text.contains("Environment=\"RAMPART_HOME=/home/x & y\"\n"), "{text}");
        assert!(unit.launchd().contains("<string>/home/x &amp; y</string>"));
    }

    #[test]
    fn only_the_system_s_service_has_a_user_of_its_own() {
        let unit = |system| Unit { program: "/usr/bin/rampart".into(), home: "/var/lib/rampart".into(), system };
        assert!(unit(true).systemd().contains("\nUser=rampart\n") && unit(true).systemd().contains("ProtectHome=yes"));
        assert!(!unit(false).systemd().contains("--shared"));
        assert!(!unit(false).systemd().contains("User=") && !unit(false).systemd().contains("ProtectHome"));
        assert!(unit(true).systemd().contains(&format!(" serve --shared {SOCKET}\n")));
    }
}

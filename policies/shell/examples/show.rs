use std::io::BufRead;
fn main() {
    let around = rampart_shell::Surroundings {
        cwd: Some("/home/u/proj"),
        home: Some("/home/u"),
        workspace: Some("/home/u/proj"),
        rampart_home: None,
    };
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let v: serde_json::Value =
            serde_json::from_str(&line).unwrap_or(serde_json::json!({"params":{"command": line}}));
        let cmd = v["params"]["command"].as_str().unwrap_or("").to_owned();
        let a = rampart_shell::analyze(&rampart_call::CommandLine::Command(cmd.clone()), &around);
        println!(
            "{}",
            serde_json::json!({"id": v["id"], "command": cmd, "expect": v["expect"], "effects": a.effects, "complete": a.complete, "components": a.components.iter().map(|c| c.argv.clone()).collect::<Vec<_>>(), "via": a.components.iter().map(|c| c.via.clone()).collect::<Vec<_>>(), "pipelines": a.pipelines.iter().map(|p| p.text.clone()).collect::<Vec<_>>()})
        );
    }
}

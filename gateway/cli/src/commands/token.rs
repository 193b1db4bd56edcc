//! `rampart token`: who may use the API, and what for.

use anyhow::Context as _;
use rampart_client::wire::{CreateToken, CreatedToken, TokenInfo};
use rampart_policy::parse_duration;
use rampart_scan::visible;

use crate::{
    args::{NewToken, TokenVerb},
    environment::Environment,
    exit::Exit,
    printer::{BOLD, DIM, Printer, styled},
    reach,
};

pub(crate) fn run(verb: &TokenVerb, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let client = reach::client(environment);
    match verb {
        TokenVerb::Create(args) => show(&client.create_token(&wanted(args)?)?, args.json, printer)?,
        TokenVerb::Rotate { token, json } => show(&client.rotate_token(token)?, *json, printer)?,
        TokenVerb::Revoke { token, json } => {
            let revoked = client.revoke_token(token)?;
            if *json {
                printer.json(&revoked)?;
            } else {
                printer.out(format!("revoked: {}", line(&revoked)));
            }
        }
        TokenVerb::List { all, json } => {
            let mut tokens = client.tokens()?;
            tokens.retain(|token| *all || token.kind != "session");
            if *json {
                printer.json(&tokens)?;
            } else {
                for token in &tokens {
                    printer.out(line(token));
                }
            }
        }
    }
    Ok(Exit::Yes)
}

fn wanted(args: &NewToken) -> anyhow::Result<CreateToken> {
    let lasts = |text: &String| {
        let ms = parse_duration(text).filter(|ms| *ms >= 1000);
        let ms = ms.with_context(|| format!("`{text}` is no time of a second or more; write it as 12h or 30d"))?;
        Ok::<_, anyhow::Error>(ms.unsigned_abs() / 1000)
    };
    Ok(CreateToken {
        name: args.name.clone(),
        scopes: args.scope.iter().map(|scope| scope.as_str().to_owned()).collect(),
        agent: args.agent.clone(),
        policy: args.policy.clone(),
        lasts_s: args.expires.as_ref().map(lasts).transpose()?,
    })
}

/// The token alone on standard output, so that a script can take it; what it is beside it.
fn show(created: &CreatedToken, json: bool, printer: Printer) -> anyhow::Result<()> {
    if json {
        return printer.json(created);
    }
    printer.out(&created.token);
    printer.note(line(&created.info));
    printer.note(styled(DIM, "This is the only time that it is shown."));
    Ok(())
}

fn line(token: &TokenInfo) -> String {
    let TokenInfo { id, name, kind, scopes, agent, policy, session, pid, expires, .. } = token;
    let name = match kind.as_str() {
        "file" => "the file `token` of the home",
        "environment" => "given when the gateway started",
        _ => name,
    };
    let mut bounds = String::new();
    let mut bound = |what: &str, value: Option<&String>| {
        bounds.extend(value.map(|value| format!("  {what} {}", visible(value))));
    };
    bound("agent", agent.as_ref());
    bound("policy", policy.as_ref());
    bound("session", session.as_ref());
    bound("process", pid.map(|pid| pid.to_string()).as_ref());
    bound("until", expires.as_ref());
    let line = format!("{}  {:<20}  {}", styled(BOLD, format!("{id:<13}")), scopes.join(" "), visible(name));
    format!("{}{}", line.trim_end(), styled(DIM, bounds))
}

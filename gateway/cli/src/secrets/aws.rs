//! The keys of AWS: how they are written where they are kept, and what sessions hold in their place.

use anyhow::{Context as _, bail};
use rampart_gateway::{followed::Placeholders, notify::Secret};
use serde::Deserialize;

/// A kind of secret access key, and of what follows `AKIA` in the id of one. Placeholders have these shapes, so they stay
/// what they are when the keys change.
const ID: &str = "AAAAAAAAAAAAAAAA";
const SECRET: &str = "aA0aA0aA0aA0aA0aA0aA0aA0aA0aA0aA0aA0aA0a";

/// Keys that sign requests.
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) token: Option<Secret>,
}

/// What the program of a profile's `credential_process` prints (AWS CLI user guide, "Sourcing credentials with an external
/// process").
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

/// Reads them: JSON as programs print it, or assignments as environments and the shared credentials file have them. Of
/// several profiles it is `default`.
pub(super) fn keys(text: &str) -> anyhow::Result<Keys> {
    if text.trim_start().starts_with('{') {
        // What a parser says may quote what it reads.
        let Ok(printed) = serde_json::from_str::<Printed>(text) else {
            bail!("it is not JSON with `AccessKeyId` and `SecretAccessKey`");
        };
        return checked(printed.access_key_id, printed.secret_access_key, printed.session_token);
    }
    let lines = profile(text)?;
    let value = |name: &str| {
        let mut pairs = lines.iter().filter_map(|line| line.trim().trim_start_matches("export ").split_once('='));
        let (_, value) = pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
        Some(value.trim().trim_matches(['"', '\'']).to_owned())
    };
    let id = value("aws_access_key_id").context("it has no `aws_access_key_id`")?;
    let secret = value("aws_secret_access_key").context("it has no `aws_secret_access_key`")?;
    checked(id, secret, value("aws_session_token"))
}

fn checked(id: String, secret: String, token: Option<String>) -> anyhow::Result<Keys> {
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    if !plain(&id) || id.contains(['/', ',']) || !plain(&secret) || token.as_deref().is_some_and(|token| !plain(token))
    {
        bail!("its keys are empty, or have characters that keys of AWS do not have");
    }
    Ok(Keys { id, secret: Secret::new(secret), token: token.map(Secret::new) })
}

/// The lines of the profile `default`, of the only one, or all where there are no profiles.
fn profile(text: &str) -> anyhow::Result<Vec<&str>> {
    let mut profiles: Vec<(&str, Vec<&str>)> = vec![("", Vec::new())];
    for line in text.lines() {
        match line.trim().strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => profiles.push((name.trim(), Vec::new())),
            None => profiles.last_mut().into_iter().for_each(|(_, lines)| lines.push(line)),
        }
    }
    let named = profiles.len() - 1;
    let wanted = if named > 1 { profiles.into_iter().find(|(name, _)| *name == "default") } else { profiles.pop() };
    let (_, lines) = wanted.context("it has several profiles, and none that is called `default`")?;
    Ok(lines)
}

/// What sessions hold in place of an id and a secret, the same for one installation.
pub(super) fn placeholders(of: &Placeholders, name: &str) -> anyhow::Result<[String; 2]> {
    let id = of.of(name, ID).context("no placeholder")?;
    Ok([format!("AKIA{id}"), of.of(name, SECRET).context("no placeholder")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<[String; 3], String> {
        let keys = keys(text).map_err(|e| format!("{e:#}"))?;
        let token = keys.token.map(|token| token.reveal().to_owned()).unwrap_or_default();
        Ok([keys.id, keys.secret.reveal().to_owned(), token])
    }

    #[test]
    fn keys_are_read_as_aws_writes_them() {
        let expected = |token: &str| Ok(["AKID".to_owned(), "se/cr+et=".to_owned(), token.to_owned()]);
        let json = r#"{"Version": 1, "AccessKeyId": "AKID", "SecretAccessKey": "se/cr+et=", "SessionToken": "to", "Expiration": "x"}"#;
        assert_eq!(read(json), expected("to"));
        assert_eq!(read(r#"{"AccessKeyId": "AKID", "SecretAccessKey": "se/cr+et="}"#), expected(""));
        let lines = "aws_access_key_id = AKID\naws_secret_access_key = se/cr+et=\n";
        let other = "aws_access_key_id = OTHER\naws_secret_access_key = other\n";
        for text in [
            lines.to_owned(),
            lines.to_uppercase().replace("SE/CR+ET=", "se/cr+et="),
            format!("[agent]\n{lines}"),
            format!("# mine\n[work]\n{other}[default]\n{lines}region = x\n[more]\n{other}"),
        ] {
            assert_eq!(read(&text), expected(""), "{text}");
        }
        assert_eq!(read(&format!("export {}aws_session_token=to", lines.replace(" = ", "="))), expected("to"));
    }

    #[test]
    fn what_is_no_keys_is_said_without_a_word_of_it() {
        for (text, words) in [
            ("{\"AccessKeyId\": \"hush\"}", "not JSON with"),
            ("{ hush", "not JSON with"),
            ("aws_access_key_id = hush", "no `aws_secret_access_key`"),
            ("hush", "no `aws_access_key_id`"),
            ("[a]\nx=hush\n[b]\nx=hush", "several profiles"),
            ("aws_access_key_id = hu/sh\naws_secret_access_key = hush", "characters"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(words) && !said.contains("hush"), "{text}: {said}");
        }
    }
}

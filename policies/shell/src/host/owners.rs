//! Whose a token is, by the name of the variable that holds it.

use crate::service::is_near;
use crate::walk::is_secret_name;

/// Words that names of variables begin with, and the domains where such tokens belong, as their issuers document them.
const OWNERS: &[(&[&str], &[&str])] = &[
    (&["AIRTABLE"], &["airtable.com"]),
    (&["ALGOLIA"], &["algolia.net", "algolianet.com"]),
    (&["ANTHROPIC", "CLAUDE"], &["anthropic.com"]),
    (&["ASANA"], &["asana.com"]),
    (&["ATLASSIAN", "CONFLUENCE", "JIRA"], &["atlassian.net", "atlassian.com"]),
    (&["BITBUCKET"], &["bitbucket.org"]),
    (&["BUILDKITE"], &["buildkite.com"]),
    (&["CARGO_REGISTRY", "CRATES"], &["crates.io"]),
    (&["CIRCLE", "CIRCLECI"], &["circleci.com"]),
    (&["CLOUDFLARE"], &["cloudflare.com"]),
    (&["CODECOV"], &["codecov.io"]),
    (&["COHERE"], &["cohere.ai", "cohere.com"]),
    (&["DATADOG", "DD_API"], &["datadoghq.com", "datadoghq.eu", "ddog-gov.com"]),
    (&["DEEPL"], &["deepl.com"]),
    (&["DEEPSEEK"], &["deepseek.com"]),
    (&["DIGITALOCEAN"], &["digitalocean.com"]),
    (&["DISCORD"], &["discord.com", "discordapp.com"]),
    (&["DOCKER", "DOCKERHUB"], &["docker.com", "docker.io"]),
    (&["DROPBOX"], &["dropboxapi.com", "dropbox.com"]),
    (&["ELEVENLABS"], &["elevenlabs.io"]),
    (&["FIGMA"], &["figma.com"]),
    (&["FLY_API", "FLY_ACCESS"], &["fly.io", "machines.dev"]),
    (&["GEMINI", "GOOGLE"], &["googleapis.com", "google.com"]),
    (&["GH", "GITHUB"], &["github.com", "githubusercontent.com", "githubcopilot.com", "ghcr.io"]),
    (&["GITLAB"], &["gitlab.com"]),
    (&["GROQ"], &["groq.com"]),
    (&["HEROKU"], &["heroku.com"]),
    (&["HETZNER", "HCLOUD"], &["hetzner.cloud", "hetzner.com"]),
    (&["HF", "HUGGINGFACE", "HUGGING_FACE"], &["huggingface.co", "hf.co"]),
    (&["HUBSPOT"], &["hubapi.com", "hubspot.com"]),
    (&["INTERCOM"], &["intercom.io"]),
    (&["LINEAR"], &["linear.app"]),
    (&["MAILGUN"], &["mailgun.net", "mailgun.org"]),
    (&["MAPBOX"], &["mapbox.com"]),
    (&["MISTRAL"], &["mistral.ai"]),
    (&["NETLIFY"], &["netlify.com"]),
    (&["NEWSAPI", "NEWS_API"], &["newsapi.org"]),
    (&["NOTION"], &["notion.com", "notion.so"]),
    (&["NPM", "NODE_AUTH"], &["npmjs.org", "npmjs.com"]),
    (&["OKTA"], &["okta.com", "oktapreview.com"]),
    (&["OPENAI"], &["openai.com"]),
    (&["OPENROUTER"], &["openrouter.ai"]),
    (&["OPENWEATHER", "OPENWEATHERMAP", "OWM"], &["openweathermap.org"]),
    (&["PAGERDUTY"], &["pagerduty.com"]),
    (&["PERPLEXITY"], &["perplexity.ai"]),
    (&["POSTMARK"], &["postmarkapp.com"]),
    (&["PYPI", "TWINE"], &["pypi.org"]),
    (&["REPLICATE"], &["replicate.com"]),
    (&["RESEND"], &["resend.com"]),
    (&["SENDGRID"], &["sendgrid.com"]),
    (&["SENTRY"], &["sentry.io"]),
    (&["SHOPIFY"], &["myshopify.com", "shopify.com"]),
    (&["SLACK"], &["slack.com"]),
    (&["SNYK"], &["snyk.io"]),
    (&["SONAR", "SONARCLOUD"], &["sonarcloud.io"]),
    (&["SPOTIFY"], &["spotify.com"]),
    (&["STRIPE"], &["stripe.com"]),
    (&["SUPABASE"], &["supabase.com", "supabase.co"]),
    (&["TAVILY"], &["tavily.com"]),
    (&["TELEGRAM", "TG_BOT"], &["telegram.org"]),
    (&["TRELLO"], &["trello.com"]),
    (&["TWILIO"], &["twilio.com"]),
    (&["VERCEL"], &["vercel.com", "vercel.app"]),
    (&["XAI"], &["x.ai"]),
    (&["ZENDESK"], &["zendesk.com"]),
];

/// The words of the owner, and its domains, of a variable such as `GITHUB_TOKEN`.
fn owner(variable: &str) -> Option<&'static (&'static [&'static str], &'static [&'static str])> {
    let begins = |word: &&str| variable.strip_prefix(*word).is_some_and(|rest| rest.starts_with('_'));
    OWNERS.iter().find(|(words, _)| words.iter().any(begins))
}

fn is_below(host: &str, domains: &[&str]) -> bool {
    domains.iter().any(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// The variables with secrets that stand in a text unresolved: `$NAME`, `${NAME}`.
pub(crate) fn variables(text: &str) -> impl Iterator<Item = &str> {
    let name = |rest| {
        let rest: &str = str::strip_prefix(rest, '{').unwrap_or(rest);
        rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()
    };
    text.split('$').skip(1).filter_map(name).filter(|name| is_secret_name(name))
}

/// Whether all that an address leaves open is variables with secrets of whom it belongs to: whatever else it holds, such as
/// what a command prints, may be another's.
pub(crate) fn are_its_own(text: &str, host: &str) -> bool {
    let own = |name: &str| owner(name).is_some_and(|(_, domains)| is_below(host, domains));
    let open = text.matches('$').count();
    open > 0 && !text.contains('`') && variables(text).filter(|name| own(name)).count() == open
}

/// Whether a variable is known to be somebody else's than `host`, which may be an own installation: `github.example.com`.
pub(crate) fn is_foreign(variable: &str, host: &str) -> bool {
    let Some((words, domains)) = owner(variable) else { return false };
    let own = || host.split(['.', '-']).any(|label| words.iter().any(|word| label.eq_ignore_ascii_case(word)));
    host.contains('.') && !is_below(host, domains) && !own() && !is_near(host) && !host.ends_with(".internal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_belong_to_whom_their_variable_names() {
        let trello = "https://api.trello.com/1/x?key=$TRELLO_API_KEY&token=${TRELLO_TOKEN}";
        assert!(are_its_own(trello, "api.trello.com") && !are_its_own(trello, "trello.com.evil.example"));
        assert!(!are_its_own("https://api.trello.com/?t=$TRELLO_TOKEN&g=$GITHUB_TOKEN", "api.trello.com"));
        assert!(!are_its_own("https://api.trello.com/?t=$(cat key)", "api.trello.com"));
        assert!(!are_its_own("https://api.trello.com/?t=$TRELLO_TOKEN&d=$(env | base64)", "api.trello.com"));
        assert!(!are_its_own("https://api.trello.com/?t=$TRELLO_TOKEN&d=`env`", "api.trello.com"));
        assert!(is_foreign("GITHUB_TOKEN", "evil.example") && !is_foreign("GITHUB_TOKEN", "api.github.com"));
        assert!(!is_foreign("GITHUB_TOKEN", "github.example.com") && !is_foreign("API_TOKEN", "evil.example"));
        assert!(!is_foreign("OPENAI_API_KEY", "localhost"));
    }
}

//! What a served New Relic says of itself at its start and at its end.

use std::fmt::Write as _;
use std::net::SocketAddr;

use serde_json::json;

use crate::cli::ReportFormat;
use crate::newrelic::KeyKind;
use crate::sim::newrelic::serve::{Accounts, Replayed, Summary};

/// A service that listens.
pub struct Started<'a> {
    /// New Relic's APIs and the page.
    pub address: SocketAddr,
    /// The admin API.
    pub admin: SocketAddr,
    /// Its customers.
    pub accounts: &'a Accounts,
    /// Its seed.
    pub seed: u64,
    /// Virtual seconds per real second.
    pub speed: f64,
    /// What the journal gave, if there is one.
    pub replayed: Option<Replayed>,
    /// How this is printed.
    pub format: ReportFormat,
}

/// What to print before the first request is taken.
pub fn started(started: &Started<'_>) -> String {
    match started.format {
        ReportFormat::Json => started_json(started),
        ReportFormat::Text => started_text(started),
    }
}

fn started_json(started: &Started<'_>) -> String {
    let Started { address, admin, accounts, seed, speed, replayed, .. } = started;
    let rows = accounts.accounts.iter().map(|account| {
        let keys = account.keys.iter().filter(|_| accounts.is_default);
        let of = |kind: KeyKind| {
            keys.clone().find(|key| key.kind() == kind).map(|key| key.expose().to_owned())
        };
        json!({
            "id": account.id,
            "name": account.name,
            "license_key": of(KeyKind::Ingest),
            "user_key": of(KeyKind::User),
        })
    });
    let line = json!({
        "newrelic": format!("http://{address}"),
        "admin": format!("http://{admin}"),
        "accounts": rows.collect::<Vec<_>>(),
        "seed": seed,
        "speed": speed,
        "replayed": replayed,
    });
    format!("{line}\n")
}

fn started_text(started: &Started<'_>) -> String {
    let Started { address, admin, accounts, seed, speed, replayed, .. } = started;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<12}{value}");
    };
    line("New Relic", format!("http://{address}"));
    line("admin", format!("http://{admin}"));
    for account in &accounts.accounts {
        line("account", format!("{}  {}", account.id, account.name));
        for key in account.keys.iter().filter(|_| accounts.is_default) {
            let name = if key.kind() == KeyKind::User { "user key" } else { "license key" };
            line(name, key.expose().to_owned());
        }
    }
    let pace = if *speed == 1.0 { "real time".to_owned() } else { format!("{speed} x") };
    line("seed", format!("{seed}, {pace}"));
    if let Some(Replayed { taken, refused }) = replayed {
        let refused = match refused {
            0 => String::new(),
            n => format!("; {n} are refused now, their accounts or keys are not the same"),
        };
        line("journal", format!("{taken} inputs played back{refused}"));
    }
    for (name, open) in [("page", address), ("admin API", admin)] {
        if !open.ip().is_loopback() {
            line("warning", format!("the {name} on {open} is open to the network"));
        }
    }
    text
}

/// What to print at the end.
pub fn stopped(summary: &Summary, format: ReportFormat) -> String {
    if format == ReportFormat::Json {
        return format!("{}\n", json!({ "summary": summary }));
    }
    let statuses: Vec<String> =
        summary.requests.iter().map(|(status, count)| format!("{status} {count}")).collect();
    let statuses = if statuses.is_empty() { "none".to_owned() } else { statuses.join(", ") };
    let counted =
        |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let kept = summary.inputs_kept.map(|n| format!("; {} in the journal", counted(n, "new input")));
    format!(
        "stopped after {} s: requests {statuses}; {} and {} stored, {} rejected{}\n",
        summary.virtual_seconds,
        counted(summary.events_stored, "event"),
        counted(summary.points_stored, "point"),
        summary.rejected,
        kept.unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[[account]]\nid = 7\nname = \"Shop\"\n\
        license_keys = [\"0123456789abcdef0123456789abcdef0123NRAL\"]\n";

    #[test]
    fn only_keys_that_everybody_knows_are_printed() {
        let own = Accounts::parse("a.toml", FILE).expect("valid");
        for (accounts, shown) in [(&Accounts::default(), true), (&own, false)] {
            for format in [ReportFormat::Text, ReportFormat::Json] {
                let text = started(&Started {
                    address: ([0, 0, 0, 0], 3000).into(),
                    admin: ([127, 0, 0, 1], 3001).into(),
                    accounts,
                    seed: 1,
                    speed: 60.0,
                    replayed: Some(Replayed { taken: 3, refused: 1 }),
                    format,
                });
                assert_eq!(text.contains("NRAL"), shown, "{text}");
                assert_eq!(text.contains("NRAK-"), shown, "{text}");
                assert!(text.contains("http://0.0.0.0:3000") && text.contains("60"), "{text}");
                let json = format == ReportFormat::Json;
                assert_eq!(text.lines().count() == 1, json, "{text}");
                assert!(json || text.contains("the page on 0.0.0.0:3000 is open"), "{text}");
                assert!(json || !text.contains("admin API on"), "{text}");
            }
        }
    }
}

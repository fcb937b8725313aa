//! What the simulation leaves out, as the heads of its modules say it.
//!
//! Invariant: nothing is written twice: the words are read from the heads, and a head that has lost
//! them fails a test.

use crate::sim::run::Network;

/// A part of the world and the text of the module that simulates it.
type Part = (&'static str, &'static str);

const KERNEL: Part = ("Network and hosts", include_str!("../../kernel/mod.rs"));
const TURMOIL: Part = ("Network and hosts (turmoil)", include_str!("../../turmoil/mod.rs"));
const REST: [Part; 6] = [
    ("Disk", include_str!("../../disk.rs")),
    ("Kafka fleet", include_str!("../../fleet/mod.rs")),
    ("Load", include_str!("../../../workload/mod.rs")),
    ("New Relic", include_str!("../../newrelic/mod.rs")),
    ("Entities", include_str!("../../newrelic/entities/mod.rs")),
    ("Oracle", include_str!("../../oracle/mod.rs")),
];
const HEAD: &str = "Not modelled";

/// Parts of a run's world and what they leave out, in words.
pub fn list(network: Network) -> Vec<(&'static str, String)> {
    let first = match network {
        Network::Kernel => KERNEL,
        Network::Turmoil => TURMOIL,
    };
    let parts = std::iter::once(first).chain(REST);
    parts
        .map(|(name, source)| (name, words(source)))
        .filter(|(_, words)| !words.is_empty())
        .collect()
}

/// The paragraph or list that begins with [`HEAD`], as one text.
fn words(source: &str) -> String {
    let head = source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let plain = |line: &&str| line.trim_matches('*').starts_with(HEAD);
    let told = head.skip_while(|line| !plain(line)).take_while(|line| !line.is_empty());
    let told: Vec<&str> = told.collect();
    let text = told.join(" ");
    let text = text.trim_matches('*').strip_prefix(HEAD).unwrap_or_default();
    let text = text.trim_start_matches(['*', ':', ' ']).trim_start_matches("- ");
    text.replace(['`', '['], "").replace(']', "").replace(" - ", " · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_says_what_it_leaves_out() {
        for network in [Network::Kernel, Network::Turmoil] {
            let list = list(network);
            assert_eq!(list.len(), 1 + REST.len(), "{list:?}");
            for (part, words) in list {
                assert!(words.len() > 20 && !words.contains(HEAD), "{part}: {words}");
            }
        }
        let head =
            "//! Purpose.\n//!\n//! Not modelled: one thing,\n//! another.\n//!\n//! More.\n";
        assert_eq!(words(head), "one thing, another.");
        assert_eq!(words("//! *Not modelled*\n//! - One.\n//! - Two.\n\nuse x;"), "One. · Two.");
        assert_eq!(words("//! Purpose.\n"), "");
    }
}

//! The accounts file: which customers a served New Relic has, and which keys open what.
//!
//! ```toml
//! [[account]]
//! id = 1234567
//! name = "Shop"
//! license_keys = ["0123456789abcdef0123456789abcdef0123NRAL"]
//!
//! [[user]]
//! api_key = "NRAK-0123456789ABCDEFGHIJKLMNOPQ"
//! accounts = [1234567]
//! ```
//!
//! Invariants:
//! - Every problem of the file is reported at once, each at its place, with its fix; no message and
//!   no snippet shows a key.
//! - No key opens two accounts for ingest, and every user key opens an account at least.
//!
//! Not modelled: organizations, user groups, permissions within an account.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::toml_file::{FileProblems, Place, Problem, TomlFile};
use crate::domain::account::AccountId;
use crate::newrelic::{ApiKey, KeyKind};
use crate::sim::newrelic::Account;

/// Number of the account that is there when no file names any.
pub const DEFAULT_ACCOUNT: u64 = 1;
/// Its name.
pub const DEFAULT_NAME: &str = "Shakedown";
/// Its ingest key: known to everybody, it opens nothing but this.
pub const DEFAULT_INGEST_KEY: &str = "5a4edd000000000000000000000000000000NRAL";
/// Its user key: known to everybody, it opens nothing but this.
pub const DEFAULT_USER_KEY: &str = "NRAK-SHAKEDOWN0000000000000LOCAL";

/// Characters of an ingest key.
const INGEST_KEY_CHARS: usize = 40;
/// Characters of a user key, with `NRAK-`.
const USER_KEY_CHARS: usize = 32;

/// A file of accounts and keys.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountsFile {
    /// Customers; one at least.
    #[schemars(length(min = 1, max = 1000))]
    account: Vec<AccountTable>,
    /// Whose keys open NerdGraph.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    user: Vec<UserTable>,
}

/// One customer account.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AccountTable {
    /// Its number, up to ten digits.
    #[schemars(range(min = 1, max = 9_999_999_999_u64))]
    id: u64,
    /// Its name, which entities carry as the tag `account`.
    #[schemars(length(min = 1, max = 255))]
    name: String,
    /// Keys that open ingest: 40 characters that end in NRAL.
    #[serde(default)]
    #[schemars(length(max = 100))]
    license_keys: Vec<String>,
}

/// One user key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UserTable {
    /// `NRAK-` and 27 characters.
    api_key: String,
    /// Numbers of the accounts that it may read.
    #[schemars(length(min = 1, max = 1000))]
    accounts: Vec<u64>,
}

/// Why a text is no key of its kind; never repeats the text.
fn key_fault(text: &str, kind: KeyKind) -> Option<(&'static str, &'static str)> {
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match kind {
        KeyKind::Ingest if text.starts_with("NRAK-") => {
            Some(("this is a user key", "user keys stand under [[user]]; ingest needs …NRAL"))
        }
        KeyKind::Ingest => {
            let shaped = text.len() == INGEST_KEY_CHARS && text.ends_with("NRAL") && is_plain(text);
            let help = "a license key is 40 letters and digits, the last four NRAL";
            (!shaped).then_some(("this is not a license key", help))
        }
        KeyKind::User => {
            let rest = text.strip_prefix("NRAK-");
            let shaped = text.len() == USER_KEY_CHARS && rest.is_some_and(is_plain);
            let help = "a user key is NRAK- and 27 letters and digits";
            (!shaped).then_some(("this is not a user key", help))
        }
    }
}

/// Who may do what: the customers, and the user key that the page acts with.
#[derive(Debug, Clone)]
pub struct Accounts {
    /// Customers, in the order of the file; user keys among the keys of each that they open.
    pub accounts: Vec<Account>,
    /// The first user key, if there is one: the page reads with it.
    pub page_key: Option<ApiKey>,
    /// Whether these are the default account and keys, which may be printed.
    pub is_default: bool,
}

impl Default for Accounts {
    fn default() -> Self {
        // A unit test makes exactly these; without them there would be no account at all.
        let keys = [DEFAULT_INGEST_KEY, DEFAULT_USER_KEY].map(ApiKey::new);
        let keys: Vec<ApiKey> = keys.into_iter().filter_map(Result::ok).collect();
        let accounts = AccountId::try_from(DEFAULT_ACCOUNT).map(|id| Account {
            id,
            name: DEFAULT_NAME.to_owned(),
            keys: keys.clone(),
        });
        let page_key = keys.into_iter().find(|key| key.kind() == KeyKind::User);
        Self { accounts: accounts.into_iter().collect(), page_key, is_default: true }
    }
}

impl Accounts {
    /// Reads `text`, which came from the file `name`.
    ///
    /// # Errors
    /// Every problem of the file.
    pub fn parse(name: &str, text: &str) -> Result<Self, FileProblems> {
        let file = TomlFile::parse("accounts", name, text)?;
        let table: AccountsFile = file.read()?;
        let mut reader = Reader { file: &file, problems: Vec::new() };
        let accounts = reader.accounts(&table);
        let accounts = reader.users(&table, accounts);
        file.require(reader.problems)?;
        let page_key = table.user.first().and_then(|user| ApiKey::new(&user.api_key).ok());
        Ok(Self { accounts, page_key, is_default: false })
    }

    /// Every account number.
    pub fn ids(&self) -> Vec<AccountId> {
        self.accounts.iter().map(|account| account.id).collect()
    }

    /// Whether `presented` is a user key of some account.
    pub fn admits_user(&self, presented: &str) -> bool {
        let mut keys = self.accounts.iter().flat_map(|account| &account.keys);
        keys.any(|key| key.kind() == KeyKind::User && key.expose() == presented)
    }

    /// Accounts that `user` may read.
    pub fn readable_by(&self, user: &ApiKey) -> Vec<AccountId> {
        let opens = |account: &&Account| account.keys.iter().any(|k| k.expose() == user.expose());
        self.accounts.iter().filter(opens).map(|account| account.id).collect()
    }
}

struct Reader<'f> {
    file: &'f TomlFile,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn report(
        &mut self,
        rule: &'static str,
        place: &Place,
        message: impl Into<String>,
        help: &str,
    ) {
        self.problems.push(self.file.problem(rule, place, message, help));
    }

    fn key(&mut self, text: &str, kind: KeyKind, place: &Place) -> Option<ApiKey> {
        if let Some((message, help)) = key_fault(text, kind) {
            self.report("invalid_key", place, message, help);
            return None;
        }
        ApiKey::new(text).ok()
    }

    fn accounts(&mut self, table: &AccountsFile) -> Vec<Account> {
        let mut accounts: Vec<Account> = Vec::new();
        let mut owners: BTreeMap<&str, u64> = BTreeMap::new();
        for (index, account) in table.account.iter().enumerate() {
            let place = Place::root().key("account").at(index);
            let Ok(id) = AccountId::try_from(account.id) else {
                let help = "one to ten digits";
                self.report("out_of_range", &place.key("id"), "no account has this number", help);
                continue;
            };
            if accounts.iter().any(|known| known.id == id) {
                let message = format!("account {id} is there twice");
                self.report("duplicate", &place.key("id"), message, "give each one its own number");
            }
            let mut keys = Vec::new();
            for (at, text) in account.license_keys.iter().enumerate() {
                let place = place.key("license_keys").at(at);
                if let Some(owner) = owners.insert(text, account.id) {
                    let message = format!("this key is one of account {owner} already");
                    self.report("duplicate", &place, message, "a key opens one account for ingest");
                }
                keys.extend(self.key(text, KeyKind::Ingest, &place));
            }
            accounts.push(Account { id, name: account.name.clone(), keys });
        }
        accounts
    }

    fn users(&mut self, table: &AccountsFile, mut accounts: Vec<Account>) -> Vec<Account> {
        let mut seen = BTreeSet::new();
        for (index, user) in table.user.iter().enumerate() {
            let place = Place::root().key("user").at(index);
            if !seen.insert(&user.api_key) {
                let help = "list all its accounts in one [[user]]";
                self.report("duplicate", &place.key("api_key"), "this key is there twice", help);
            }
            let key = self.key(&user.api_key, KeyKind::User, &place.key("api_key"));
            let mut opened = BTreeSet::new();
            for (at, id) in user.accounts.iter().enumerate() {
                let place = place.key("accounts").at(at);
                if !opened.insert(*id) {
                    let message = format!("account {id} is there twice");
                    self.report("duplicate", &place, message, "once is enough");
                }
                match accounts.iter_mut().find(|account| account.id.get() == *id) {
                    Some(account) => account.keys.extend(key.clone()),
                    None => {
                        let known: Vec<String> =
                            table.account.iter().map(|account| account.id.to_string()).collect();
                        let message = format!("there is no account {id}");
                        let help = format!("accounts are {}", known.join(", "));
                        self.report("unknown_account", &place, message, &help);
                    }
                }
            }
        }
        accounts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef0123NRAL";
    const USER: &str = "NRAK-0123456789ABCDEFGHIJKLMNOPQ";

    fn account(id: u64, keys: &str) -> String {
        format!("[[account]]\nid = {id}\nname = \"Shop\"\nlicense_keys = [{keys}]\n")
    }

    #[test]
    fn the_default_is_one_account_with_both_keys() {
        let accounts = Accounts::default();
        assert_eq!(accounts.ids().iter().map(|id| id.get()).collect::<Vec<_>>(), [1]);
        assert_eq!(accounts.accounts[0].keys.len(), 2);
        assert!(accounts.is_default && accounts.admits_user(DEFAULT_USER_KEY));
        assert!(!accounts.admits_user(DEFAULT_INGEST_KEY));
        assert_eq!(key_fault(DEFAULT_INGEST_KEY, KeyKind::Ingest), None);
        assert_eq!(key_fault(DEFAULT_USER_KEY, KeyKind::User), None);
    }

    #[test]
    fn user_keys_open_the_accounts_that_they_list() {
        let text = format!(
            "{}{}{}[[user]]\napi_key = \"{USER}\"\naccounts = [2, 3]\n",
            account(1, &format!("\"{KEY}\"")),
            account(2, ""),
            account(3, ""),
        );
        let accounts = Accounts::parse("a.toml", &text).expect("valid");
        let user = accounts.page_key.clone().expect("the first user key");
        let readable: Vec<u64> = accounts.readable_by(&user).iter().map(|id| id.get()).collect();
        assert_eq!(readable, [2, 3]);
        assert!(!accounts.is_default && accounts.admits_user(USER));
        assert!(!accounts.admits_user(KEY) && !accounts.admits_user(""));
        assert_eq!(accounts.accounts[0].keys.len(), 1);
    }

    #[test]
    fn problems_name_their_place_and_their_fix() {
        let check = |text: &str, places: &[&str]| {
            let problems = Accounts::parse("a.toml", text).expect_err(text);
            let shown = problems.render(false);
            for place in places {
                assert!(shown.contains(place), "`{place}` is not in\n{shown}");
            }
            for secret in [KEY, USER] {
                assert!(!shown.contains(secret), "{shown}");
                assert!(!problems.to_string().contains(secret), "{problems}");
            }
        };
        let key = format!("\"{KEY}\"");
        let user =
            |accounts: &str| format!("[[user]]\napi_key = \"{USER}\"\naccounts = [{accounts}]\n");
        check("", &["a.toml:1", "account"]);
        check("[[account]]\nid = 0\nname = \"x\"\n", &["a.toml:2:6", "1 to 9999999999"]);
        check("[[account]]\nid = 1\nnmae = \"x\"\n", &["a.toml:3:1", "name"]);
        check(&account(1, "\"short\""), &["a.toml:4:17", "not a license key", "40 letters"]);
        check(&account(1, &format!("\"{USER}\"")), &["user key", "under [[user]]"]);
        let twice = format!("{}{}", account(1, &key), account(2, &key));
        check(&twice, &["a.toml:8", "one of account 1 already"]);
        let twice = format!("{}{}", account(1, ""), account(1, ""));
        check(&twice, &["a.toml:6", "account 1 is there twice"]);
        let unknown = format!("{}{}", account(1, ""), user("2, 1, 1"));
        check(&unknown, &["there is no account 2", "accounts are 1", "is there twice", "a.toml:7"]);
        check(&format!("{}{}", account(1, ""), user("")), &["accounts"]);
        let short = format!("{}[[user]]\napi_key = \"NRAK-1\"\naccounts = [1]\n", account(1, ""));
        check(&short, &["a.toml:6", "not a user key", "27 letters"]);
        let twice = format!("{}{}{}", account(1, ""), user("1"), user("1"));
        check(&twice, &["a.toml:9", "this key is there twice"]);
    }
}

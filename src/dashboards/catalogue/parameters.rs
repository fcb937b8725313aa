//! What users decide about a template.

use std::str::FromStr;

use crate::dashboards::NAME_CHARS_MAX;
use crate::dashboards::draft::Settings;
use crate::dashboards::layout::{Grid, Mode};
use crate::dashboards::model::Account;
use crate::dashboards::query::Scope;
use crate::domain::account::AccountId;

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in `--set name=value`.
    pub name: &'static str,
    /// Its value without that.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

const fn parameter(name: &'static str, default: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, default, meaning }
}

/// All parameters; every template takes all of them.
pub const PARAMETERS: &[Parameter] = &[
    parameter("name", "", "the dashboard's name; without it the template's title"),
    parameter("account", "0", "account id of every query; 0 is filled in by whoever sends it"),
    parameter("cluster", "", "shows this cluster alone"),
    parameter("environment", "", "shows this environment alone"),
    parameter("filters", "cluster", "variables: any of cluster, environment, provider, or none"),
    parameter("mode", "balanced", "room of widgets: compact, balanced or detailed"),
    parameter("columns", "12", "12, or 4 for small screens"),
    parameter("lag_warning", "10000", "messages of lag that are a warning"),
    parameter("lag_critical", "100000", "messages of lag that are critical"),
    parameter("currency", "USD", "what prices are in"),
    parameter("price_broker_hour", "0.21", "one broker for an hour"),
    parameter("price_storage_gib_month", "0.10", "one GiB on disk for 730 hours"),
    parameter("price_in_gib", "0.00", "one GiB that producers write"),
    parameter("price_out_gib", "0.05", "one GiB that consumers read"),
];

/// What things cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    /// What prices are in.
    pub currency: String,
    /// One broker for an hour.
    pub broker_hour: f64,
    /// One GiB on disk for a month of 730 hours.
    pub storage_gib_month: f64,
    /// One GiB that producers write.
    pub in_gib: f64,
    /// One GiB that consumers read.
    pub out_gib: f64,
}

/// Values of all parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    name: Option<String>,
    account: Account,
    cluster: Option<String>,
    environment: Option<String>,
    filters: Vec<(&'static str, &'static str)>,
    mode: Mode,
    grid: Grid,
    /// Messages of lag that are a warning.
    pub lag_warning: f64,
    /// Messages of lag that are critical.
    pub lag_critical: f64,
    /// What things cost.
    pub prices: Prices,
}

/// A parameter that cannot be set so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// There is none of this name.
    #[error("there is no parameter `{0}`")]
    Unknown(String),
    /// Another value is needed.
    #[error("`{name}` cannot be `{value}`: {help}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// What was given.
        value: String,
        /// What to write.
        help: &'static str,
    },
}

const FILTERS: [(&str, &str); 3] =
    [("clusterName", "cluster"), ("environment", "environment"), ("provider", "provider")];

impl Default for Parameters {
    fn default() -> Self {
        Self {
            name: None,
            account: Account::Placeholder,
            cluster: None,
            environment: None,
            filters: vec![FILTERS[0]],
            mode: Mode::default(),
            grid: Grid::default(),
            lag_warning: 10_000.0,
            lag_critical: 100_000.0,
            prices: Prices {
                currency: "USD".to_owned(),
                broker_hour: 0.21,
                storage_gib_month: 0.10,
                in_gib: 0.0,
                out_gib: 0.05,
            },
        }
    }
}

impl Parameters {
    /// Sets the parameter `name` to `value`.
    ///
    /// # Errors
    /// [`ParameterError`]
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ParameterError> {
        let known = PARAMETERS.iter().find(|known| known.name == name);
        let Some(&Parameter { name, .. }) = known else {
            return Err(ParameterError::Unknown(name.to_owned()));
        };
        let wrong = |help| ParameterError::Value { name, value: value.to_owned(), help };
        let price = || {
            let number = f64::from_str(value).ok();
            number.filter(|n| n.is_finite() && *n >= 0.0).ok_or_else(|| wrong("write 0 or more"))
        };
        match name {
            "name" if value.chars().count() > NAME_CHARS_MAX => {
                return Err(wrong("write 255 characters at most"));
            }
            "name" => self.name = Some(value.to_owned()).filter(|text| !text.is_empty()),
            "account" if value == "0" => self.account = Account::Placeholder,
            "account" => {
                let id = AccountId::from_str(value);
                let id = id.map_err(|_| wrong("write one to ten digits, or 0"))?;
                self.account = Account::Id(id);
            }
            "cluster" => self.cluster = Some(value.to_owned()).filter(|text| !text.is_empty()),
            "environment" => {
                self.environment = Some(value.to_owned()).filter(|text| !text.is_empty());
            }
            "filters" => {
                self.filters = filters(value).ok_or_else(|| {
                    wrong("write cluster, environment, provider with commas between, or none")
                })?
            }
            "mode" => {
                let mode = Mode::ALL.into_iter().find(|mode| mode.as_str() == value);
                self.mode = mode.ok_or_else(|| wrong("write compact, balanced or detailed"))?;
            }
            "columns" => {
                self.grid = match value {
                    "12" => Grid::Wide,
                    "4" => Grid::Narrow,
                    _ => return Err(wrong("write 12 or 4")),
                }
            }
            "lag_warning" => self.lag_warning = price()?,
            "lag_critical" => self.lag_critical = price()?,
            "currency" => self.prices.currency = value.to_owned(),
            "price_broker_hour" => self.prices.broker_hour = price()?,
            "price_storage_gib_month" => self.prices.storage_gib_month = price()?,
            "price_in_gib" => self.prices.in_gib = price()?,
            _ => self.prices.out_gib = price()?,
        }
        Ok(())
    }

    /// Lets queries read `account`, unless another one was set.
    pub fn read_from(&mut self, account: AccountId) {
        if self.account == Account::Placeholder {
            self.account = Account::Id(account);
        }
    }

    /// The dashboard's name, if it is not the template's title.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What is true of every widget. What is fixed needs no variable.
    pub(super) fn settings(&self) -> Settings {
        let fixed: Vec<(&'static str, String)> =
            [("clusterName", &self.cluster), ("environment", &self.environment)]
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.clone()?)))
                .collect();
        let free = |(attribute, _): &&(&str, &str)| fixed.iter().all(|(name, _)| name != attribute);
        let variables = self.filters.iter().filter(free).copied().collect();
        let scope = Scope { variables, fixed };
        Settings { account: self.account, scope, mode: self.mode, grid: self.grid }
    }
}

fn filters(value: &str) -> Option<Vec<(&'static str, &'static str)>> {
    if value == "none" || value.is_empty() {
        return Some(Vec::new());
    }
    let find = |word: &str| FILTERS.into_iter().find(|(_, name)| *name == word.trim());
    let mut found: Vec<_> = value.split(',').map(find).collect::<Option<_>>()?;
    found.sort_unstable();
    found.dedup();
    Some(found)
}

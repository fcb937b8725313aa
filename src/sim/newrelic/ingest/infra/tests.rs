//! Integrations through the agent to New Relic.

//! Message-queue products.

use std::fmt;
use std::str::FromStr;

/// Whose broker it is; part of every entity's identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// Apache Kafka.
    Kafka,
    /// RabbitMQ.
    RabbitMq,
    /// Amazon SQS.
    Sqs,
    /// Any other product, by its lower-case name.
    Other(String),
}

/// A text that names no provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a provider's name is not empty (for example `kafka`)")]
pub struct EmptyProvider;

impl Provider {
    /// The name in events and in GUIDs: lower case.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Kafka => "kafka",
            Self::RabbitMq => "rabbitmq",
            Self::Sqs => "sqs",
            Self::Other(name) => name,
        }
    }
}

impl FromStr for Provider {
    type Err = EmptyProvider;

    /// Case does not matter; `KafkaBroker` and the like are not providers but sample kinds.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.trim().to_lowercase();
        match name.as_str() {
            "" => Err(EmptyProvider),
            "kafka" => Ok(Self::Kafka),
            "rabbitmq" => Ok(Self::RabbitMq),
            "sqs" => Ok(Self::Sqs),
            _ => Ok(Self::Other(name)),
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let cases = [
            ("kafka", Ok("kafka")),
            ("Kafka", Ok("kafka")),
            (" RabbitMQ ", Ok("rabbitmq")),
            ("SQS", Ok("sqs")),
            ("ActiveMQ", Ok("activemq")),
            ("", Err(EmptyProvider)),
            ("  ", Err(EmptyProvider)),
        ];
        for (text, expected) in cases {
            let got = text.parse::<Provider>();
            let again = got.clone().map(|p| p.as_str().parse::<Provider>());
            assert_eq!(got.as_ref().map(Provider::as_str), expected.as_ref().copied(), "{text:?}");
            if let Ok(again) = again {
                assert_eq!(again, got, "the printed name parses back");
            }
        }
    }
}

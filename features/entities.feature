Feature: Entity synthesis
  Whatever a fleet has becomes an entity of New Relic: seen once, under one GUID, for as long as it
  is told of.

  Background:
    Given a Kafka cluster "orders" with 3 brokers, 2 topics and 1 consumer groups

  Rule: Every object of a fleet becomes an entity

    Scenario Outline: A <kind> becomes an entity
      When the simulation runs for 2min
      Then New Relic holds <entity>
      And <entity> has the attribute "<attribute>"
      And every check passes

      Examples:
        | kind           | entity                                 | attribute                            |
        | cluster        | cluster "orders"                       | cluster.health.score                 |
        | broker         | broker "2" of "orders"                 | broker.cpu.usage                     |
        | topic          | topic "orders.created" of "orders"     | topic.throughput.in.messagesPerSecond |
        | consumer group | group "orders-consumers-0" of "orders" | consumerGroup.lag.total                      |

    Scenario: Nothing is counted twice, nothing is left out
      When the simulation runs for 2min
      Then New Relic holds 7 entities of "orders"

    Scenario: What is not there has no entity
      When the simulation runs for 2min
      Then New Relic does not hold broker "4" of "orders"
      And New Relic does not hold topic "refunds" of "orders"

  Rule: Clusters do not mix

    Scenario: Two clusters, each with its own brokers and topics
      Given a Kafka cluster "billing" with 1 broker, 3 topics and 2 consumer groups
      When the simulation runs for 2min
      Then New Relic holds 7 entities of "orders"
      And New Relic holds 7 entities of "billing"
      And New Relic does not hold broker "2" of "billing"
      And every check passes

  Rule: An entity appears when its object does

    Scenario: A cluster grows by a broker and two topics
      Given 1 broker with 2 topics joins "orders" after 1min
      When the simulation runs for 6min
      Then New Relic holds broker "4" of "orders"
      And New Relic holds 10 entities of "orders"
      And every check passes

    Scenario: New Relic makes entities slowly
      Given entities become visible after 10s at the earliest
      And entities become visible after 30s at the latest
      When the simulation runs for 4min
      Then an entity is visible within the limit after its first event was taken
      And entities are visible within 60s

  Rule: An entity outlives a trouble of its object

    Scenario: A broker is away and is the same one when it returns
      When broker 2 of "orders" is down from 1min for 1min
      And the simulation runs for 5min
      Then New Relic holds broker "2" of "orders"
      And New Relic holds 7 entities of "orders"
      And every check passes

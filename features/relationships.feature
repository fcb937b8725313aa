Feature: Relationships
  Clusters manage their brokers and contain their topics and groups; groups consume from topics.
  Each relationship is told once, in its canonical direction, so that New Relic's rules can build it.

  Background:
    Given a Kafka cluster "orders" with 3 brokers, 2 topics and 1 consumer groups

  Rule: What belongs to a cluster is related to it

    Scenario: Brokers, topics and groups of one cluster
      When the simulation runs for 4min
      Then cluster "orders" MANAGES broker "1" of "orders"
      And cluster "orders" MANAGES broker "3" of "orders"
      And cluster "orders" CONTAINS topic "orders.created" of "orders"
      And cluster "orders" CONTAINS group "orders-consumers-0" of "orders"
      And every check passes

    Scenario: A relationship has one direction, and its inverse follows
      When the simulation runs for 4min
      Then cluster "orders" MANAGES broker "1" of "orders"
      And broker "1" of "orders" does not MANAGED_BY cluster "orders"
      And cluster "orders" does not CONTAINS broker "1" of "orders"

  Rule: Consumers are related to what they read

    Scenario: A group and its topic
      When the simulation runs for 4min
      Then group "orders-consumers-0" of "orders" CONSUMES_FROM topic "orders.created" of "orders"
      And every check passes

  Rule: Clusters do not mix

    Scenario: Two clusters with topics of the same names
      Given a Kafka cluster "billing" with 3 brokers, 2 topics and 1 consumer groups
      When the simulation runs for 4min
      Then cluster "billing" CONTAINS topic "orders.created" of "billing"
      And cluster "billing" does not CONTAINS topic "orders.created" of "orders"
      And group "orders-consumers-0" of "billing" does not CONSUMES_FROM topic "orders.created" of "orders"
      And every check passes

  Rule: A stand-in is related like what it stands for

    Scenario: A topic that is missing
      Given the topology asks for everything that the clusters have
      And the topology also asks for topic "refunds" of "orders"
      And a silence of 1min is no gap yet
      When the simulation runs for 5min
      Then cluster "orders" CONTAINS topic "refunds" of "orders"
      And every check passes

Feature: Gap detection
  What an estate should have is written down once. The pipeline tells how what it sees differs, and
  puts marked stand-ins where something is missing.

  Background:
    Given a Kafka cluster "orders" with 3 brokers, 4 topics and 3 consumer groups
    And the topology asks for everything that the clusters have
    And a silence of 90s is no gap yet

  Rule: What is desired and never seen is told as missing, and gets a stand-in

    Scenario: A topic that nobody created
      Given the topology also asks for topic "refunds" of "orders"
      When the simulation runs for 5min
      Then topic "refunds" of "orders" is told as "missing"
      And topic "refunds" of "orders" has a stand-in
      And no gap is told of topic "orders.created" of "orders"
      And every check passes

    Scenario: A consumer group that was never started
      Given the topology also asks for group "fraud-detection" of "orders"
      When the simulation runs for 5min
      Then group "fraud-detection" of "orders" is told as "missing"
      And group "fraud-detection" of "orders" has a stand-in
      And every check passes

    Scenario: Coverage counts what is there, and no stand-in
      Given the topology also asks for topic "refunds" of "orders"
      When the simulation runs for 5min
      Then coverage is 91.7 %

  Rule: A restart within the tolerance is no gap

    Scenario: A broker restarts in half a minute
      When broker 2 of "orders" is down from 1min for 30s
      And the simulation runs for 5min
      Then no gap was ever told of broker "2" of "orders"
      And broker "2" of "orders" never had a stand-in
      And coverage is 100 %
      And every check passes

  Rule: What falls silent for longer is told as stale, and its stand-in gives way at once

    Scenario: A broker stays away and returns
      When broker 3 of "orders" is down from 2min for 5min
      And the simulation runs for 10min
      Then broker "3" of "orders" had a stand-in
      And broker "3" of "orders" has no stand-in
      And broker "3" of "orders" and its stand-in are one entity
      And no cycle tells of broker "3" of "orders" twice
      And no gap is told of broker "3" of "orders"
      And every check passes

    Scenario: The whole fleet is cut off
      When the pipeline cannot reach broker 1 of "orders" from 2min for 5min
      And the pipeline cannot reach broker 2 of "orders" from 2min for 5min
      And the pipeline cannot reach broker 3 of "orders" from 2min for 5min
      And the simulation runs for 10min
      Then cluster "orders" had a stand-in
      And topic "orders.created" of "orders" had a stand-in
      And cluster "orders" has no stand-in
      And the "topic.throughput.in.messagesPerSecond" of topic "orders.created" of "orders" makes no step of more than 15 % where a stand-in begins or ends
      And coverage is 100 %
      And every check passes

  Rule: What is there otherwise than desired is told, and never filled

    Scenario: A topic with too few partitions
      Given the topology asks for 12 partitions of topic "orders.created" of "orders"
      When the simulation runs for 5min
      Then topic "orders.created" of "orders" is told as "mismatch"
      And topic "orders.created" of "orders" never had a stand-in
      And every check passes

    Scenario: A broker and a topic that nobody asked for
      Given 1 broker with 1 topics joins "orders" after 1min
      When the simulation runs for 6min
      Then broker "4" of "orders" is told as "unexpected"
      And broker "4" of "orders" never had a stand-in
      And every check passes

  Rule: Limits on stand-ins hold

    Scenario: More gaps than stand-ins allowed
      Given the topology also asks for topic "refunds" of "orders"
      And the topology also asks for topic "audit" of "orders"
      And at most 1 stand-ins are allowed
      When the simulation runs for 5min
      Then topic "audit" of "orders" has a stand-in
      And topic "refunds" of "orders" is told as "missing"
      And every check passes

  Rule: The mode can be changed while the pipeline runs

    Scenario: From infrastructure by way of simulation to hybrid
      Given the pipeline begins in infrastructure mode
      When the mode becomes simulation after 2min
      And the mode becomes hybrid after 4min
      And the simulation runs for 7min
      Then broker "1" of "orders" had a stand-in
      And broker "1" of "orders" has no stand-in
      And no cycle tells of broker "1" of "orders" twice
      And every check passes

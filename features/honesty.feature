Feature: Honesty
  The pipeline tells what it saw. What it could not see it reports as not seen; it guesses nothing
  and repeats nothing old.

  Background:
    Given a Kafka cluster "orders" with 3 brokers, 2 topics and 1 consumer groups

  Rule: Every figure is what the fleet did

    Scenario: A quiet fleet
      When the simulation runs for 5min
      Then every stored figure equals what the fleet did
      And the cluster's health score and confidence equal the oracle's

    Scenario: Ten times the traffic for two minutes
      Given producers of "orders" send 10 times as much from 2min for 2min
      When the simulation runs for 7min
      Then every stored figure equals what the fleet did
      And every check passes

    Scenario: A slow network
      Given every link takes 80ms each way
      And deliveries take up to 20ms more
      When the simulation runs for 4min
      Then every check passes

  Rule: What could not be seen is told as such

    Scenario: A broker cannot be reached
      When the pipeline cannot reach broker 3 of "orders" from 1min for 2min
      And the simulation runs for 6min
      Then a cycle reports every part of a cluster that it could not observe, and no other
      And every check passes

    Scenario: Brokers without an exporter
      Given the brokers of "orders" expose no JMX figures
      When the simulation runs for 4min
      Then New Relic holds broker "1" of "orders"
      And the query "SELECT count(broker.cpu.usage) FROM MessageQueue SINCE 1 day ago" gives 0
      And every check passes

    Scenario: Answers that break off
      When every answer of broker 2 of "orders" breaks off in the middle of the frame, from 1min to 2min
      And the simulation runs for 6min
      Then a cycle reports every part of a cluster that it could not observe, and no other
      And every check passes

    Scenario: A broker that tells of yesterday
      When broker 2 of "orders" describes the cluster as it was, from 1min to 3min
      And the simulation runs for 7min
      Then every check passes

  Rule: Health follows from the figures

    Scenario: A broker falls behind
      When the replicas on broker 2 of "orders" fall behind, from 2min to 4min
      And the simulation runs for 8min
      Then the query "SELECT max(cluster.partitions.underReplicated) FROM MessageQueue SINCE 1 day ago" gives at least 1
      And every check passes

    Scenario: Consumers stop
      When consumer group "orders-consumers-0" of "orders" stops consuming, from 1min to 4min
      And the simulation runs for 8min
      Then the query "SELECT max(consumerGroup.lag.total) FROM MessageQueue SINCE 1 day ago" gives at least 100
      And every check passes

    Scenario: A clock that jumps
      When the pipeline's clock jumps ahead by 60000 ms, from 2min to 3min
      And the simulation runs for 7min
      Then every check passes

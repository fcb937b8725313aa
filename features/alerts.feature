Feature: Alerts
  Conditions of New Relic judge what the pipeline sends. What is wrong for long enough opens an
  incident, what is right again for as long closes it, and a short trouble wakes nobody.

  Background:
    Given a Kafka cluster "orders" with 3 brokers, 2 topics and 1 consumer groups
    And New Relic watches the built-in alert conditions
    And alert conditions wait 30s for late data
    And rule "cluster-under-replicated" needs bad values for 2min

  Rule: What lasts is told, and so is its end

    Scenario: A broker is lost and returns
      When broker 2 of "orders" is down from 2min for 6min
      And the simulation runs for 18min
      Then rule "cluster-under-replicated" opens an incident of cluster "orders"
      And rule "cluster-offline-partitions" opens no incident of cluster "orders"
      And every check passes

  Rule: What passes soon is not told

    Scenario: A broker restarts
      When broker 2 of "orders" is down from 2min for 30s
      And the simulation runs for 12min
      Then rule "cluster-under-replicated" opens no incident of cluster "orders"
      And no incident of cluster "orders" is open in the end
      And every check passes

Feature: Circuit breakers
  A service that fails is left alone for a while, then tried with few requests, and trusted again
  when those succeed.

  Background:
    Given a Kafka cluster "orders" with 3 brokers, 2 topics and 1 consumer groups

  Rule: Failures in a row open a breaker

    Scenario: New Relic is unreachable
      When New Relic is unreachable from 1min for 2min
      And the simulation runs for 8min
      Then the breaker opens at least 1 time
      And breakers open, half-open and close by their thresholds, and let nothing through open
      And every check passes

    Scenario: A patient breaker
      Given the breaker opens after 5 failures in a row
      And the breaker stays open for 20s
      When New Relic is unreachable from 1min for 3min
      And the simulation runs for 9min
      Then the breaker opens at least 1 time
      And every check passes

  Rule: A single failure opens none

    Scenario: One connection is reset
      When every connection between the pipeline and New Relic is reset after 1min
      And the simulation runs for 5min
      Then breakers open, half-open and close by their thresholds, and let nothing through open
      And at most no events are given up
      And every check passes

  Rule: A breaker closes when probes succeed

    Scenario: New Relic comes back
      Given the breaker closes after 3 successes in a row
      When New Relic answers every request with 503, from 1min to 2min
      And the simulation runs for 7min
      Then sending resumes within 60s
      And every check passes

  Rule: Breakers stand alone

    Scenario: A broker's trouble does not keep New Relic waiting
      When broker 1 of "orders" is down from 1min for 2min
      And the simulation runs for 7min
      Then after a dependency's return the pipeline soon sends again, and its guards come to rest
      And every check passes

Feature: Limits
  Every queue, cache and request has a limit, and what does not fit is counted, never forgotten.

  Background:
    Given a Kafka cluster "orders" with 3 brokers, 2 topics and 1 consumer groups

  Rule: Requests stay small

    Scenario: Few events per request
      Given the pipeline sends up to 10 events per request
      When the simulation runs for 3min
      Then every check passes

    Scenario: New Relic takes small bodies alone
      When New Relic answers every request with 413 if longer than 2KiB, from 1min to 3min
      And the simulation runs for 7min
      Then at most no events are given up
      And every check passes

  Rule: Memory and disk have caps

    Scenario: A small memory during an outage
      Given the pipeline sends up to 32KiB per request
      And the pipeline holds up to 64KiB of events in memory
      When New Relic is unreachable from 1min for 3min
      And the simulation runs for 9min
      Then queues, caches and the spool never hold more than their configured caps
      And every check passes

    Scenario: Without a spool, what does not fit is dropped and counted
      Given the pipeline has no spool
      And the pipeline holds up to 100 events in memory alone
      When New Relic is unreachable from 1min for 3min
      And the simulation runs for 9min
      Then every sample and event is stored, dropped with a reason, or in flight
      And at most 1000 events are given up
      And every check passes

    Scenario: A full disk does not stop the pipeline
      When the pipeline's disk is full, from 1min to 2min
      And the simulation runs for 7min
      Then at most 1000 events are given up
      And every check passes

  Rule: Cycles do not pile up

    Scenario: Brokers that answer late
      Given the pipeline collects every 10s
      When every answer of broker 2 of "orders" takes 3s longer, from 1min to 3min
      And the simulation runs for 7min
      Then cycles start at multiples of the interval, never overlap, and skipped ones count
      And every check passes

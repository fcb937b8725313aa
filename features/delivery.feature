Feature: Delivery
  What was collected reaches New Relic: once it is on the pipeline's disk, no outage, no crash and
  no refusal that will pass loses it.

  Background:
    Given a Kafka cluster "orders" with 3 brokers, 2 topics and 1 consumer groups

  Rule: An outage of New Relic loses nothing

    Scenario: New Relic is unreachable for two minutes
      When New Relic is unreachable from 1min for 2min
      And the simulation runs for 8min
      Then every sample and event is stored, dropped with a reason, or in flight
      And at most no events are given up
      And every check passes

    Scenario Outline: New Relic answers <status> for a minute
      When New Relic answers every request with <status>, from 1min to 2min
      And the simulation runs for 6min
      Then at most no events are given up
      And every check passes

      Examples:
        | status                     |
        | 429 and asks for 20s       |
        | 503                        |
        | 500                        |
        | 408                        |

    Scenario: Every second request is refused
      When New Relic answers 50 % of the requests with 503, from 1min to 3min
      And the simulation runs for 8min
      Then at most no events are given up
      And every check passes

    Scenario: A key that is refused for a while
      When New Relic answers every request with 403, from 1min to 2min
      And the simulation runs for 7min
      Then no event is given up that could be kept, and no more than the scenario allows
      And every check passes

  Rule: A request whose fate is unknown is sent again

    Scenario: Answers are lost
      When New Relic takes 50 % of the requests and drops the connection, from 1min to 2min
      And the simulation runs for 6min
      Then every sample and event is stored, dropped with a reason, or in flight
      And every check passes

    Scenario: Answers cannot be read
      When New Relic answers every request with garbage, from 1min to 90s
      And the simulation runs for 6min
      Then every check passes

  Rule: A crash of the pipeline loses nothing that was on its disk

    Scenario: The process dies while New Relic is away
      When New Relic is unreachable from 1min for 2min
      And the pipeline is down from 2min for 20s
      And the simulation runs for 8min
      Then every sample and event is stored, dropped with a reason, or in flight
      And every check passes

    Scenario: The machine loses power
      When the pipeline loses power, from 90s to 120s
      And the simulation runs for 6min
      Then every check passes

  Rule: New Relic is asked politely

    Scenario: New Relic says when to come again
      When New Relic answers every request with 429 and asks for 45s, from 1min to 2min
      And the simulation runs for 6min
      Then no request is begun while New Relic has asked to be left alone

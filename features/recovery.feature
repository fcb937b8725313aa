Feature: Recovery
  After a trouble everything is soon as it was, without anybody doing anything.

  Background:
    Given a Kafka cluster "orders" with 3 brokers, 2 topics and 1 consumer groups

  Rule: Figures are fresh again soon

    Scenario Outline: After <trouble>
      When <fault>, from 1min to 2min
      And the simulation runs for 6min
      Then no sample is older than 60s in the end
      And every check passes

      Examples:
        | trouble                  | fault                                                                   |
        | a broker's crash         | broker 2 of "orders" crashes                                            |
        | a broker's restart       | broker 1 of "orders" is shut down in order and started again            |
        | a loss of power          | broker 3 of "orders" loses power                                        |
        | a slow broker            | every answer of broker 2 of "orders" takes 2s longer                    |
        | a cut to a broker        | the link between the pipeline and broker 1 of "orders" is cut           |
        | a one-way cut            | nothing that the pipeline sends reaches New Relic                       |
        | a lossy link             | the link between the pipeline and New Relic loses 20 % of its segments  |
        | a cluster without a head | cluster "orders" has no controller                                      |
        | a stopped pipeline       | the pipeline stands still                                               |
        | a name that is not found | the name of New Relic is not found                                      |

  Rule: The pipeline is restarted and goes on

    Scenario: Its process is killed twice
      When the pipeline is down from 1min for 20s
      And the pipeline is down from 3min for 20s
      And the simulation runs for 8min
      Then sending resumes within 60s
      And every check passes

Feature: GUIDs
  An entity's GUID says whose it is and what it is, and follows from the object alone: whoever
  computes it anywhere gets the same one.

  Background:
    Given a Kafka cluster "orders" with 3 brokers, 2 topics and 1 consumer groups
    And the pipeline reports to account 4242

  Rule: A GUID follows from account, type and name

    Scenario Outline: The GUID of a <kind>
      When the simulation runs for 2min
      Then the GUID of <entity> is "<guid>"

      Examples:
        | kind           | entity                                 | guid                                                                       |
        | cluster        | cluster "orders"                       | 4242\|INFRA\|MESSAGE_QUEUE_CLUSTER\|ae555bc9bef2ea3165f8e7fcb3330f89 |
        | broker         | broker "1" of "orders"                 | 4242\|INFRA\|MESSAGE_QUEUE_BROKER\|22b5f04e132cd03191658c163eb634bf |
        | topic          | topic "orders.created" of "orders"     | 4242\|INFRA\|MESSAGE_QUEUE_TOPIC\|258fd9e2f7e1727afb1eb263a368f0f2 |
        | consumer group | group "orders-consumers-0" of "orders" | 4242\|INFRA\|MESSAGE_QUEUE_CONSUMER_GROUP\|bdda5ef50ba1b5c5cd73bccf83fb96ee |

    Scenario: Another account, other GUIDs
      Given the pipeline reports to account 77
      When the simulation runs for 2min
      Then the GUID of cluster "orders" is "77|INFRA|MESSAGE_QUEUE_CLUSTER|ae555bc9bef2ea3165f8e7fcb3330f89"

  Rule: A GUID never changes

    Scenario: The pipeline is killed and starts again
      When the pipeline is down from 2min for 30s
      And the simulation runs for 6min
      Then every GUID has the documented form, names one object, and never changes
      And New Relic holds 7 entities of "orders"
      And every check passes

Feature: Dashboards that show something
  A dashboard is tried over what a simulated fleet makes New Relic store, before anyone deploys it.

  Rule: Every shipped template shows data

    Scenario: The standard template, and the one for operations
      Given a fleet in which everything goes wrong once
      When the simulation runs for 24min
      Then every widget of template "standard" shows data
      And every widget of template "operations" shows data
      And every widget of template "pipeline-health" shows data
      And every widget of template "gap-visibility" shows data

  Rule: What would show nothing is told with its reason

    Background:
      Given a Kafka cluster "orders" with 3 brokers, 2 topics and 1 consumer groups

    Scenario: A widget that is right
      Given a dashboard whose widget asks "SELECT average(broker.cpu.usage) FROM MessageQueue SINCE 30 minutes ago"
      When the simulation runs for 3min
      Then its widget shows data

    Scenario: An attribute that nothing emits
      Given a dashboard whose widget asks "SELECT average(broker.cpu.usge) FROM MessageQueue SINCE 30 minutes ago"
      When the simulation runs for 3min
      Then its widget shows nothing, because "broker.cpu.usge is never present"

    Scenario: A condition that removes all rows
      Given a dashboard whose widget asks "SELECT average(broker.cpu.usage) FROM MessageQueue WHERE entityType = 'BROKER' SINCE 30 minutes ago"
      When the simulation runs for 3min
      Then its widget shows nothing, because "no row fulfils entityType = 'BROKER'"

    Scenario: An event type that nobody sends
      Given a dashboard whose widget asks "SELECT count(*) FROM KafkaBrokerSample SINCE 30 minutes ago"
      When the simulation runs for 3min
      Then its widget shows nothing, because "no event of type KafkaBrokerSample is stored"

  Rule: What would show a wrong number is refused

    Scenario: A sum of per-second rates over many samples
      Given a dashboard whose widget asks "SELECT sum(broker.cpu.usage) FROM MessageQueue SINCE 30 minutes ago"
      Then it is refused, because "sum"

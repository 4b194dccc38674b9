Feature: Several nodes announce a service
  The router has one path to the service from each node that announces it, and spreads connections over them. Which nodes
  do is up to the externalTrafficPolicy of the service.

  @task-cluster
  Scenario: With the policy Cluster every node announces, though one alone runs the pod
    When "everywhere.yaml" is applied
    Then these deployments in namespace "default" are rolled out within 2 minutes:
      | deployment |
      | everywhere |
    And router "clab-ecmp-tor" has exactly these paths within 30 seconds:
      | prefix       | next hop  | AS path |
      | 10.67.0.0/32 | 10.64.1.2 | 64600   |
      | 10.67.0.0/32 | 10.64.2.2 | 64600   |
      | 10.67.0.0/32 | 10.64.3.2 | 64600   |
    And service "default/everywhere" answers "clab-ecmp-client" with "hello from everywhere-" over IPv4 at "/" 12 times in a row within 30 seconds

  @task-local
  Scenario: With the policy Local only nodes with a pod announce
    When "local.yaml" is applied
    Then these deployments in namespace "default" are rolled out within 2 minutes:
      | deployment |
      | local      |
    And router "clab-ecmp-tor" has exactly these paths within 30 seconds:
      | prefix       | next hop  | AS path |
      | 10.67.0.1/32 | 10.64.2.2 | 64600   |
      | 10.67.0.1/32 | 10.64.3.2 | 64600   |
    And service "default/local" answers "clab-ecmp-client" with "hello from local-" over IPv4 at "/" 12 times in a row within 30 seconds

  @task-lost
  Scenario: The router forgets a node that is lost
    When node "ecmp-worker2" is lost
    Then router "clab-ecmp-tor" has exactly these paths within 30 seconds:
      | prefix       | next hop  | AS path |
      | 10.67.0.0/32 | 10.64.1.2 | 64600   |
      | 10.67.0.0/32 | 10.64.2.2 | 64600   |
      | 10.67.0.1/32 | 10.64.2.2 | 64600   |
    And service "default/local" answers "clab-ecmp-client" with "hello from local-" over IPv4 at "/" 12 times in a row within 60 seconds

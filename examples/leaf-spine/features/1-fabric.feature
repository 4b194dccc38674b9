Feature: The fabric carries pods and services
  Leaves and spines peer over their links without addresses of their own (BGP unnumbered, eBGP), nodes with their leaf
  inside its AS (iBGP). What a node announces crosses the spines to the other rack.

  @task-sessions
  Scenario: The nodes of each rack peer with their leaf
    Then these BGP sessions are established within 2 minutes:
      | node                 | local AS | peer address | peer AS |
      | fabric-control-plane | 64520    | 10.64.0.10   | 64520   |
      | fabric-worker        | 64520    | 10.64.0.10   | 64520   |
      | fabric-worker2       | 64521    | 10.64.0.11   | 64521   |

  @task-spread
  Scenario: The pod CIDRs of a rack reach the other one
    Then router "clab-fabric-leaf0" has exactly these paths within 30 seconds:
      | prefix       | next hop  | AS path |
      | 10.65.0.0/24 | 10.64.1.2 |         |
      | 10.65.2.0/24 | 10.64.2.2 |         |
    And router "clab-fabric-leaf1" has 2 paths to "10.65.2.0/24" with AS path "64512 64520" within 30 seconds
    And router "clab-fabric-spine0" has 1 path to "10.65.1.0/24" with AS path "64521" within 30 seconds

  @task-service
  Scenario: A client in one rack reaches the service over its own leaf
    When "hello.yaml" is applied
    Then these deployments in namespace "default" are rolled out within 2 minutes:
      | deployment |
      | hello      |
    And router "clab-fabric-spine1" has 1 path to "10.67.0.0/32" with AS path "64520" within 30 seconds
    And router "clab-fabric-spine1" has 1 path to "10.67.0.0/32" with AS path "64521" within 30 seconds
    And service "default/hello" answers "clab-fabric-client" with "hello from hello-" over IPv4 at "/" 5 times in a row within 30 seconds

Feature: Pods and services over IPv4
  The nodes report their address on the fabric, not that of the Docker network, and speak BGP with the router over it.

  @task-sessions
  Scenario: Every node has a session with the router
    Then these nodes are Ready within 2 minutes:
      | node             |
      | v4-control-plane |
      | v4-worker        |
    And these BGP sessions are established within 2 minutes:
      | node             | local AS | peer address | peer AS |
      | v4-control-plane | 64601    | 10.64.1.1    | 64512   |
      | v4-worker        | 64602    | 10.64.2.1    | 64512   |

  @task-pods
  Scenario: The router learns the pod CIDRs
    Then router "clab-v4-tor" has exactly these paths within 30 seconds:
      | prefix       | next hop  | AS path |
      | 10.65.0.0/24 | 10.64.1.2 | 64601   |
      | 10.65.1.0/24 | 10.64.2.2 | 64602   |

  @task-service
  Scenario: The client reaches the announced service
    When "hello.yaml" is applied
    Then these deployments in namespace "default" are rolled out within 2 minutes:
      | deployment |
      | hello      |
    And router "clab-v4-tor" has exactly these paths within 30 seconds:
      | prefix       | next hop  | AS path |
      | 10.67.0.0/32 | 10.64.1.2 | 64601   |
      | 10.67.0.0/32 | 10.64.2.2 | 64602   |
    And service "default/hello" answers "clab-v4-client" with "hello from hello-" over IPv4 at "/" 5 times in a row within 30 seconds

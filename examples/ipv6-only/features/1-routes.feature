Feature: Pods and services over IPv6
  Nothing in this lab has an IPv4 address but what Docker gives it. A BGP speaker is named by 32 bits all the same.

  @task-sessions
  Scenario: Every node has a session with the router
    Then these nodes are Ready within 2 minutes:
      | node             |
      | v6-control-plane |
      | v6-worker        |
    And these BGP sessions are established within 2 minutes:
      | node             | local AS | peer address  | peer AS |
      | v6-control-plane | 64601    | fd40:0:0:1::1 | 64512   |
      | v6-worker        | 64602    | fd40:0:0:2::1 | 64512   |

  @task-pods
  Scenario: The router learns the pod CIDRs
    Then router "clab-v6-tor" has exactly these paths within 30 seconds:
      | prefix          | next hop      | AS path |
      | fd40:1::/64     | fd40:0:0:1::2 | 64601   |
      | fd40:1:0:1::/64 | fd40:0:0:2::2 | 64602   |

  @task-service
  Scenario: The client reaches the announced service
    When "hello.yaml" is applied
    Then these deployments in namespace "default" are rolled out within 2 minutes:
      | deployment |
      | hello      |
    And router "clab-v6-tor" has exactly these paths within 30 seconds:
      | prefix       | next hop      | AS path |
      | fd40:3::/128 | fd40:0:0:1::2 | 64601   |
      | fd40:3::/128 | fd40:0:0:2::2 | 64602   |
    And service "default/hello" answers "clab-v6-client" with "hello from hello-" over IPv6 at "/" 5 times in a row within 30 seconds

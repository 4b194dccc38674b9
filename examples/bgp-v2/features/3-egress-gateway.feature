Feature: Egress gateway
  A remote outpost admits one source address only. An egress gateway makes the empire's pods, on whatever node they run,
  leave the cluster through one node and under that address. Everybody else still shows their own.

  @task-egress-policy @before
  Scenario Outline: The outpost turns <ship> away, which it sees under its pod's own address
    Given no CiliumEgressGatewayPolicy exists
    Then "http://10.0.4.2:8000" answers every pod of deployment "batuu/<ship>" with "Access denied" to the pod's own address within 10 seconds

    Examples:
      | ship       |
      | tiefighter |
      | xwing      |

  @task-gateway-node
  Scenario: One node is set apart as gateway and has the admitted address
    Then node "kind-worker2" has the label "egress-gw=true" within 10 seconds
    And device "net1" of node "kind-worker2" has the address "10.0.3.42/24" within 10 seconds

  @task-egress-policy
  Scenario: The policy sends the empire's ships through the gateway
    When "egress-gw-policy.yaml" is applied
    Then "http://10.0.4.2:8000" answers every pod of deployment "batuu/tiefighter" with "Access granted" to the address "10.0.3.42" within 30 seconds
    And "http://10.0.4.2:8000" answers every pod of deployment "batuu/tiefighter-4" with "Access granted" to the address "10.0.3.42" within 30 seconds

  @task-egress-policy
  Scenario: The alliance's ship is still turned away
    Then "http://10.0.4.2:8000" keeps answering every pod of deployment "batuu/xwing" with "Access denied" to the pod's own address for 3 seconds

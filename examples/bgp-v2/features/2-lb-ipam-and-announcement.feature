Feature: LB-IPAM and service announcement
  A service of type LoadBalancer needs an address that the world outside can reach. Cilium takes it from a pool, tells
  the routers about it over BGP, and answers ARP for it on the nodes' own network.

  @task-pool @before
  Scenario: Without a pool the service stays without an external address
    Given no CiliumLoadBalancerIPPool exists
    Then service "batuu/deathstar" of type LoadBalancer stays without an external address for 3 seconds

  @task-pool
  Scenario: The pool gives the service one address of each family
    When "lb-pool.yaml" is applied
    Then service "batuu/deathstar" has exactly one external address in each of these ranges within 30 seconds:
      | range                    |
      | 172.18.255.200/29        |
      | 2001:db8:dead:beef::/64  |
    And pool "empire-ip-pool" has no conflict and 18446744073709551622 free addresses within 10 seconds

  @task-announce-bgp @before
  Scenario: Nobody knows the way to an address that is not announced
    Given service "batuu/deathstar" has no label "announced"
    Then router "clab-bgp-cplane-dev-dual-router0" has no route to the external addresses of service "batuu/deathstar" for 3 seconds
    And service "batuu/deathstar" does not answer "clab-bgp-cplane-dev-dual-srv-client" over IPv6 at "/v1/" within 2 seconds

  @task-announce-bgp
  Scenario: Every node announces the labelled service
    When label "announced=bgp" is set on service "batuu/deathstar"
    Then router "clab-bgp-cplane-dev-dual-router0" has learned both external addresses of service "batuu/deathstar" from every node within 30 seconds:
      | node               | next hop       | AS path |
      | kind-control-plane | fd00:10:0:1::2 | 65001   |
      | kind-worker        | fd00:10:0:2::2 | 65002   |
      | kind-worker2       | fd00:10:0:3::2 | 65003   |
    And every BGP session has these prefix counts within 30 seconds:
      | family | received | advertised |
      | IPv4   | 4        | 2          |
      | IPv6   | 4        | 2          |

  @task-announce-bgp
  Scenario Outline: A client behind the router reaches the announced service over <family>
    # Twenty in a row, since the router spreads connections over the three nodes.
    Then service "batuu/deathstar" answers "clab-bgp-cplane-dev-dual-srv-client" with "Death Star" over <family> at "/v1/" 20 times in a row within 30 seconds

    Examples:
      | family |
      | IPv6   |
      | IPv4   |

  @task-announce-l2 @before
  Scenario: The lab host is no BGP speaker and does not reach the service
    Given no CiliumL2AnnouncementPolicy exists
    Then service "batuu/deathstar" does not answer the lab host over IPv4 at "/v1/" within 2 seconds

  @task-announce-l2
  Scenario: One node answers ARP for the service's address
    When "layer2-policy.yaml" is applied
    Then one node holds the L2 announcement lease of service "batuu/deathstar" within 30 seconds
    And service "batuu/deathstar" answers the lab host with "Death Star" over IPv4 at "/v1/" 3 times in a row within 30 seconds
    And the same node keeps the L2 announcement lease of service "batuu/deathstar" for 6 seconds

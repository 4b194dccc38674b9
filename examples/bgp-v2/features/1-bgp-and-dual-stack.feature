Feature: BGP and dual stack
  The cluster is an island. Its nodes speak BGP with the top-of-rack router, each from an AS of its own, and tell it
  which pods live where, for IPv4 and for IPv6. Whoever is behind the router can then reach every pod by its address.

  @task-cilium
  Scenario: Cilium is healthy
    Then these nodes are Ready within 2 minutes:
      | node               |
      | kind-control-plane |
      | kind-worker        |
      | kind-worker2       |
    And Cilium reports these components within 2 minutes:
      | component       | state |
      | Cilium          | OK    |
      | Operator        | OK    |
      | Envoy DaemonSet | OK    |
      | Hubble Relay    | OK    |
    And every workload of Cilium has all its pods ready within 2 minutes
    And every pod of the cluster is managed by Cilium within 30 seconds

  @task-bgp
  Scenario: Every node has a BGP session with the top-of-rack router
    Then these BGP sessions are established within 2 minutes:
      | node               | local AS | peer address  | peer AS |
      | kind-control-plane | 65001    | fd00:10:0:1::1 | 65000   |
      | kind-worker        | 65002    | fd00:10:0:2::1 | 65000   |
      | kind-worker2       | 65003    | fd00:10:0:3::1 | 65000   |
    And router "clab-bgp-cplane-dev-dual-router0" has these neighbors established within 10 seconds:
      | neighbor       | AS    |
      | fd00:10:0:1::2 | 65001 |
      | fd00:10:0:2::2 | 65002 |
      | fd00:10:0:3::2 | 65003 |

  @task-bgp
  Scenario: Each session carries the prefixes of both families
    Then every BGP session has these prefix counts within 30 seconds:
      | family | received | advertised |
      | IPv4   | 3        | 1          |
      | IPv6   | 3        | 1          |

  @task-bgp
  Scenario: The router has learned the pod CIDRs of every node
    Then router "clab-bgp-cplane-dev-dual-router0" has learned the IPv4 and IPv6 pod CIDR of every node within 30 seconds:
      | node               | next hop       | AS path |
      | kind-control-plane | fd00:10:0:1::2 | 65001   |
      | kind-worker        | fd00:10:0:2::2 | 65002   |
      | kind-worker2       | fd00:10:0:3::2 | 65003   |

  @task-bgp
  Scenario: The nodes know the way back to the client network
    Then the nodes use these gateways within 10 seconds:
      | node               | destination   | gateway        |
      | kind-control-plane | 10.0.4.2      | 10.0.1.1       |
      | kind-worker        | 10.0.4.2      | 10.0.2.1       |
      | kind-worker2       | 10.0.4.2      | 10.0.3.1       |
      | kind-control-plane | fd00:10:0:4::2 | fd00:10:0:1::1 |
      | kind-worker        | fd00:10:0:4::2 | fd00:10:0:2::1 |
      | kind-worker2       | fd00:10:0:4::2 | fd00:10:0:3::1 |

  @task-dual-stack
  Scenario: Both address families are switched on
    Then Cilium is configured with these settings within 10 seconds:
      | setting     | value |
      | enable-ipv4 | true  |
      | enable-ipv6 | true  |

  @task-application
  Scenario: The application rolls out
    When "batuu.yaml" is applied
    Then these deployments in namespace "batuu" are rolled out within 2 minutes:
      | deployment   |
      | deathstar    |
      | tiefighter   |
      | tiefighter-4 |
      | xwing        |

  @task-application
  Scenario: Pods and service are dual stack
    Then every pod of these deployments has an address of each family in the pod CIDRs of its node within 30 seconds:
      | deployment         |
      | batuu/deathstar    |
      | batuu/tiefighter   |
      | batuu/tiefighter-4 |
      | batuu/xwing        |
    And service "batuu/deathstar" has exactly one cluster address in each of these ranges within 10 seconds:
      | range           |
      | 10.2.0.0/16     |
      | fd00:10:2::/112 |

  @task-reach-pod
  Scenario Outline: A client behind the router reaches every Death Star pod over <family>
    Then every pod of deployment "batuu/deathstar" answers "clab-bgp-cplane-dev-dual-srv-client" under its own name over <family> on port 80 at "/v1/" within 30 seconds

    Examples:
      | family |
      | IPv6   |
      | IPv4   |

  @task-hubble
  Scenario: Hubble shows which ship uses which address family
    Then Hubble shows packets from deployment "batuu/tiefighter" to deployment "batuu/deathstar" over IPv6 only within 30 seconds
    And Hubble shows packets from deployment "batuu/tiefighter-4" to deployment "batuu/deathstar" over IPv4 only within 30 seconds

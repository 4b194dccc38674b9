/**
 * Times that the grader itself chooses. How long a check may take stands in its feature, in words; these are the
 * limits below that, each with the reason for its size.
 */
export const budgets = {
  /** Between two probes of a step that waits for something. */
  probeIntervalMs: 250,
  /** Between two looks of a step that watches that something stays: what flaps faster hardly shows to a person either. */
  watchIntervalMs: 1_000,
  /** One HTTP request: longer than a lost SYN's first retransmission (1 s), short enough for a refusal to be felt. */
  requestMs: 2_000,
  /** One command that only reads: the slowest, `cilium status`, asks every agent in turn. */
  commandMs: 30_000,
  /** One command that changes the cluster: an API server under load answers within its own 60 s limit. */
  changeMs: 60_000,
} as const;

/** A deployment that containerlab gives up. */
export class DeployError extends Error {}

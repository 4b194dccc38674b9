import type { Errno, NetworkErrorLike } from './types.ts';

/** strerror(3) of glibc, as tools print it. */
const texts: Record<Errno, string> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  ETIMEDOUT: 'Connection timed out',
  EINVAL: 'Invalid argument',
  EACCES: 'Permission denied',
  EADDRINUSE: 'Address already in use',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EEXIST: 'File exists',
  ENODEV: 'No such device',
  ESRCH: 'No such process',
  ENETDOWN: 'Network is down',
  EPERM: 'Operation not permitted',
};

/** The text that `perror` prints for an errno. */
export function errnoText(errno: Errno): string {
  return texts[errno];
}

/** A system call that failed. `message` is the kernel's own detail where it gave one, else strerror's text. */
export class NetworkError extends Error implements NetworkErrorLike {
  readonly errno: Errno;
  declare readonly detail?: string;

  constructor(errno: Errno, detail?: string) {
    super(detail ?? texts[errno]);
    this.name = 'NetworkError';
    this.errno = errno;
    if (detail !== undefined) this.detail = detail;
  }
}

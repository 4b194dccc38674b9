import type { FieldCause } from '../types.ts';
import { isObject } from './decode.ts';
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldRequired, GoLiteral } from './errors.ts';
import { check, each, isUnset, items, type Json, oneOf, type Rule, userId } from './rules.ts';

// Security contexts of pods and containers (Kubernetes 1.27 `pkg/apis/core/validation`).

const seccomp: Rule = (value, at, causes) => {
  if (!isObject(value)) return;
  const { type, localhostProfile } = value;
  if (type === 'Localhost') {
    if (isUnset(localhostProfile)) causes.push(fieldRequired(`${at}.localhostProfile`, 'must be set when seccomp type is Localhost'));
  } else if (localhostProfile !== undefined)
    causes.push(fieldInvalid(`${at}.localhostProfile`, localhostProfile, 'can only be set when seccomp type is Localhost'));
  if (isUnset(type)) causes.push(fieldRequired(`${at}.type`, 'type is required when seccompProfile is set'));
  else oneOf('Localhost', 'RuntimeDefault', 'Unconfined')(type, `${at}.type`, causes);
};

const goFields = [
  ['capabilities', 'Capabilities', '*core.Capabilities'],
  ['privileged', 'Privileged', '*bool'],
  ['seLinuxOptions', 'SELinuxOptions', '*core.SELinuxOptions'],
  ['windowsOptions', 'WindowsOptions', '*core.WindowsSecurityContextOptions'],
  ['runAsUser', 'RunAsUser', '*int64'],
  ['runAsGroup', 'RunAsGroup', '*int64'],
  ['runAsNonRoot', 'RunAsNonRoot', '*bool'],
  ['readOnlyRootFilesystem', 'ReadOnlyRootFilesystem', '*bool'],
  ['allowPrivilegeEscalation', 'AllowPrivilegeEscalation', '*bool'],
  ['procMount', 'ProcMount', '*core.ProcMountType'],
  ['seccompProfile', 'SeccompProfile', '*core.SeccompProfile'],
] as const;

/** `%#v` prints where a pointer points to; nobody can know that of another machine. */
const somewhere = '0xc000a1b2c0';

function goSecurityContext(context: Json): GoLiteral {
  const fields = goFields.map(([field, name, type]) => `${name}:(${type})(${context[field] === undefined ? 'nil' : somewhere})`);
  return new GoLiteral(`core.SecurityContext{${fields.join(', ')}}`);
}

export const securityContext = (context: Json, at: string, causes: FieldCause[]): void => {
  check(context, at, causes, [
    ['runAsUser', userId],
    ['runAsGroup', userId],
    ['seccompProfile', seccomp],
  ]);
  if (context['allowPrivilegeEscalation'] === false) {
    if (context['privileged'] === true)
      causes.push(fieldInvalid(at, goSecurityContext(context), 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'));
    const added = isObject(context['capabilities']) ? (context['capabilities']['add'] as readonly string[] | undefined) : undefined;
    if (added?.includes('CAP_SYS_ADMIN') === true)
      causes.push(
        fieldInvalid(at, goSecurityContext(context), 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN'),
      );
  }
};

const sysctl = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;

export function podSecurityContext(spec: Json, path: string, causes: FieldCause[]): void {
  const context = spec['securityContext'];
  const at = `${path}.securityContext`;
  if (spec['hostNetwork'] === true)
    for (const [index, container] of items(spec['containers']).entries())
      for (const [place, port] of items(container['ports']).entries())
        if (port['hostPort'] !== port['containerPort'])
          causes.push(
            fieldInvalid(
              `${path}.containers[${index}].ports[${place}].containerPort`,
              port['containerPort'],
              'must match `hostPort` when `hostNetwork` is true',
            ),
          );
  if (spec['shareProcessNamespace'] === true && spec['hostPID'] === true)
    causes.push(fieldInvalid(`${at}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled'));
  if (!isObject(context)) return;
  check(context, at, causes, [
    ['fsGroup', userId],
    ['runAsUser', userId],
    ['runAsGroup', userId],
    ['supplementalGroups', each(userId)],
  ]);
  const names = new Set<string>();
  for (const [index, { name }] of items(context['sysctls']).entries()) {
    const text = String(name ?? '').replaceAll('/', '.');
    const here = `${at}.sysctls[${index}].name`;
    if (text === '') causes.push(fieldRequired(here));
    else if (text.length > 253 || !sysctl.test(text))
      causes.push(
        fieldInvalid(
          here,
          name,
          `must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`,
        ),
      );
    else if (names.has(text)) causes.push(fieldDuplicate(here, name));
    if (spec['hostNetwork'] === true && text.startsWith('net.'))
      causes.push(fieldForbidden(here, `sysctl not allowed with host network enabled`));
    names.add(text);
  }
  check(context, at, causes, [
    ['fsGroupChangePolicy', oneOf('Always', 'OnRootMismatch')],
    ['seccompProfile', seccomp],
  ]);
}

/**
 * Rules that drop what a lab forwards, of what `iptables -S` prints: those of the administrator, which go before Docker's, and those
 * that keep the containers of one of the lab's networks apart. Docker's isolation between networks is no finding: a lab's
 * links are no networks.
 * @param bridges interfaces of the lab's networks
 */
export function rulesThatDrop(program: string, listing: string, bridges: readonly string[]): string[] {
  return listing.split('\n').flatMap((text) => {
    const line = text.trim();
    const chain = /^-A (\S+)/.exec(line)?.[1];
    if (chain === undefined || !/ -j (DROP|REJECT)\b/.test(line)) return [];
    const [input, output] = [/(?<!!) -i (\S+)/.exec(line)?.[1], /(?<!!) -o (\S+)/.exec(line)?.[1]];
    const isOfLab = [input, output].some((name) => name !== undefined && bridges.includes(name));
    const separates = isOfLab && input === output;
    const forwards = chain === 'DOCKER-USER' || (chain === 'FORWARD' && (isOfLab || (input === undefined && output === undefined)));
    return separates || forwards ? [`${program} ${line}`] : [];
  });
}

/** The command that takes one of them out of the way. */
export function firewallFix(rule: string): string {
  const [program = '', , chain = '', ...words] = rule.split(' ');
  if (chain === 'DOCKER-USER') return `sudo ${program} -I DOCKER-USER -j RETURN`;
  return `sudo ${program} -D ${chain} ${words.join(' ')}`;
}

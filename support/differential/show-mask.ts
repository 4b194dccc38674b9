/**
 * What differs from run to run, or between a namespace of one machine and a container: times, message counts (how prefixes
 * are packed into messages), which of the states of an attempt a look falls on, ports, sockets, numbers of devices and groups, link-local addresses and host names.
 */
export function masked(text: string): string {
  return text
    .replace(/\b\d\d:\d\d:\d\d\b( |$)/gm, 'TIME$1')
    .replace(
      /\b(\d\d:\d\d:\d\d|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d TIME \d{4}|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})/g,
      'TIME',
    )
    .replace(/[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d TIME \d{4}/g, 'TIME')
    .replace(
      /"(\w*(?:Epoch|epoch|Msecs?|LastRead|LastWrite|portLocal|portForeign|msgRcvd|msgSent|interfaceIndex|[gG]roupId))":-?\d+/g,
      '"$1":N',
    )
    .replace(/"(\w+(?:Sent|Recv))":\d+/g, '"$1":N')
    .replace(/^(\*?\S+ +4 +\d+) +\d+ +\d+/gm, '$1 N N')
    .replace(/(port: |FD used: |\(fd |due in )\d+/g, '$1N')
    .replace(/(Opens|Updates|Keepalives|Total|Notifications): +\d+ +\d+/g, '$1: N')
    .replace(/fe80::(?:[0-9a-f]{1,4}:){3}[0-9a-f]{1,4}/g, 'fe80::LOCAL')
    .replace(/^(hostname|Hostname:) \S+/gm, '$1 HOST')
    .replace(/"(hostname|advHostName|rcvHostName)":"\w+"/g, '"$1":"HOST"')
    .replace(/name: \w+,domain/g, 'name: HOST,domain')
    .replace(/^frr version .*/gm, 'frr version V')
    .replace(/^service integrated-vtysh-config\n/gm, '')
    .replace(/ +(?:Idle|Connect|Active|OpenSent|OpenConfirm) +(\d+ \S+)$/gm, ' trying $1')
    .replace(/sent after update: (Yes|No)/g, 'sent after update: ?')
    .replace(/"endOfRibSentAfterUpdate":(true|false)/g, '"endOfRibSentAfterUpdate":?')
    .replace(
      /(Stale Path Remaining\(sec\): |Restart Time Remaining\(sec\): |"restartTimerRemaining":|"stalePathTimerRemaining":)\d+/g,
      '$1N',
    )
    .replace(/(remaining time of \w+ timer is )\d+/g, '$1N')
    .replace(/(Invoked:? |hit count: )\d+/g, '$1N')
    .replace(/^Estimated round trip time: .*\n/gm, '')
    .replace(/ *"estimatedRttInMsecs":N,\n/g, '');
}

import { type LookupAddress, lookup, Resolver } from 'node:dns'
import { readFile } from 'node:fs'
import { isIP } from 'node:net'
import { oneByOne, type Resolve } from './platform-names.js'

/** Where most platforms keep their hosts file. On other platforms, the name is left to `dns.lookup()`. */
const HOSTS = '/etc/hosts'
/** How long a name server has to respond to the first of two queries. */
const QUERY_MS = 4000
/** The name has no such record, or there is no name server to ask. The platform may know the name from elsewhere, such as its hosts file. */
const NOT_IN_DNS: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA', 'ECONNREFUSED', 'EBADNAME', 'ENOTIMP'])

/**
 * Creates a host name resolver that queries the name servers directly. `dns.lookup()` would occupy a thread of the platform until they respond. There are
 * so few threads that a handful of slow names would delay every other name, and the whole process's file access. `dns.lookup()` is used only for names that
 * are neither in DNS nor in the hosts file, such as those that need a search domain, and for one name at a time.
 *
 * `servers` are the addresses of the name servers, by default the platform's.
 */
export function createResolve(servers?: readonly string[], byPlatform: Resolve = resolveByPlatform, hosts: string = HOSTS): Resolve {
  const askPlatform = oneByOne(byPlatform)
  const resolver = new Resolver({ timeout: QUERY_MS, tries: 2 })
  if (servers !== undefined) resolver.setServers(servers)
  return (hostname, answer) => {
    const found: { v4?: readonly LookupAddress[]; v6?: readonly LookupAddress[] } = {}
    let slow: Error | undefined
    const add = (kind: 'v4' | 'v6', family: 4 | 6, error: NodeJS.ErrnoException | null, addresses: readonly string[]): void => {
      if (error !== null && !NOT_IN_DNS.has(error.code ?? '')) slow = error
      found[kind] = error === null ? addresses.map((address) => ({ address, family })) : []
      const { v4, v6 } = found
      if (v4 === undefined || v6 === undefined) return
      // An address of the other family might be one that is not allowed, so both must be known.
      if (slow !== undefined) answer(slow, [])
      else if (v4.length + v6.length > 0) answer(null, [...v4, ...v6])
      else askHosts(hosts, hostname, (known) => (known.length > 0 ? answer(null, known) : askPlatform(hostname, answer)))
    }
    resolver.resolve4(hostname, (error, addresses) => add('v4', 4, error, addresses))
    resolver.resolve6(hostname, (error, addresses) => add('v6', 6, error, addresses))
  }
}

function resolveByPlatform(hostname: string, answer: Parameters<Resolve>[1]): void {
  lookup(hostname, { all: true }, (error, addresses) => answer(error, addresses))
}

/** Finds the addresses of a name in a hosts file. The platform would query the name servers again for a name that the file does not list. */
function askHosts(file: string, hostname: string, answer: (found: readonly LookupAddress[]) => void): void {
  const wanted = hostname.toLowerCase()
  readFile(file, 'utf8', (error, text) => {
    if (error !== null) return answer([])
    const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim().split(/\s+/))
    const named = lines.filter(([, ...names]) => names.some((name) => name.toLowerCase() === wanted))
    answer(named.map(([address = '']) => ({ address, family: isIP(address) })).filter(({ family }) => family !== 0))
  })
}

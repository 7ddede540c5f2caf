import ipaddr from 'ipaddr.js'
import { type InputPlace, InvalidInputError, placeIn } from '../errors.js'
import { quote } from './quote.js'
import { reading } from './reading.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Network = { readonly address: Address; readonly bits: number }

const MAX_NETWORKS = 1000
/** `0000:0000:0000:0000:0000:ffff:255.255.255.255` */
const MAX_ADDRESS_LENGTH = 45
/** The maximum length of an address with a zone, brackets and a port. */
const MAX_CLIENT_LENGTH = 2 * MAX_ADDRESS_LENGTH + 8
/** The unambiguous form of IPv4: no octal `010.0.0.1`, no short `10.1`. */
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/
const IPV6 = /^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*$/
const WITH_PORT = /^(?:\[([^[\]]*)\](?::\d{1,5})?|([\d.]+):\d{1,5})$/
/** Looks public, but is served by the host of a virtual machine: Azure's wire server. */
const CLOUD_INTERNAL = ['168.63.129.16']
/** `::ffff:0:0/96`: IPv4 addresses as a dual-stack socket shows them (RFC 4291 §2.5.5.2). */
const MAPPED_BITS = 96

/**
 * Reads addresses and CIDR ranges into canonical form: `10.0.0.0/8`, `2001:db8::1`. Bits beyond a range's prefix length are cleared,
 * IPv4-mapped IPv6 becomes IPv4, and duplicates are removed.
 *
 * @throws InvalidInputError (`invalid_input`) that names the entry.
 */
export function readNetworks(place: InputPlace, input: unknown): readonly string[] {
  return reading(place, () => readList(place, input))
}

function readList(place: InputPlace, input: unknown): readonly string[] {
  if (!Array.isArray(input)) throw new InvalidInputError(place, `must be a list of addresses and CIDR ranges, not ${quote(input)}`)
  if (input.length > MAX_NETWORKS) throw new InvalidInputError(place, `has ${input.length} entries; the limit is ${MAX_NETWORKS}`)
  const networks = Array.from(input, (entry: unknown, at) => {
    const network = parseNetwork(entry)
    if (network === undefined) {
      throw new InvalidInputError(
        placeIn(place, at),
        entry === 'localhost'
          ? '"localhost" is a name: write the addresses 127.0.0.1 and ::1'
          : `${quote(entry)} is not an IP address or CIDR range, such as 203.0.113.7, 10.0.0.0/8 or 2001:db8::/32`,
      )
    }
    return format(network)
  })
  return Object.freeze([...new Set(networks)])
}

/** Compiles a test of whether an address is in one of the networks. A missing or invalid address is in none, and a corrupt entry contains no address. */
export function compileNetworks(list: readonly string[]): (ip: string | undefined) => boolean {
  const networks = Array.isArray(list) ? list.map(parseNetwork).filter((network) => network !== undefined) : []
  return (ip) => {
    const address = parseClient(ip)
    return address !== undefined && networks.some((network) => contains(network, address))
  }
}

/** Returns an address in canonical form, IPv4-mapped IPv6 as IPv4, without a zone, brackets or a port; `undefined` for anything else. */
export function normalizeIp(ip: unknown): string | undefined {
  const address = parseClient(ip)
  return address && formatAddress(address)
}

/** An IPv6 host has a whole /64 (RFC 4291 §2.5.1), so a single address does not identify it. */
const HOST_BITS = 64

/** Returns the address block that identifies a caller: the IPv4 address, or the /64 of an IPv6 address; `undefined` for anything else. */
export function callerOf(ip: unknown): string | undefined {
  const address = parseClient(ip)
  if (address === undefined || address.kind() === 'ipv4') return address && formatAddress(address)
  return format({ address: masked(address, HOST_BITS), bits: HOST_BITS })
}

/** Prefix lengths of the networks that providers usually assign to one customer, used to group related addresses. */
const SITE_BITS = { ipv4: 24, ipv6: 48 } as const

/** Returns the network around an address that may belong to one site: the /24 of an IPv4 address, the /48 of an IPv6 address; `undefined` for anything else. */
export function siteOf(ip: unknown): string | undefined {
  const address = parseClient(ip)
  if (address === undefined) return undefined
  const bits = SITE_BITS[address.kind()]
  return format({ address: masked(address, bits), bits })
}

/**
 * Returns whether `outer` allows every address that `inner` allows. Absent means any address.
 *
 * Each range must lie within a single range of `outer`: two halves that together cover it do not count.
 */
export function networksWithin(inner: readonly string[] | undefined, outer: readonly string[] | undefined): boolean {
  if (outer === undefined) return true
  if (!Array.isArray(inner) || !Array.isArray(outer)) return false
  if (inner === outer) return true
  const ranges = inner.map((entry: unknown) => rangeOf(entry, true))
  if (ranges.includes(undefined)) return false
  const all = [...outer.map((entry: unknown) => rangeOf(entry, false)), ...ranges].filter((range) => range !== undefined).sort(byStart)
  // Two ranges are nested or disjoint, so only the last range of `outer` that is not within an earlier one can contain the next range.
  let widest: Range | undefined
  for (const range of all) {
    if (widest !== undefined && widest.bits <= range.bits && contains(widest, range.address)) continue
    if (range.isInner) return false
    widest = range
  }
  return true
}

/** A network, and its first address as text that sorts as the addresses do. */
type Range = Network & { readonly start: string; readonly isInner: boolean }

function rangeOf(entry: unknown, isInner: boolean): Range | undefined {
  const network = parseNetwork(entry)
  if (network === undefined) return undefined
  const { address, bits } = network
  return { address, bits, isInner, start: address.kind() + String.fromCharCode(...address.toByteArray()) }
}

/** Sorts by the first address. A network comes before those within it, and one of `outer` before the same one of `inner`. */
function byStart(a: Range, b: Range): number {
  if (a.start !== b.start) return a.start < b.start ? -1 : 1
  return a.bits - b.bits || Number(a.isInner) - Number(b.isInner)
}

/**
 * Returns whether this is a unicast address on the public Internet. Excludes private, shared, link-local, loopback, documentation and multicast networks, and
 * addresses that embed an IPv4 address: mapped, 6to4, Teredo, NAT64, ISATAP (RFC 6890, RFC 6052, RFC 5214 §6.1).
 */
export function isPublicIp(ip: string): boolean {
  const address = parseAddress(ip)
  if (address === undefined || address.range() !== 'unicast') return false
  // Everything outside 2000::/3 is reserved or has a special purpose (RFC 4291 §2.4).
  if (address instanceof ipaddr.IPv6) return ((address.parts[0] ?? 0) & 0xe000) === 0x2000 && !isIsatap(address)
  return !CLOUD_INTERNAL.includes(address.toString())
}

/** Returns whether the last 32 bits are an IPv4 address to which a router on the host's network may send the packet. */
function isIsatap({ parts }: ipaddr.IPv6): boolean {
  return (parts[4] === 0 || parts[4] === 0x200) && parts[5] === 0x5efe
}

function parseNetwork(entry: unknown): Network | undefined {
  if (typeof entry !== 'string') return undefined
  const slash = entry.indexOf('/')
  const address = parseAddress(slash === -1 ? entry : entry.slice(0, slash))
  if (address === undefined) return undefined
  const most = address.kind() === 'ipv4' ? 32 : 128
  if (slash === -1) return unmap({ address, bits: most })
  const bits = entry.slice(slash + 1)
  if (!/^(?:0|[1-9]\d{0,2})$/.test(bits) || Number(bits) > most) return undefined
  return unmap({ address: masked(address, Number(bits)), bits: Number(bits) })
}

/**
 * A socket address may include a zone (`fe80::1%eth0`, RFC 4007 §11), and an address from a proxy or a platform may include brackets
 * and a port (RFC 3986 §3.2.2). An entry of `allowedIps` must have none of these.
 */
function parseClient(given: unknown): Address | undefined {
  if (typeof given !== 'string' || given.length > MAX_CLIENT_LENGTH) return undefined
  const ip = withoutPort(given)
  const zone = ip.indexOf('%')
  const address = parseAddress(zone > 0 ? ip.slice(0, zone) : ip)
  if (address === undefined || (zone > 0 && address.kind() === 'ipv4')) return undefined
  return unmap({ address, bits: address.kind() === 'ipv4' ? 32 : 128 }).address
}

function withoutPort(ip: string): string {
  const [, bracketed, dotted] = WITH_PORT.exec(ip) ?? []
  // Only IPv6 addresses use brackets.
  if (bracketed !== undefined) return bracketed.includes(':') ? bracketed : ip
  return dotted ?? ip
}

function parseAddress(text: string): Address | undefined {
  if (text.length > MAX_ADDRESS_LENGTH) return undefined
  try {
    if (IPV4.test(text)) return ipaddr.IPv4.parse(text)
    if (!IPV6.test(text)) return undefined
    const colon = text.lastIndexOf(':')
    const tail = text.slice(colon + 1)
    if (!tail.includes('.')) return ipaddr.IPv6.parse(text)
    // ipaddr.js parses `::10.0.0.1` as a mapped address, so the dotted tail (RFC 4291 §2.2) is converted to hexadecimal groups first.
    return IPV4.test(tail) ? ipaddr.IPv6.parse(text.slice(0, colon + 1) + asGroups(tail)) : undefined
  } catch {
    return undefined
  }
}

function asGroups(ipv4: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split('.').map(Number)
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
}

function unmap(network: Network): Network {
  const { address, bits } = network
  // A range with fewer bits never counts as mapped: clearing its host bits has removed part of the `ffff` marker.
  if (!(address instanceof ipaddr.IPv6) || !address.isIPv4MappedAddress()) return network
  return { address: address.toIPv4Address(), bits: bits - MAPPED_BITS }
}

function contains(network: Network, address: Address): boolean {
  if (network.address.kind() !== address.kind()) return false
  return address.match(network.address, network.bits)
}

function masked(address: Address, bits: number): Address {
  const bytes = address.toByteArray().map((byte, at) => byte & (0xff00 >> Math.min(8, Math.max(0, bits - at * 8))))
  return ipaddr.fromByteArray(bytes)
}

function format({ address, bits }: Network): string {
  const text = formatAddress(address)
  return bits === (address.kind() === 'ipv4' ? 32 : 128) ? text : `${text}/${bits}`
}

/** RFC 5952 for IPv6. */
function formatAddress(address: Address): string {
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString()
}

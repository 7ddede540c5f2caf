import type { LookupFunction } from 'node:net'
import { type InputPlace, InvalidInputError } from '../../errors.js'
import { compileNetworks, isPublicIp } from '../../policy/network.js'
import { isSafeAddress } from '../../policy/safe-address.js'
import type { Resolve } from './platform-names.js'
import { createResolve } from './resolve-name.js'

/** The destination of an endpoint's events. Its addresses are checked before any connection is made. */
export type Destination = {
  readonly url: URL
  /** The only part of the URL that may be shown: path and query may contain secrets. */
  readonly origin: string
  /** Resolves the name and returns the addresses that were checked, so the name is not resolved a second time. */
  readonly lookup: LookupFunction
}

const resolveName = createResolve()

const isLoopback = compileNetworks(['127.0.0.0/8', '::1'])

/** The error code for a forbidden address. */
export const ADDRESS_REFUSED = 'LATCHKEY_ADDRESS_REFUSED'

/**
 * Reads and validates an endpoint's URL.
 *
 * @throws InvalidInputError `invalid_input`; its message never contains the URL
 */
export function readDestination(
  place: InputPlace,
  text: string,
  allowPrivate: readonly string[],
  resolve: Resolve = resolveName,
): Destination {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) throw new InvalidInputError(place, 'must be an absolute URL')
  if (!isSafeAddress(text)) throw new InvalidInputError(place, 'must begin with https:// unless it is a loopback address')
  if (url.username !== '' || url.password !== '') throw new InvalidInputError(place, 'must not contain a user name or a password')
  if (url.hash !== '') throw new InvalidInputError(place, 'must not have a fragment')
  const isAllowed = compileNetworks(allowPrivate)
  const isPlain = url.protocol === 'http:'
  const mayReach = (ip: string): boolean => (isPlain ? isLoopback(ip) && isAllowed(ip) : isPublicIp(ip) || isAllowed(ip))
  const literals = literalsOf(url.hostname)
  if (literals.length > 0 && !literals.some(mayReach)) {
    throw new InvalidInputError(place, 'resolves to an address that is not public: add it to allowPrivate to send there anyway')
  }
  return {
    url,
    origin: url.origin,
    lookup: (hostname, options, answer) => {
      resolve(hostname, (error, found) => {
        if (error !== null) return answer(error, '')
        const [first] = found
        // One forbidden address disqualifies the name, because the connection may use any of them.
        if (first === undefined || !found.every(({ address }) => mayReach(address))) {
          return answer(Object.assign(new Error('the name resolves to an address that is not public'), { code: ADDRESS_REFUSED }), '')
        }
        if (options.all === true) answer(null, [...found])
        else answer(null, first.address, first.family)
      })
    },
  }
}

/** Returns the addresses that are known from a URL's host. `new URL` has already normalized it. Other names are checked when they are resolved. */
function literalsOf(hostname: string): readonly string[] {
  // RFC 6761 §6.3: always this machine.
  if (hostname === 'localhost') return ['127.0.0.1', '::1']
  if (hostname.startsWith('[')) return [hostname.slice(1, -1)]
  return /^\d+(?:\.\d+){3}$/.test(hostname) ? [hostname] : []
}

import { compileNetworks } from '../../../src/policy/network.js'

/** A warning that the connection to the database can be intercepted or modified in transit. */
export type TransportWarning = {
  readonly code: 'LATCHKEY_DATABASE_PLAIN' | 'LATCHKEY_DATABASE_UNVERIFIED'
  readonly message: string
}

/** How a connection reaches its server. */
export type Transport = {
  /** The server's address; absent for a local socket. */
  readonly address?: string | undefined
  readonly encrypted: boolean
  /**
   * Whether the server's certificate must be verified, including its name. If it does not have to be, a certificate that happens to be valid now is no
   * protection, because another server may answer the next connection.
   */
  readonly verified: boolean
}

const HERE = ['127.0.0.0/8', '::1/128']

/** Private networks: RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291 §2.5.6. */
const OWN = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16', 'fc00::/7', 'fe80::/10']

const isIn = (networks: readonly string[], address: string): boolean => compileNetworks(networks)(address.replace(/%.*$/, ''))

/** Returns whether this is an address of this machine. */
export const isHere = (address: string): boolean => isIn(HERE, address)

/** Evaluates a connection: no warning if it stays on this machine, is encrypted and verified, or stays on a private network. */
export function judgeTransport(store: string, { address, encrypted, verified }: Transport): TransportWarning | undefined {
  if (address === undefined || isHere(address)) return undefined
  if (encrypted) {
    if (verified) return undefined
    return {
      code: 'LATCHKEY_DATABASE_UNVERIFIED',
      message: `${store} store: the connection is encrypted, but the server's certificate is not verified, so anyone on the network path can impersonate the server: require verification in the connection string (see this store's documentation)`,
    }
  }
  if (isIn(OWN, address)) return undefined
  return {
    code: 'LATCHKEY_DATABASE_PLAIN',
    message: `${store} store: the connection to the database is not encrypted and leaves your network, so token records can be read and changed in transit: require TLS in the connection string (see this store's documentation)`,
  }
}

/** Returns how a driver's socket reaches its server. */
export function transportOf(stream: unknown, checksName: boolean): Transport {
  const { remoteAddress, encrypted, authorized, _rejectUnauthorized } = Object(stream) as {
    readonly remoteAddress?: unknown
    readonly encrypted?: unknown
    readonly authorized?: unknown
    readonly _rejectUnauthorized?: unknown
  }
  return {
    address: typeof remoteAddress === 'string' ? remoteAddress : undefined,
    encrypted: encrypted === true,
    verified: authorized === true && _rejectUnauthorized !== false && checksName,
  }
}

/** Reports the first insecure connection, and only that one. */
export function tellOnce(store: string, warn: (warning: TransportWarning) => void): (transport: Transport) => void {
  let told = false
  return (transport) => {
    const warning = told ? undefined : judgeTransport(store, transport)
    if (warning === undefined) return
    told = true
    notify(warn, warning)
  }
}

/** Calls the host's listener. If it fails, even asynchronously, the store and the process are unaffected. */
export function notify<W>(listener: (warning: W) => unknown, warning: W): void {
  void (async () => listener(warning))().catch(() => undefined)
}

/** Emits a process warning if the options name no listener. */
export function emitWarning({ code, message }: { readonly code: string; readonly message: string }): void {
  process.emitWarning(message, { type: 'LatchkeyWarning', code })
}

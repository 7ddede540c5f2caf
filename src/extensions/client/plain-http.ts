import { ClientError } from './client-error.js'

/** Names that only a private network resolves (RFC 6762, RFC 9476), and the names of Kubernetes services. */
const PRIVATE_NAME = /(?:^|\.)(?:localhost|local|internal|svc)$/
/** `new URL` has already normalized these addresses. RFC 1918, RFC 6598, RFC 3927, and loopback. */
const PRIVATE_V4 = /^(?:127|10|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.[\d.]+$/
/** RFC 4193, RFC 4291 §2.5.6, and loopback. */
const PRIVATE_V6 = /^\[(?:::1\]|f[cd]|fe[89ab])/

/**
 * Returns an error for the origins to which the token would travel unencrypted and outside a private network.
 *
 * Many services inside a cluster use plain HTTP: names without a dot, such as the services of Docker Compose, and private addresses are not reported.
 */
export function unencrypted(origins: readonly string[]): ClientError | undefined {
  const exposed = [...new Set(origins)].filter((origin) => {
    const { protocol, hostname } = new URL(origin)
    return protocol === 'http:' && !isPrivate(hostname)
  })
  if (exposed.length === 0) return undefined
  return new ClientError('unencrypted', `the token is sent without encryption to ${exposed.join(', ')}: use https://`)
}

function isPrivate(hostname: string): boolean {
  const name = hostname.replace(/\.$/, '')
  if (name.startsWith('[')) return PRIVATE_V6.test(name)
  return !name.includes('.') || PRIVATE_NAME.test(name) || PRIVATE_V4.test(name)
}

const NOBODY = '192.0.2.1'
const FIRST_HOP = '198.51.100.0'
const MANY_HOPS = 64
const HOPS = Array.from({ length: MANY_HOPS }, (_, hop) => `198.51.100.${hop}`).join(', ')
const STRANGER = { raw: { headers: { 'x-forwarded-for': HOPS }, socket: { remoteAddress: NOBODY } } }

/**
 * Returns whether an Express application trusts any forwarding header. Tests it with a documentation address (RFC 5737) behind more proxies than any
 * real deployment has.
 */
export function expressBelievesCallers(app: { get(name: string): unknown } | undefined): boolean {
  const trusts: unknown = app?.get('trust proxy fn')
  return typeof trusts === 'function' && trusts(NOBODY, MANY_HOPS) === true
}

/** Returns the same for Fastify. Fastify does not expose `trustProxy`, so this evaluates Fastify's own rule on a synthetic request. */
export function fastifyBelievesCallers(request: object): boolean {
  return Reflect.get(request, 'ip', STRANGER) === FIRST_HOP
}

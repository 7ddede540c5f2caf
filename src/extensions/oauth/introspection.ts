import { answerJson } from '../../http/fetch-answer.js'
import { internalsOf, type Latchkey } from '../../instance.js'
import type { Introspection } from '../../model/principal.js'
import { someText } from '../../policy/option-kinds.js'
import { objectOf, readOption } from '../../policy/option-reader.js'
import { newAllowance } from '../../store/deadline.js'
import { claimsOf, endsAtSeconds } from './claims.js'
import { type ClientOf, clientShape, endpoint, mayKnow, readClientForm } from './client.js'

/** Options of `introspection`. */
export type IntrospectionOptions = {
  /** Identifies the client; unknown clients get a 401. */
  readonly client: ClientOf
  /** The `iss` of the responses. */
  readonly issuer?: string
  /** @default 'oauth' */
  readonly realm?: string
}

const schema = objectOf({ ...clientShape, issuer: someText().optional() })

/**
 * Token introspection (RFC 7662), for services that cannot reach the store: they ask whether a token is valid and what it may do.
 *
 * For unknown, malformed, expired, revoked and inactive tokens, and for tokens that the client cannot query, the response is exactly `{"active":false}`
 * (§2.2). If that cannot be decided, the response is 503. Introspection does not count as a use.
 *
 * Address limits cannot be checked here, since only the service that asks knows the caller's address. It receives the limit as `allowed_ips`.
 *
 * @example
 * ```ts
 * const introspect = introspection(tokens, { client: (request) => clientOfBasicAuth(request) })
 * const response = await introspect(request)
 * ```
 */
export function introspection<S extends string>(
  tokens: Latchkey<S>,
  options: IntrospectionOptions,
): (request: Request) => Promise<Response> {
  const { client: clientOf, issuer, realm } = readOption(schema, options, 'options')
  const inside = internalsOf(tokens)
  return endpoint('introspect', inside.report, async (request) => {
    const allowance = newAllowance(inside)
    const { client, token } = await readClientForm(clientOf, request, realm, inside, allowance)
    const found = await inside.introspect(token, allowance, { id: `client:${client.id}` }, ({ tenantId }) => mayKnow(client, tenantId))
    if (!found.active) return answerJson(200, { active: false })
    const exp = endsAtSeconds(found.record, inside.settings.imports)
    return answerJson(200, { ...describe(found), ...(exp !== undefined && { exp }), ...(issuer !== undefined && { iss: issuer }) })
  })
}

// RFC 7662 §2.2. Instants are whole seconds (RFC 7519 §2), and an expiry is rounded down.
function describe({ record, scopes, resources }: Extract<Introspection, { active: true }>): Record<string, unknown> {
  return {
    active: true,
    scope: scopes.join(' '),
    token_type: 'Bearer',
    ...claimsOf(record),
    jti: record.id,
    iat: Math.floor(record.createdAt.getTime() / 1000),
    ...(record.notBefore !== undefined && { nbf: Math.ceil(record.notBefore.getTime() / 1000) }),
    ...(resources !== undefined && { resources }),
  }
}

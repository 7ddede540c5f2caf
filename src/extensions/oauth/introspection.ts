import { answerJson } from '../../http/fetch-answer.js'
import { internalsOf, type Latchkey } from '../../instance.js'
import type { Introspection } from '../../model/principal.js'
import { someText } from '../../policy/option-kinds.js'
import { objectOf, readOption } from '../../policy/option-reader.js'
import { claimsOf } from './claims.js'
import { authenticateClient, type ClientOf, clientShape, endpoint, mayKnow, readTokenForm } from './client.js'

/** How `introspection` is set up. */
export type IntrospectionOptions = {
  /** Which client asks; strangers get 401. */
  readonly client: ClientOf
  /** The `iss` of the answers. */
  readonly issuer?: string
  /** @default 'oauth' */
  readonly realm?: string
}

const schema = objectOf({ ...clientShape, issuer: someText().optional() })

/**
 * Token introspection (RFC 7662): services that cannot reach the store ask whether a token is good, and for what.
 *
 * Unknown, malformed, expired, revoked, inactive, and tokens that the client may not know of are all exactly `{"active":false}` (§2.2). Where that
 * cannot be known the answer is 503. Counts no use.
 *
 * A limit to addresses cannot be checked here: the caller's address is known only to the service that asks. It gets the limit as `allowed_ips`.
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
    const client = await authenticateClient(clientOf, request, realm, inside)
    const token = await readTokenForm(request)
    const found = await tokens.introspect(token)
    if (!found.active || !mayKnow(client, found.record.tenantId)) return answerJson(200, { active: false })
    return answerJson(200, { ...describe(found), ...(issuer !== undefined && { iss: issuer }) })
  })
}

// RFC 7662 §2.2; instants are whole seconds (RFC 7519 §2), and an end is never told later than it is.
function describe({ record, scopes, resources }: Extract<Introspection, { active: true }>): Record<string, unknown> {
  return {
    active: true,
    scope: scopes.join(' '),
    token_type: 'Bearer',
    ...claimsOf(record),
    jti: record.id,
    iat: Math.floor(record.createdAt.getTime() / 1000),
    ...(record.notBefore !== undefined && { nbf: Math.ceil(record.notBefore.getTime() / 1000) }),
    ...(record.expiresAt !== undefined && { exp: Math.floor(record.expiresAt.getTime() / 1000) }),
    ...(resources !== undefined && { resources }),
  }
}

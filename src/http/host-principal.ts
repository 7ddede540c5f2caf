import type { JsonObject, Resources } from '../model/json.js'
import type { Principal } from '../model/principal.js'
import { either, listOf, objectOf, oneOf, passing, readBy, readOption, string } from '../policy/option-reader.js'
import { refuseLostLimits } from '../policy/read-input.js'
import { readResources } from '../policy/resource.js'
import type { ScopeSet } from '../policy/scope-set.js'
import { GrantedPrincipal, neverFiring } from '../verify/principal.js'

/** A person who is signed in to the host, as returned by its `session` callback. */
export type Session = {
  /** Becomes the principal's `ownerId` and `name`. */
  readonly id: string
  readonly tenantId?: string | undefined
  /** Scopes, wildcards and groups, as for a token; `'*'` means every scope in the catalogue. */
  readonly scopes: '*' | readonly string[]
  /** Data that the person may access. Absent: all data. */
  readonly resources?: Resources | undefined
}

/** The holder of a credential that the host's `foreign` callback recognizes. A principal from a verifier is accepted too. */
export type ForeignPrincipal = {
  /** Identifies the credential, but never contains the credential itself. */
  readonly tokenId: string
  /** @default tokenId */
  readonly name?: string | undefined
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  /** Scopes, wildcards and groups, as for a token. */
  readonly scopes: readonly string[]
  /** Data that the credential may access. Absent: all data. */
  readonly resources?: Resources | undefined
  readonly metadata?: JsonObject | undefined
}

/** Resolves the host's grants to scopes of the catalogue. */
export type Resolve = (grants: readonly string[]) => ScopeSet

const name = string().and((text) => text !== '' && text.length <= 512, 'must be 1 to 512 characters')
const grants = listOf(string())
const resources = readBy((input) => readResources([], input)).optional()
const SCOPES = "must be '*' or a list of scopes"

const session = objectOf({
  id: name,
  tenantId: name.optional(),
  scopes: either([oneOf(['*'], SCOPES), grants], SCOPES),
  resources,
})

const shape = {
  tokenId: name,
  name: name.optional(),
  tenantId: name.optional(),
  ownerId: name.optional(),
  scopes: grants,
  resources,
  metadata: passing<JsonObject>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'must be an object',
  ).optional(),
}

/** Principals from verifiers have additional fields, which are dropped. */
const foreign = objectOf(shape, { others: 'drop' })
const identity = objectOf({ ...shape, name, allowedIps: listOf(string()).optional() })

/**
 * Creates the principal of a session.
 *
 * @throws InvalidInputError `invalid_input`, for an incomplete answer
 */
export function sessionPrincipal(answer: unknown, all: ScopeSet, resolve: Resolve): Principal {
  const { id, tenantId, scopes, resources: reach } = readOption(session, whole(answer, 'session'), 'session')
  return new HostPrincipal({ kind: 'session', name: id, ownerId: id, tenantId, resources: reach }, scopes === '*' ? all : resolve(scopes))
}

/**
 * Creates the principal of another system's credential.
 *
 * @throws InvalidInputError `invalid_input`, for an incomplete answer
 */
export function foreignPrincipal(answer: unknown, resolve: Resolve): Principal {
  const { scopes, ...rest } = readOption(foreign, whole(answer, 'foreign'), 'foreign')
  return new HostPrincipal({ ...rest, kind: 'foreign', name: rest.name ?? rest.tokenId }, resolve(scopes))
}

/**
 * Reads the identity that the host's `principal` callback returns for the claims of an identity provider's token.
 *
 * @throws InvalidInputError `invalid_input`, for an incomplete answer
 */
export function readIdentity(
  answer: unknown,
): ForeignPrincipal & { readonly name: string; readonly allowedIps?: readonly string[] | undefined } {
  return readOption(identity, whole(answer, 'principal'), 'principal')
}

// If a tenant or a limit was lost on the way, it must not become "every tenant" or "all data".
function whole(answer: unknown, root: string): unknown {
  refuseLostLimits(answer, ['tenantId', 'resources', 'allowedIps'], root)
  return answer
}

/** Checks whether this is a session principal created here. A property that claims this is not sufficient. */
export function isSession(principal: unknown): boolean {
  return GrantedPrincipal.bearerOf(principal)?.kind === 'session'
}

/** The principal of a request that the host authenticated. */
class HostPrincipal extends GrantedPrincipal {
  /** Never fires: only the host knows when a session ends. */
  get signal(): AbortSignal {
    return GrantedPrincipal.signalFor(this, neverFiring)
  }
}

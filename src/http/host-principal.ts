import type { JsonObject, Resources } from '../model/json.js'
import type { Principal } from '../model/principal.js'
import { either, listOf, objectOf, oneOf, passing, readBy, readOption, string } from '../policy/option-reader.js'
import { readResources } from '../policy/resource.js'
import type { ScopeSet } from '../policy/scope-set.js'
import { GrantedPrincipal, type Holder } from './granted-principal.js'

/** A person who is signed in to the host, as its `session` callback answers. */
export type Session = {
  /** Becomes the principal's `ownerId` and `name`. */
  readonly id: string
  readonly tenantId?: string | undefined
  /** Scopes, wildcards and groups as a token may hold them; `'*'`: every scope of the catalogue. */
  readonly scopes: '*' | readonly string[]
  /** Data that the person may reach. Absent: all of it. */
  readonly resources?: Resources | undefined
}

/** The holder of a credential that the host's `foreign` callback knows. A principal that a verifier made fits too. */
export type ForeignPrincipal = {
  /** Names the credential, never by its own text. */
  readonly tokenId: string
  /** @default tokenId */
  readonly name?: string | undefined
  readonly tenantId?: string | undefined
  readonly ownerId?: string | undefined
  /** Scopes, wildcards and groups as a token may hold them. */
  readonly scopes: readonly string[]
  /** Data that the credential may reach. Absent: all of it. */
  readonly resources?: Resources | undefined
  readonly metadata?: JsonObject | undefined
}

/** Resolves what a host granted to names of the catalogue. */
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

/** Principals of verifiers have more fields, which are theirs. */
const foreign = objectOf(
  {
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
  },
  { others: 'drop' },
)

/**
 * Makes the principal of a session.
 *
 * @throws InvalidInputError `invalid_input`, for an incomplete answer
 */
export function sessionPrincipal(answer: unknown, all: ScopeSet, resolve: Resolve): Principal {
  const { id, tenantId, scopes, resources: reach } = readOption(session, refusingUndefined(answer), 'session')
  return new HostPrincipal('session', { name: id, ownerId: id, tenantId, resources: reach }, scopes === '*' ? all : resolve(scopes))
}

/**
 * Makes the principal of a credential that is none of ours.
 *
 * @throws InvalidInputError `invalid_input`, for an incomplete answer
 */
export function foreignPrincipal(answer: unknown, resolve: Resolve): Principal {
  const { scopes, ...rest } = readOption(foreign, refusingUndefined(answer), 'foreign')
  return new HostPrincipal('foreign', { ...rest, name: rest.name ?? rest.tokenId }, resolve(scopes))
}

// A tenant or a limit that got lost on its way must not become "every tenant" and "everything".
function refusingUndefined(answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null) return answer
  for (const limit of ['tenantId', 'resources']) {
    if (limit in answer && Reflect.get(answer, limit) === undefined) return { ...answer, [limit]: null }
  }
  return answer
}

/** Is this the principal of a session, made here? A property that says so is not enough. */
export function isSession(principal: unknown): boolean {
  return HostPrincipal.kindOf(principal) === 'session'
}

/** The principal of whoever the host let in. */
class HostPrincipal extends GrantedPrincipal {
  readonly kind: 'session' | 'foreign'
  readonly #kind: 'session' | 'foreign'
  #controller: AbortController | undefined

  constructor(kind: 'session' | 'foreign', holder: Holder, granted: ScopeSet) {
    super(holder, granted)
    this.kind = kind
    this.#kind = kind
  }

  /** Never fires: when a session ends is known to the host only. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    return this.#controller.signal
  }

  static kindOf(principal: unknown): 'session' | 'foreign' | undefined {
    return typeof principal === 'object' && principal !== null && #kind in principal ? principal.#kind : undefined
  }
}

import * as z from 'zod'
import { memoryStore } from '../../../adapters/stores/memory.js'
import { InvalidInputError } from '../../errors.js'
import { createGuard } from '../../http/authenticate.js'
import type { Latchkey } from '../../instance.js'
import { latchkey } from '../../latchkey.js'
import type { Principal } from '../../model/principal.js'
import { type CreateInput, STATUSES, type TokenStatus } from '../../model/record.js'
import type { LatchkeyOptions } from '../../options.js'
import { readShape } from '../../policy/shape.js'
import type { TokenStore } from '../../store/port.js'
import { refuseServed } from './refuse-served.js'

/** The options of `testLatchkey`: those of `latchkey`, with a default for the prefix and the store. */
export type TestOptions<S extends string = string> = Omit<LatchkeyOptions<S>, 'prefix' | 'store'> & {
  /** @default 'test' */
  readonly prefix?: string | undefined
  /** For tests of outages, such as `faultyStore(memoryStore())`. @default a new memory store */
  readonly store?: TokenStore | undefined
}

/** The token that a test needs: the input of `create`, all of it optional. */
export type TestTokenInput<S extends string = string> = {
  readonly [Name in Exclude<keyof CreateInput<S>, 'idempotencyKey'>]?: CreateInput<S>[Name] | undefined
} & {
  /** The status of the token when it is returned. @default 'active' */
  readonly status?: TokenStatus | undefined
}

/** An instance for tests, with helpers that create tokens and principals. */
export type TestLatchkey<S extends string = string> = {
  /** The instance to pass to the application instead of its own. */
  readonly tokens: Latchkey<S>
  /**
   * Creates a token and returns its text. Without `scopes`, the token has none.
   *
   * @throws InvalidInputError `invalid_input`
   */
  tokenFor(input?: TestTokenInput<S>): Promise<string>
  /**
   * Authenticates a request object that a unit test created, as the holder of a new token: the principal is set where the framework's adapter sets it
   * (`state.principal` if there is a `state`, otherwise `principal`), and `requireScopes` accepts the request.
   *
   * This function cannot be misused in production: it refuses requests that a server received, and every web `Request`. For those, send a token from
   * `tokenFor`.
   *
   * @throws InvalidInputError `invalid_input`
   */
  attachPrincipal(request: object, input?: Omit<TestTokenInput<S>, 'status'>): Promise<Principal<S>>
}

const HOUR = 3_600_000
const input = z.looseObject({
  status: z.enum(STATUSES, { error: `must be one of ${STATUSES.join(', ')}` }).optional(),
  idempotencyKey: z.undefined({ error: 'is not available for test tokens: each call creates a new one' }).optional(),
})
/** Fields that limit when a token is valid, which `status` also sets. */
const TERMS = ['expiresIn', 'expiresAt', 'notBefore'] as const

/**
 * Creates an in-memory instance with the scopes of your application, for its tests.
 *
 * Tokens, decisions and refusals are real; only the store is in memory.
 *
 * @throws InvalidInputError `invalid_input`, for unknown or invalid options
 * @example
 * ```ts
 * const { tokens, tokenFor } = testLatchkey({ scopes: { 'inventory:read': 'See stock' } })
 * const app = createApp(tokens)
 * const token = await tokenFor({ scopes: ['inventory:read'] })
 * const expired = await tokenFor({ scopes: ['inventory:read'], status: 'expired' })
 * ```
 */
export function testLatchkey<const S extends string>(given: TestOptions<S>): TestLatchkey<S> {
  if (Object(given) !== given) throw new InvalidInputError('testLatchkey()', 'must be an object with the scopes option')
  if ('catalogue' in given) {
    throw new InvalidInputError('testLatchkey()', 'takes options, not an instance: testLatchkey({ scopes: tokens.catalogue })')
  }
  const { prefix, store, ...rest } = given
  const options: LatchkeyOptions<S> = { ...rest, prefix: prefix ?? 'test', store: store ?? memoryStore() }
  const tokens = latchkey(options)
  const presented = new WeakMap<object, string>()
  const decide = createGuard<object>(
    tokens,
    { onWarning: () => undefined },
    {
      read: (request) => ({ method: 'GET', headers: ['authorization', `Bearer ${presented.get(request)}`] }),
      trustsProxy: () => undefined,
    },
  )

  /** Creates a token as the application would have created it an hour ago, or will create it in an hour. */
  async function createAt(shift: number, terms: CreateInput<S>): Promise<string> {
    const now = options.clock ?? (() => Date.now())
    const other = latchkey<S>({ ...options, clock: () => now() + shift })
    try {
      return (await other.system.create({ ...terms, ...(shift > 0 && { notBefore: now() + shift }), idempotencyKey: undefined })).token
    } finally {
      await other.close()
    }
  }

  async function tokenFor(given: TestTokenInput<S> = {}): Promise<string> {
    const { status = 'active', ...terms } = readInput(given)
    if (status === 'expired') return createAt(-HOUR, { ...terms, expiresIn: 1 })
    if (status === 'pending') return createAt(HOUR, terms)
    const { token, record } = await tokens.system.create({ ...terms, idempotencyKey: undefined })
    if (status === 'revoked') await tokens.system.revoke(record.id)
    if (status === 'inactive') await tokens.system.deactivate(record.id)
    return token
  }

  async function attachPrincipal(request: object, given: Omit<TestTokenInput<S>, 'status'> = {}): Promise<Principal<S>> {
    refuseServed(request)
    presented.set(request, await tokenFor({ ...given, status: 'active' } as TestTokenInput<S>))
    const { principal, use, response } = await decide(request)
    // Nothing serves the request, so nothing would end its use.
    use?.forget()
    if (principal === undefined) throw new InvalidInputError('input', `creates a token that is refused: ${response?.body}`)
    const state: unknown = Reflect.get(request, 'state')
    const holder = typeof state === 'object' && state !== null ? state : request
    Object.defineProperty(holder, 'principal', { value: principal, writable: true, enumerable: true, configurable: true })
    return principal
  }

  return { tokens, tokenFor, attachPrincipal }
}

function readInput<S extends string>(given: TestTokenInput<S>): CreateInput<S> & { readonly status?: TokenStatus | undefined } {
  const { status } = readShape(input, given, 'tokenFor()')
  const term = TERMS.find((name) => given[name] !== undefined)
  if (term !== undefined && (status === 'expired' || status === 'pending')) {
    throw new InvalidInputError(term, `contradicts status: '${status}', which sets the times itself: omit one of them`)
  }
  const scopes = given.scopes ?? (given.inherit === true ? undefined : [])
  return { name: 'test', ...given, scopes } as CreateInput<S> & { readonly status?: TokenStatus | undefined }
}

import { isIP } from 'node:net'
import type { Decider } from '../../../src/instance.js'
import type { Principal } from '../../../src/model/principal.js'
import { type FloorRecord, floorVerify } from '../floor.js'

/** The fields of a token that the hand-written guard keeps. */
export type HandRecord = FloorRecord & { readonly id: string; readonly name: string; readonly scopes: ReadonlySet<string> }

/** An admitted caller, with proof of the admission. Only this module creates one, and it is valid for one request. */
class Caller {
  readonly tokenId: string
  readonly name: string
  readonly #scopes: ReadonlySet<string>
  readonly #request: object
  /** The principal from latchkey, if latchkey verifies. */
  readonly principal: Principal | undefined
  #signal: AbortSignal | undefined

  constructor(record: HandRecord, request: object, principal?: Principal) {
    this.tokenId = record.id
    this.name = record.name
    this.#scopes = record.scopes
    this.#request = request
    this.principal = principal
  }

  allows(scope: string): boolean {
    return this.#scopes.has(scope)
  }

  get signal(): AbortSignal {
    this.#signal ??= new AbortController().signal
    return this.#signal
  }

  /** Whether a guard made this value for this request, and whether it holds the scope. */
  static holds(value: unknown, request: object, scope: string): boolean {
    return typeof value === 'object' && value !== null && #request in value && value.#request === request && value.#scopes.has(scope)
  }
}

type Count = { allowed: number; lastUsedAt: number; ip: string | undefined }

/**
 * A guard with the same duties as latchkey's, written by hand for one application. It reads the credential from the raw fields and refuses
 * a second one, verifies within a staleness bound, records the caller's address, binds the caller to the request, checks the scope, and
 * counts the use by route at the end of the response.
 * With `decider`, latchkey verifies and counts instead of the guard's own code. The difference shows how much of latchkey's cost is due to
 * these two steps.
 */
export class HandGuard {
  readonly #records: ReadonlyMap<string, HandRecord>
  readonly #prefix: string
  readonly #counts = new Map<string, Map<string, Count>>()
  readonly #decider: Decider | undefined
  #freshUntil = 0

  constructor(records: ReadonlyMap<string, HandRecord>, prefix: string, decider?: Decider) {
    this.#decider = decider
    this.#records = records
    this.#prefix = prefix
    const refresh = (): void => {
      this.#freshUntil = performance.now() + 2000
    }
    refresh()
    setInterval(refresh, 500).unref()
  }

  /** The caller that these raw fields admit, or `undefined`. */
  admit(request: object, rawHeaders: readonly string[], ip: string | undefined): Caller | undefined {
    let value: string | undefined
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] ?? ''
      if (name.length !== 13 || (name !== 'authorization' && name.toLowerCase() !== 'authorization')) continue
      if (value !== undefined) return undefined
      value = rawHeaders[at + 1]
    }
    return this.#admit(request, value, ip)
  }

  /** The same for fields in a `Headers` object, which joins repeated fields. */
  admitFetch(request: object, headers: Headers, ip: string | undefined): Caller | undefined {
    return this.#admit(request, headers.get('authorization') ?? undefined, ip)
  }

  #admit(request: object, value: string | undefined, ip: string | undefined): Caller | undefined {
    if (value === undefined || !/^Bearer +[A-Za-z0-9\-._~+/]+=*$/i.test(value)) return undefined
    if (ip !== undefined && isIP(ip) === 0) return undefined
    const token = value.slice(value.lastIndexOf(' ') + 1)
    if (this.#decider !== undefined) return this.#verified(this.#decider, request, token, ip)
    if (performance.now() >= this.#freshUntil || !floorVerify(this.#records, this.#prefix, token)) return undefined
    const start = this.#prefix.length + 1
    const record = this.#records.get(token.slice(start, start + 16))
    return record === undefined ? undefined : new Caller(record, request)
  }

  #verified(decider: Decider, request: object, token: string, ip: string | undefined): Caller | undefined {
    const answer = decider.decide(token, { ip, method: 'GET' })
    if (answer instanceof Promise) throw new Error('the token is not in the cache')
    const record = answer.ok ? this.#records.get(answer.principal.tokenId ?? '') : undefined
    return answer.ok && record !== undefined ? new Caller(record, request, answer.principal) : undefined
  }

  /** Whether the request carries its own caller with this scope. */
  holds(value: unknown, request: object, scope: string): boolean {
    return Caller.holds(value, request, scope)
  }

  count({ tokenId, principal }: Caller, endpoint: string, ip: string | undefined): void {
    if (principal !== undefined) {
      this.#decider?.countUse(principal, ip === undefined ? { endpoint } : { endpoint, ip })
      return
    }
    const own = this.#counts.get(tokenId) ?? new Map<string, Count>()
    if (own.size === 0) this.#counts.set(tokenId, own)
    const found = own.get(endpoint)
    if (found === undefined) own.set(endpoint, { allowed: 1, lastUsedAt: Date.now(), ip })
    else {
      found.allowed += 1
      found.lastUsedAt = Date.now()
      found.ip = ip
    }
  }
}

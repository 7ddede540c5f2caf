import { isIP } from 'node:net'
import { type FloorRecord, floorVerify } from '../floor.js'

/** What the guard written by hand keeps of a token. */
export type HandRecord = FloorRecord & { readonly id: string; readonly name: string; readonly scopes: ReadonlySet<string> }

/** Who was let in, and proof of it: only this module makes one, and it is good for one request. */
class Caller {
  readonly tokenId: string
  readonly name: string
  readonly #scopes: ReadonlySet<string>
  readonly #request: object
  #signal: AbortSignal | undefined

  constructor(record: HandRecord, request: object) {
    this.tokenId = record.id
    this.name = record.name
    this.#scopes = record.scopes
    this.#request = request
  }

  allows(scope: string): boolean {
    return this.#scopes.has(scope)
  }

  get signal(): AbortSignal {
    this.#signal ??= new AbortController().signal
    return this.#signal
  }

  /** Is this what a guard made for this very request, and does it hold the scope? */
  static holds(value: unknown, request: object, scope: string): boolean {
    return typeof value === 'object' && value !== null && #request in value && value.#request === request && value.#scopes.has(scope)
  }
}

type Count = { allowed: number; lastUsedAt: number; ip: string | undefined }

/**
 * A guard of the same duties as ours, written by hand for one application: it reads the credential from the raw fields and refuses a second one, verifies
 * within a bound of freshness, notes the caller's address, binds who was let in to the request, checks the scope, and counts the use by route at the end of the
 * response.
 */
export class HandGuard {
  readonly #records: ReadonlyMap<string, HandRecord>
  readonly #prefix: string
  readonly #counts = new Map<string, Map<string, Count>>()
  #freshUntil = 0

  constructor(records: ReadonlyMap<string, HandRecord>, prefix: string) {
    this.#records = records
    this.#prefix = prefix
    const refresh = (): void => {
      this.#freshUntil = performance.now() + 2000
    }
    refresh()
    setInterval(refresh, 500).unref()
  }

  /** Who may come in with these raw fields; `undefined` where nobody may. */
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

  /** The same where fields come as `Headers`, which join repeated ones. */
  admitFetch(request: object, headers: Headers, ip: string | undefined): Caller | undefined {
    return this.#admit(request, headers.get('authorization') ?? undefined, ip)
  }

  #admit(request: object, value: string | undefined, ip: string | undefined): Caller | undefined {
    if (value === undefined || !/^Bearer +[A-Za-z0-9\-._~+/]+=*$/i.test(value)) return undefined
    if (ip !== undefined && isIP(ip) === 0) return undefined
    const token = value.slice(value.lastIndexOf(' ') + 1)
    if (performance.now() >= this.#freshUntil || !floorVerify(this.#records, this.#prefix, token)) return undefined
    const start = this.#prefix.length + 1
    const record = this.#records.get(token.slice(start, start + 16))
    return record === undefined ? undefined : new Caller(record, request)
  }

  /** Does the request carry a caller of its own with this scope? */
  holds(value: unknown, request: object, scope: string): boolean {
    return Caller.holds(value, request, scope)
  }

  count({ tokenId }: Caller, endpoint: string, ip: string | undefined): void {
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

import { StoreUnavailableError } from '../../errors.js'
import { callOut } from '../../store/deadline.js'
import type { Report } from '../../store/reporter.js'
import { importPublicKey, type PublicKey } from './signature.js'

const DEADLINE_MS = 5000
const MAX_KEYS = 100
const MAX_BYTES = 256 * 1024
/** A key that is not known is looked for again, but not more often than this. */
const REFETCH_EVERY_MS = 60_000
const FRESH_MS = 24 * 3_600_000

/** As the platform's `fetch`. */
export type Fetch = (
  url: string,
  init: { readonly headers: Record<string, string>; readonly redirect: 'error'; readonly signal: AbortSignal },
) => Promise<Response>

/** The sender's public keys: fetched once, kept for a day, looked up anew at most once a minute when a report names an unknown one. */
export class KeyRing {
  readonly #url: string
  readonly #fetch: Fetch
  readonly #report: Report
  readonly #monotonic: () => number
  #keys: ReadonlyMap<string, PublicKey> = new Map()
  #fetchedAt = Number.NEGATIVE_INFINITY
  #triedAt = Number.NEGATIVE_INFINITY
  #fetching: Promise<void> | undefined

  constructor(url: string, fetch: Fetch, report: Report, monotonic: () => number = () => performance.now()) {
    this.#url = url
    this.#fetch = fetch
    this.#report = report
    this.#monotonic = monotonic
  }

  /**
   * The key of this identifier, or `undefined` where the sender has none of that name.
   *
   * @throws StoreUnavailableError `store_unavailable`, when the keys cannot be had, so that nothing can be said
   */
  async find(identifier: string): Promise<PublicKey | undefined> {
    const known = this.#keys.get(identifier)
    if (known !== undefined && this.#monotonic() - this.#fetchedAt < FRESH_MS) return known
    await this.#refetch()
    return this.#keys.get(identifier)
  }

  async #refetch(): Promise<void> {
    if (this.#fetching === undefined) {
      const now = this.#monotonic()
      if (now - this.#triedAt < REFETCH_EVERY_MS) {
        if (this.#triedAt > this.#fetchedAt) throw new StoreUnavailableError("the sender's public keys could not be fetched a moment ago")
        return
      }
      this.#triedAt = now
      this.#fetching = this.#load().finally(() => {
        this.#fetching = undefined
      })
    }
    await this.#fetching
  }

  async #load(): Promise<void> {
    const text = await callOut(
      { what: "fetching the sender's public keys", where: 'keys', deadlineMs: DEADLINE_MS, report: this.#report },
      () => this.#read(),
      (answer) => String(answer),
    )
    const keys = new Map<string, PublicKey>()
    for (const [identifier, pem] of readKeys(text)) {
      const key = await importPublicKey(pem)
      if (key !== undefined) keys.set(identifier, key)
    }
    if (keys.size === 0) throw new StoreUnavailableError("the answer at the sender's key address holds no usable public key")
    this.#keys = keys
    this.#fetchedAt = this.#triedAt
  }

  async #read(): Promise<string> {
    const response = await this.#fetch(this.#url, {
      headers: { accept: 'application/json' },
      redirect: 'error',
      signal: AbortSignal.timeout(DEADLINE_MS),
    })
    if (!response.ok) throw new StoreUnavailableError(`the sender's key address answered ${response.status}`)
    const text = await response.text()
    if (text.length > MAX_BYTES) throw new StoreUnavailableError("the answer at the sender's key address is too large")
    return text
  }
}

/** `{ public_keys: [{ key_identifier, key }] }`, with whatever else may stand in it. */
function readKeys(text: string): readonly (readonly [string, string])[] {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    throw new StoreUnavailableError("the answer at the sender's key address is not JSON")
  }
  const keys: unknown = Reflect.get(Object(document), 'public_keys')
  if (!Array.isArray(keys)) throw new StoreUnavailableError("the answer at the sender's key address has no public_keys")
  return keys.slice(0, MAX_KEYS).flatMap((entry: unknown) => {
    const { key_identifier: identifier, key } = Object(entry) as { key_identifier?: unknown; key?: unknown }
    return typeof identifier === 'string' && typeof key === 'string' ? [[identifier, key] as const] : []
  })
}

import type { Rate } from '../../cache/budget.js'
import { StoreUnavailableError } from '../../errors.js'
import { readRawText } from '../../http/fetch-answer.js'
import { callOut } from '../../store/deadline.js'
import type { Report } from '../../store/reporter.js'
import { Refetch } from '../jwt/refetch.js'
import { importPublicKey, type PublicKey } from './signature.js'

/** How long the sender may take. A waiting request waits no longer than its own deadline. */
const FETCH_MS = 5000
const MAX_KEYS = 100
const MAX_BYTES = 256 * 1024
const FRESH_MS = 24 * 3_600_000
/** At most 54 fetches an hour. GitHub answers 60 unauthenticated requests an hour from an address, and anyone can name unknown keys. */
const FETCHES: Rate = { burst: 4, perSecond: 50 / 3600 }

/** Same signature as the platform's `fetch`. */
export type Fetch = (
  url: string,
  init: { readonly headers: Record<string, string>; readonly redirect: 'error'; readonly signal: AbortSignal },
) => Promise<Response>

/** The sender's public keys. They are fetched once, kept for a day, and fetched again when a report names an unknown key. */
export class KeyRing {
  readonly #url: string
  readonly #fetch: Fetch
  readonly #report: Report
  readonly #monotonic: () => number
  #keys: ReadonlyMap<string, PublicKey> = new Map()
  #fetchedAt = Number.NEGATIVE_INFINITY
  readonly #deadlineMs: number
  readonly #refetch: Refetch

  constructor(
    url: string,
    fetch: Fetch,
    { report, deadlineMs }: { readonly report: Report; readonly deadlineMs: number },
    monotonic: () => number = () => performance.now(),
  ) {
    this.#url = url
    this.#fetch = fetch
    this.#report = report
    this.#deadlineMs = deadlineMs
    this.#monotonic = monotonic
    this.#refetch = new Refetch(() => this.#load(), monotonic, FETCHES)
  }

  /**
   * Returns the key with this identifier, or `undefined` if the sender has none.
   *
   * @throws StoreUnavailableError `store_unavailable`, when the keys cannot be fetched, so no answer is possible
   */
  async find(identifier: string): Promise<PublicKey | undefined> {
    const dueAt = this.#monotonic() + this.#deadlineMs
    const left = (): number => dueAt - this.#monotonic()
    const asked = this.#refetch.now
    if (!(this.#monotonic() - this.#fetchedAt < FRESH_MS)) await this.#refetch.wait(left())
    return await this.#refetch.find(identifier, asked, () => this.#keys.get(identifier), left)
  }

  async #load(): Promise<void> {
    const begunAt = this.#monotonic()
    const text = await callOut(
      { what: "fetching the sender's public keys", where: 'keys', deadlineMs: FETCH_MS, report: this.#report },
      () => this.#read(),
      (answer) => String(answer),
    )
    const keys = new Map<string, PublicKey>()
    for (const [identifier, pem] of readKeys(text)) {
      const key = await importPublicKey(pem)
      if (key !== undefined) keys.set(identifier, key)
    }
    if (keys.size === 0) throw new StoreUnavailableError("the response from the sender's key URL contains no usable public key")
    this.#keys = keys
    this.#fetchedAt = begunAt
  }

  async #read(): Promise<string> {
    const response = await this.#fetch(this.#url, {
      headers: { accept: 'application/json' },
      redirect: 'error',
      signal: AbortSignal.timeout(FETCH_MS),
    })
    if (!response.ok) throw new StoreUnavailableError(`the sender's key URL returned ${response.status}`)
    return await readRawText(response, MAX_BYTES)
  }
}

/** `{ public_keys: [{ key_identifier, key }] }`; other members are ignored. */
function readKeys(text: string): readonly (readonly [string, string])[] {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    throw new StoreUnavailableError("the response from the sender's key URL is not JSON")
  }
  const keys: unknown = Reflect.get(Object(document), 'public_keys')
  if (!Array.isArray(keys)) throw new StoreUnavailableError("the response from the sender's key URL has no public_keys")
  return keys.slice(0, MAX_KEYS).flatMap((entry: unknown) => {
    const { key_identifier: identifier, key } = Object(entry) as { key_identifier?: unknown; key?: unknown }
    return typeof identifier === 'string' && typeof key === 'string' ? [[identifier, key] as const] : []
  })
}

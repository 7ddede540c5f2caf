import { StoreUnavailableError } from '../../errors.js'
import { callOut } from '../../store/deadline.js'
import type { Report } from '../../store/reporter.js'
import { Refetch } from '../jwt/refetch.js'
import { importPublicKey, type PublicKey } from './signature.js'

/** How long the sender may take. Who waits for it waits no longer than its own request may take. */
const FETCH_MS = 5000
const MAX_KEYS = 100
const MAX_BYTES = 256 * 1024
const FRESH_MS = 24 * 3_600_000

/** As the platform's `fetch`. */
export type Fetch = (
  url: string,
  init: { readonly headers: Record<string, string>; readonly redirect: 'error'; readonly signal: AbortSignal },
) => Promise<Response>

/** The sender's public keys: fetched once, kept for a day, and fetched anew when a report names an unknown one. */
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
    this.#refetch = new Refetch(() => this.#load(), monotonic)
  }

  /**
   * The key of this identifier, or `undefined` where the sender has none of that name.
   *
   * @throws StoreUnavailableError `store_unavailable`, when the keys cannot be had, so that nothing can be said
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
    if (keys.size === 0) throw new StoreUnavailableError("the answer at the sender's key address holds no usable public key")
    this.#keys = keys
    this.#fetchedAt = begunAt
  }

  async #read(): Promise<string> {
    const response = await this.#fetch(this.#url, {
      headers: { accept: 'application/json' },
      redirect: 'error',
      signal: AbortSignal.timeout(FETCH_MS),
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

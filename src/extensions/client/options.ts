import type { MaybePromise } from '../../model/json.js'
import type { Duration } from '../../model/record.js'
import { ClientError } from './client-error.js'
import { isToken } from './token-text.js'

/** The state that the holder stores: the token and, during a rotation, a note that lets the next start finish it. */
export type ClientState = {
  readonly token: string
  /** Text that only the client reads. It is as secret as the token. Store the note if it is present, and delete the stored note if it is absent. */
  readonly rotation?: string | undefined
}

/** Storage for a holder's token, such as `fileStorage` of `latchkey/client/node`. */
export type ClientStorage = {
  /** Returns the state that was saved last, or `undefined` if there is none. Called at startup, before, during and after every rotation, and after a 401. */
  load(): MaybePromise<ClientState | null | undefined>
  /**
   * Durably replaces the saved state, and resolves only after the new state is durable. Called before and after each rotation.
   *
   * `replaces` lists the tokens that may be overwritten. If the storage contains another token, a person has just put it there: reject, and keep that
   * token. The client then loads and uses it.
   */
  save(state: ClientState, replaces?: readonly string[]): MaybePromise<void>
  /**
   * Runs `work` under a lock that all processes that share the storage take. Web Locks have this shape. Without a lock, only one process may use the storage.
   *
   * A process may be suspended for so long that it loses the lock. The client notices that from the result of `load`.
   */
  lock?(work: () => Promise<void>): Promise<unknown>
}

/** The part of `fetch` that the client calls, and that it implements. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** Options of `createClient`. */
export type ClientOptions = {
  /** Where the management API is mounted: `https://api.example.com/admin/tokens`. Plain HTTP is for private networks; elsewhere, `onError` gets `unencrypted`. */
  readonly manage: string | URL
  /** The token to start with if `load` has none yet. */
  readonly token?: string | undefined
  readonly load?: ClientStorage['load'] | undefined
  readonly save: ClientStorage['save']
  readonly lock?: ClientStorage['lock'] | undefined
  /**
   * How long the old token keeps working alongside the new one. Allow enough time to restart after a crash, and for a person to step in.
   *
   * @default '1h'
   */
  readonly overlap?: Duration | undefined
  /**
   * The origins that receive the token. Requests to others are refused.
   *
   * @default the origin of `manage`
   */
  readonly origins?: readonly string[] | undefined
  /**
   * How long one call to the management API, `load` or `save` may take.
   *
   * @default '10s'
   */
  readonly deadline?: Duration | undefined
  /** Sends the requests. @default the platform's own `fetch` */
  readonly fetch?: Fetch | undefined
  /**
   * Called for every failed rotation, once if the storage loses its token, and once at creation if the token is sent over plain HTTP to a host outside a
   * private network. Requests continue in each case.
   *
   * @default one `console.warn` each
   */
  readonly onError?: ((error: ClientError) => void) | undefined
}

/** The validated options. */
export type Settings = {
  /** Without a trailing slash. */
  readonly manage: string
  readonly token: string | undefined
  readonly load: ClientStorage['load'] | undefined
  readonly save: ClientStorage['save']
  readonly lock: ClientStorage['lock'] | undefined
  readonly origins: ReadonlySet<string>
  readonly overlapSeconds: number
  readonly deadlineMs: number
  readonly fetch: Fetch
  /** Never throws. Reports an error object only once. */
  readonly report: (error: ClientError) => void
}

const SOURCE = 'check where it comes from, such as an environment variable that is not set'
const EMPTY = `is empty: ${SOURCE}`
const UNSET = `is undefined: ${SOURCE}`

const UNITS: { readonly [unit: string]: number } = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/**
 * Validates the options.
 *
 * @throws ClientError `invalid_input`
 */
export function readOptions(options: ClientOptions): Settings {
  // The properties of a string are its characters: a token in place of the options.
  demand(Object(options) === options, 'options', 'must be an object')
  const {
    manage,
    token,
    load,
    save,
    lock,
    overlap = '1h',
    origins,
    deadline = '10s',
    fetch = platformFetch,
    onError = warn,
    ...others
  } = options
  for (const name of Object.keys(others))
    demand(false, name, 'is not an option; use manage, token, load, save, lock, overlap, origins, deadline, fetch, onError')
  demand(save !== undefined, 'save', 'is required: a function that stores each new token')
  for (const [name, value] of Object.entries({ save, load, lock, fetch, onError }))
    demand(value === undefined || typeof value === 'function', name, 'must be a function')
  demand(token !== undefined || load !== undefined, 'token', Object.hasOwn(options, 'token') ? UNSET : 'is required without `load`')
  demand(token !== '', 'token', EMPTY)
  demand(token === undefined || isToken(token), 'token', 'must be a complete token, such as acme_live_…, without spaces')
  const base = readUrl('manage', manage, /^/)
  const reported = new WeakSet<ClientError>()
  const names = origins === undefined ? [base.origin] : origins
  demand(Array.isArray(names) && names.length > 0, 'origins', 'must be a list of origins')
  return {
    token,
    load,
    save,
    lock,
    manage: base.href.replace(/\/+$/, ''),
    origins: new Set(names.map((name) => readUrl('origins', name, /^\/$/).origin)),
    overlapSeconds: readDuration('overlap', overlap, 1, 90 * 86_400),
    deadlineMs: readDuration('deadline', deadline, 0.01, 3600) * 1000,
    fetch,
    report(error) {
      // A rotation may fail with the same error many times.
      if (reported.has(error)) return
      reported.add(error)
      // A failing listener, asynchronous or not, must stop neither a rotation nor the process.
      void (async () => onError(error))().catch(() => undefined)
    },
  }
}

// Looked up on each call, because tracing and test tools replace the global function.
const platformFetch: Fetch = (input, init) => globalThis.fetch(input, init)

function warn({ code, message }: ClientError): void {
  console.warn(`latchkey/client: ${code}: ${message}`)
}

// The message omits the value, which may contain a password.
function readUrl(name: string, value: unknown, path: RegExp): URL {
  // A URL object may come from another realm.
  const text: string = typeof value === 'string' ? value : Object(value).href
  demand(value !== undefined, name, UNSET)
  demand(text !== '', name, EMPTY)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && url.href === url.origin + url.pathname && /^http/.test(url.protocol) && path.test(url.pathname)) return url
  throw invalid(name, 'must be https:// or http:// and a host, without user, query or fragment; only `manage` may have a path')
}

function readDuration(name: string, value: unknown, min: number, max: number): number {
  const [, digits, unit = ''] = /^(\d{1,10})([smhdw])$/.exec(typeof value === 'string' ? value : '') ?? []
  const seconds = typeof value === 'number' ? value : Number(digits) * (UNITS[unit] ?? 1)
  if (seconds >= min && seconds <= max && (min < 1 || Number.isInteger(seconds))) return seconds
  throw invalid(name, `must be a number of seconds or a string such as "15m", from ${min} to ${max} seconds`)
}

function demand(holds: boolean, name: string, must: string): void {
  if (!holds) throw invalid(name, must)
}

function invalid(name: string, must: string): ClientError {
  return new ClientError('invalid_input', `${name}: ${must}`)
}

/** The kinds of problems that users need to tell apart. */
export type ProblemKind =
  | 'offline'
  | 'unreachable'
  | 'intercepted'
  | 'limited'
  | 'store'
  | 'callback'
  | 'moving'
  | 'server'
  | 'signedOut'
  | 'forbidden'
  | 'missing'
  | 'refused'

const TRANSIENT: ReadonlySet<ProblemKind> = new Set([
  'offline',
  'unreachable',
  'intercepted',
  'limited',
  'store',
  'callback',
  'moving',
  'server',
])

/** Something between this page and the API responded in its place. */
export const INTERCEPTED = 'intercepted'

/** Refusals that are sent before the server checks whether the request was already performed. */
const UNSETTLING: ReadonlySet<number> = new Set([401, 403, 408, 409, 429])

/** A refusal by the API, or a failure to reach it (`status` 0). */
export class Problem extends Error {
  readonly status: number
  readonly code: string
  readonly kind: ProblemKind
  readonly version: number | undefined
  /** The number of seconds after which the server allows a retry. */
  readonly retryAfter: number | undefined
  /** By the name of the first step of the pointer: `scopes` for `#/scopes/0`. */
  readonly fields: { readonly [field: string]: string }

  constructor(status: number, body: unknown, retryAfter?: string | null) {
    const told = Object(body) as { detail?: unknown; code?: unknown; version?: unknown; errors?: unknown; failed?: unknown }
    super(typeof told.detail === 'string' ? told.detail : `HTTP ${status}`)
    this.status = status
    this.code = typeof told.code === 'string' ? told.code : ''
    this.kind = kindOf(status, this.code, told.failed)
    this.version = typeof told.version === 'number' ? told.version : undefined
    this.retryAfter = secondsOf(retryAfter)
    this.fields = fieldsOf(told.errors, this.message)
  }

  /** Whether nothing was decided, so that a retry makes sense. */
  get transient(): boolean {
    return TRANSIENT.has(this.kind)
  }

  /** Whether the change may have been made although no response arrived. */
  get uncertain(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 504
  }

  /** Whether an earlier attempt at the same change got no response, and this refusal does not reveal its outcome. */
  unsettled = false

  /** A sentence for the user about what someone else did to the token first. */
  told: string | undefined

  /** Whether the outcome of the change is unknown, because a store that answers late may have made it. */
  get open(): boolean {
    return this.unsettled || this.status === 0 || (this.status >= 500 && this.kind !== 'moving')
  }

  /** Whether this proves that no earlier attempt at the same request was performed, because the response would then differ. */
  get settles(): boolean {
    return this.status >= 400 && this.status < 500 && !UNSETTLING.has(this.status)
  }

  /** Converts anything thrown to a problem. */
  static of(error: unknown): Problem {
    return error instanceof Problem ? error : new Problem(0, { detail: String(error) })
  }
}

function kindOf(status: number, code: string, failed: unknown): ProblemKind {
  if (status === 0) return code === INTERCEPTED ? INTERCEPTED : navigator.onLine ? 'unreachable' : 'offline'
  if (status === 401) return 'signedOut'
  if (status === 403 && code !== 'grant_denied') return 'forbidden'
  if (status === 404) return 'missing'
  if (status === 429) return 'limited'
  if (status === 503 && code === 'store_moving') return 'moving'
  if (status === 503 && (failed === 'store' || failed === 'callback')) return failed
  return status >= 500 ? 'server' : 'refused'
}

// RFC 9110 §10.2.3: seconds, or a date.
function secondsOf(value: string | null | undefined): number | undefined {
  if (value == null || value === '') return undefined
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined
}

function fieldsOf(errors: unknown, message: string): { readonly [field: string]: string } {
  if (Array.isArray(errors)) {
    return Object.fromEntries(errors.map((error) => [String(error.pointer).split('/')[1] ?? '', String(error.detail)]))
  }
  const field = /^([a-zA-Z]+)(?:\.[^:]*)?: (.*)$/s.exec(message)
  return field?.[1] === undefined ? {} : { [field[1]]: field[2] ?? message }
}

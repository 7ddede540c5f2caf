import { ClientError, describe } from './client-error.js'
import { instantOf, type RecordPart } from './due.js'
import type { Settings } from './options.js'
import type { Rotation } from './rotation.js'
import { idOf, isToken, prefixOf } from './token-text.js'
import { within } from './wait.js'

/** A token's own record, and the server's clock at the time of the response. */
export type Self = { readonly record: RecordPart; readonly mayRotate: boolean; readonly now: number }

/** A successor that is not yet saved anywhere. */
export type Successor = {
  readonly token: string
  readonly record: RecordPart
  /** The IDs of lost successors that it replaces. They have ended. */
  readonly ended: readonly string[]
}

/** How a rotation continues if the server has already performed it. */
export type Continuation = {
  /** The successor that an earlier attempt received. It may have been replaced since. */
  readonly known: Successor | undefined
  /**
   * Returns whether the successor may be declared lost. A client that has lost its lock must not do so, because another client may have saved that
   * successor.
   */
  mayReplace(): Promise<boolean>
}

type Answer = { readonly body: { readonly [name: string]: unknown }; readonly date: number | undefined }

/** More than a record can have: metadata, resources, addresses and scopes each have a limit. */
const MAX_ANSWER_BYTES = 1_048_576
/** Maximum delay accepted from the server: an hour. */
const MAX_RETRY_SECONDS = 3600

/**
 * Reads the record of a token.
 *
 * @throws ClientError
 */
export async function readSelf(settings: Settings, token: string): Promise<Self> {
  const { body, date } = await call(settings, token, 'GET', '/self')
  const record = readRecord(body.record)
  if (record.id !== idOf(token)) throw unusable('it describes a different token')
  // The Date header omits fractions of a second. Browsers hide it from pages on other origins.
  const now = date === undefined ? Date.now() : date + 999
  return { record, now, mayRotate: Array.isArray(body.effectiveScopes) && body.effectiveScopes.includes('tokens:rotate-self') }
}

/**
 * Rotates a token, or completes a rotation whose response was lost.
 *
 * A repeated request creates no second successor, but it cannot return the token of the first successor, because that token is not stored anywhere. The
 * client then declares that successor lost, and the server replaces it. Both steps are safe to repeat, in any order and with any delay.
 *
 * Returns `undefined` if the successor must not be replaced.
 *
 * @throws ClientError
 */
export async function rotateSelf(
  settings: Settings,
  token: string,
  { key, overlap }: Rotation,
  { known, mayReplace }: Continuation,
): Promise<Successor | undefined> {
  const ended: string[] = []
  let lostId: string | undefined
  // Up to three attempts: one to learn of the first successor, one to learn of the last successor, and one to replace it.
  for (let tries = 0; tries < 3; tries += 1) {
    const { body } = await call(settings, token, 'POST', '/self/rotate', key, { overlap, lostId })
    const record = readRecord(body.record)
    if (lostId !== undefined && lostId !== record.id) ended.push(lostId)
    if (body.replayed !== true) {
      const successor = body.token
      if (!isToken(successor) || prefixOf(successor) !== prefixOf(token)) throw unusable('its token has a different prefix')
      if (idOf(successor) !== record.id || record.id === idOf(token)) throw unusable('its token does not belong to its record')
      return { token: successor, record, ended }
    }
    if (record.id === known?.record.id && record.replacedById === undefined) return known
    if (!(await mayReplace())) return undefined
    lostId = record.id
  }
  throw unusable('the successor is repeatedly reported as lost')
}

async function call(settings: Settings, token: string, method: string, path: string, key?: string, body?: object): Promise<Answer> {
  // Has no user, query or fragment, which may be secret.
  const url = settings.manage + path
  const abort = new AbortController()
  try {
    // A host's own `fetch` may ignore the signal.
    return await within(settings.deadlineMs, exchange())
  } catch (error) {
    if (error instanceof ClientError) throw error
    throw new ClientError('server_unavailable', `${method} ${url} failed: ${describe(error)}`)
  } finally {
    // Aborts anything still in progress, such as the rest of a body that is too large.
    abort.abort()
  }

  async function exchange(): Promise<Answer> {
    const headers = new Headers({ authorization: `Bearer ${token}`, accept: 'application/json' })
    if (key !== undefined) {
      headers.set('idempotency-key', key)
      headers.set('content-type', 'application/json')
    }
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
    // The API never redirects, and no other origin may receive the token.
    const response = await settings.fetch(url, { ...init, redirect: 'manual', signal: abort.signal })
    const text = await readText(response)
    if (response.status !== 200 && response.status !== 201) throw refusalOf(`${method} ${url}`, response, text)
    const parsed = parse(text)
    if (parsed === undefined) throw unusable('it is not a JSON object')
    return { body: parsed, date: instantOf(response.headers.get('date')) }
  }
}

function refusalOf(route: string, { status, headers }: Response, text: string): ClientError {
  const code = parse(text)?.code
  const reason = typeof code === 'string' && /^[a-z_]{1,40}$/.test(code) ? code : undefined
  const seconds = secondsIn(headers)
  const details = { status, reason, retryAfterSeconds: seconds > 0 ? Math.min(seconds, MAX_RETRY_SECONDS) : undefined }
  const answered = `${route} answered ${status} ${reason ?? ''}`.trim()
  if (status === 429 || status >= 500) return new ClientError('server_unavailable', answered, details)
  if (status === 401) return new ClientError('token_refused', `${answered}: supply a new token`, details)
  if (reason === 'conflict') return new ClientError('token_replaced', `${answered}: supply the successor`, details)
  if (reason !== undefined) return new ClientError('rotation_refused', answered, details)
  return new ClientError('answer_invalid', `${answered}, which the management API never does: check the \`manage\` option`, details)
}

/** Reads `Retry-After`: seconds or a date (RFC 9110 §10.2.3). */
function secondsIn(headers: Headers): number {
  const text = headers.get('retry-after')
  const at = /^\s*\d/.test(text ?? '') ? undefined : instantOf(text)
  return at === undefined ? Number(text) : Math.ceil((at - (instantOf(headers.get('date')) ?? Date.now())) / 1000)
}

/** Reads a body up to a limit, because a server that never stops must not exhaust the memory. */
async function readText(response: Response): Promise<string> {
  const reader = response.body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  for (let size = 0; reader !== undefined; ) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.byteLength
    if (size > MAX_ANSWER_BYTES) throw unusable('it is too large')
    text += decoder.decode(value, { stream: true })
  }
  return text
}

function parse(text: string): Answer['body'] | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function readRecord(value: unknown): RecordPart {
  const { id, ...rest }: { [name: string]: unknown } = Object(value)
  const { replacedById } = rest
  // Errors contain this ID, and any text that is not an ID could be part of the token.
  if (!isId(id) || (typeof replacedById === 'string' && !isId(replacedById))) throw unusable('it has no valid record')
  return { ...Object.fromEntries(Object.entries(rest).filter(([, field]) => typeof field === 'string')), id }
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9A-Za-z]{16}$/.test(value)
}

function unusable(why: string): ClientError {
  return new ClientError('answer_invalid', `the response from the management API is unusable: ${why}`)
}

import { ClientError, describe } from './client-error.js'
import { instantOf, type RecordPart } from './due.js'
import type { Settings } from './options.js'
import type { Rotation } from './rotation.js'
import { idOf, isToken, prefixOf } from './token-text.js'
import { within } from './wait.js'

/** A token's own record, and the server's clock when it answered. */
export type Self = { readonly record: RecordPart; readonly mayRotate: boolean; readonly now: number }

/** A successor, not yet kept anywhere. */
export type Successor = { readonly token: string; readonly record: RecordPart }

type Answer = { readonly body: { readonly [name: string]: unknown }; readonly date: number | undefined }

/** Far more than any answer of the API needs: a record holds at most 16 KiB of metadata. */
const MAX_ANSWER_BYTES = 131_072
/** Nobody is asked to come back later than in an hour. */
const MAX_RETRY_SECONDS = 3600

/**
 * Reads the record of a token.
 *
 * @throws ClientError
 */
export async function readSelf(settings: Settings, token: string): Promise<Self> {
  const { body, date } = await call(settings, token, 'GET', '/self')
  const record = readRecord(body.record)
  if (record.id !== idOf(token)) throw unusable('it is about another token')
  // The Date header leaves out the fraction of the second. Browsers hide it from pages of other origins.
  const now = date === undefined ? Date.now() : date + 999
  return { record, now, mayRotate: Array.isArray(body.effectiveScopes) && body.effectiveScopes.includes('tokens:rotate-self') }
}

/**
 * Rotates a token, or finishes a rotation whose answer was lost.
 *
 * Sent again, the same request makes no second successor, but cannot show the first one's token either: nobody has kept it. So the client then names
 * that successor as lost, and the server replaces it. Both steps are safe to repeat, in any order and however late a copy of them arrives.
 *
 * @throws ClientError
 */
export async function rotateSelf(settings: Settings, token: string, { key, overlap }: Rotation): Promise<Successor> {
  let lostId: string | undefined
  // Once to hear of the first successor, once to hear of the last one, once to replace that.
  for (let tries = 0; tries < 3; tries += 1) {
    const { body } = await call(settings, token, 'POST', '/self/rotate', key, { overlap, lostId })
    const record = readRecord(body.record)
    if (body.replayed !== true) {
      const successor = body.token
      if (!isToken(successor) || prefixOf(successor) !== prefixOf(token)) throw unusable('its token has another prefix')
      if (idOf(successor) !== record.id || record.id === idOf(token)) throw unusable('its token and its record do not belong together')
      return { token: successor, record }
    }
    lostId = record.id
  }
  throw unusable('the successor keeps being reported as lost')
}

async function call(settings: Settings, token: string, method: string, path: string, key?: string, body?: object): Promise<Answer> {
  const abort = new AbortController()
  try {
    // A `fetch` of the host's own may ignore the signal.
    return await within(settings.deadlineMs, exchange())
  } catch (error) {
    if (error instanceof ClientError) throw error
    throw new ClientError('server_unavailable', `${method} ${path} failed: ${describe(error)}`)
  } finally {
    // Ends what is still on its way, such as the rest of a body that is too large.
    abort.abort()
  }

  async function exchange(): Promise<Answer> {
    const headers = new Headers({ authorization: `Bearer ${token}`, accept: 'application/json' })
    if (key !== undefined) {
      headers.set('idempotency-key', key)
      headers.set('content-type', 'application/json')
    }
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
    // The API never redirects, and another place has no business with the token.
    const response = await settings.fetch(settings.manage + path, { ...init, redirect: 'manual', signal: abort.signal })
    const text = await readText(response)
    if (response.status !== 200 && response.status !== 201) throw refusalOf(`${method} ${path}`, response, text)
    const parsed = parse(text)
    if (parsed === undefined) throw unusable('it is not a JSON object')
    return { body: parsed, date: instantOf(response.headers.get('date')) }
  }
}

function refusalOf(route: string, { status, headers }: Response, text: string): ClientError {
  const code = parse(text)?.code
  const reason = typeof code === 'string' && /^[a-z_]{1,40}$/.test(code) ? code : undefined
  const seconds = Number(headers.get('retry-after'))
  const details = { status, reason, retryAfterSeconds: seconds > 0 ? Math.min(seconds, MAX_RETRY_SECONDS) : undefined }
  const answered = `${route} answered ${status} ${reason ?? ''}`.trim()
  if (status === 429 || status >= 500) return new ClientError('server_unavailable', answered, details)
  if (status === 401) return new ClientError('token_refused', `${answered}: supply a new token`, details)
  if (reason === 'conflict') return new ClientError('token_replaced', `${answered}: supply the successor`, details)
  if (reason !== undefined) return new ClientError('rotation_refused', answered, details)
  return new ClientError('answer_invalid', `${answered}, as the API never does: is \`manage\` right?`, details)
}

/** Reads a body up to a limit: a server that never stops must not fill the memory. */
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
  if (typeof id !== 'string' || !/^[0-9A-Za-z]{16}$/.test(id)) throw unusable('it has no record')
  return { ...Object.fromEntries(Object.entries(rest).filter(([, field]) => typeof field === 'string')), id }
}

function unusable(why: string): ClientError {
  return new ClientError('answer_invalid', `the response of the management API is unusable: ${why}`)
}

import { INTERCEPTED, Problem } from './problem.js'

/** The API is next to this script, wherever the host mounted both. */
const base = new URL('.', import.meta.url)

/** The page's origin, which begins the URL in a `curl` line for the host's API. */
export const origin: string = base.origin

/** The query of a request. `undefined` is left out, and a list is repeated. */
export type Query = { readonly [name: string]: string | number | boolean | readonly string[] | undefined }

type Options = {
  readonly query?: Query
  readonly body?: unknown
  readonly version?: number | undefined
  readonly key?: string
  readonly signal?: AbortSignal
}

/**
 * Calls the management API.
 *
 * @throws Problem
 */
export async function call<T>(method: 'GET' | 'POST' | 'PATCH', path: string, options: Options = {}): Promise<T> {
  const headers = new Headers({ accept: 'application/json' })
  if (method !== 'GET') headers.set('content-type', 'application/json')
  if (options.version !== undefined) headers.set('if-match', `"${options.version}"`)
  if (options.key !== undefined) headers.set('idempotency-key', options.key)
  const response = await send(urlOf(path, options.query), {
    method,
    headers,
    cache: 'no-store',
    credentials: 'same-origin',
    // A host that redirects users to its sign-in page.
    redirect: 'manual',
    ...(method !== 'GET' && { body: JSON.stringify(options.body ?? {}) }),
    ...(options.signal && { signal: options.signal }),
  })
  if (response.type === 'opaqueredirect') throw new Problem(401, undefined)
  const isJson = /^application\/(?:[\w.-]+\+)?json\b/i.test(response.headers.get('content-type') ?? '')
  // The API never responds like this. A proxy or network responded with its own page.
  if (!isJson && (response.ok || response.status === 511)) throw new Problem(0, { code: INTERCEPTED })
  const body: unknown = await response.json().catch(() => undefined)
  if (response.ok && body !== undefined) return body as T
  throw new Problem(response.ok ? 0 : response.status, body, response.headers.get('retry-after'))
}

/** The delays before retries of a change whose response may be lost. */
const RETRY_MS = [1000, 3000] as const

/**
 * Sends a change with an idempotency key, and retries if no response arrives. The server performs the change only once.
 *
 * @throws Problem
 */
async function callOnce<T>(path: string, options: Options & { readonly key: string }, onLost: () => void): Promise<T> {
  for (const wait of RETRY_MS) {
    try {
      return await call<T>('POST', path, options)
    } catch (error) {
      if (!(error instanceof Problem) || !error.uncertain) throw error
      onLost()
      await new Promise((resolve) => setTimeout(resolve, wait))
    }
  }
  return call<T>('POST', path, options)
}

/** A key, and the bodies sent with it whose outcome is still unknown, oldest first. */
type Open = { readonly key: string; readonly bodies: readonly unknown[] }

/**
 * Returns a function that sends a change that creates one token, however often the button is pressed. The key is kept until a response proves the
 * outcome; an expired session or a rate limit does not prove it. If the server performed an earlier version whose responses were all lost, that token is
 * returned with `earlier`, without the token string.
 */
export function makeOnce<T extends object>(): (path: string, body: unknown) => Promise<T & { readonly earlier?: true }> {
  let open: Open | undefined
  const send = async (path: string, key: string, body: unknown): Promise<T> => {
    const lost = (): void => {
      const bodies = open?.bodies ?? []
      open = { key, bodies: bodies.some((before) => isSame(before, body)) ? bodies : [...bodies, body] }
    }
    try {
      const answer = await callOnce<T>(path, { key, body }, lost)
      open = undefined
      return answer
    } catch (error) {
      const problem = Problem.of(error)
      if (problem.open) lost()
      else if (problem.settles) settle(body)
      problem.unsettled = open !== undefined
      throw problem
    }
  }
  const settle = (body: unknown): void => {
    const bodies = open?.bodies.filter((before) => !isSame(before, body)) ?? []
    open = open === undefined || bodies.length === 0 ? undefined : { ...open, bodies }
  }
  return async (path, body) => {
    const key = open?.key ?? newKey()
    const earlier = open?.bodies.filter((before) => !isSame(before, body)) ?? []
    try {
      return await send(path, key, body)
    } catch (error) {
      let problem: unknown = error
      // The key was already used, so the server carried out an earlier version of the request.
      for (const before of isReused(error) ? earlier : []) {
        try {
          return { ...(await send(path, key, before)), earlier: true }
        } catch (next) {
          problem = next
          if (!isReused(next)) break
        }
      }
      throw problem
    }
  }
}

const isReused = (error: unknown): boolean => error instanceof Problem && error.code === 'idempotency_key_reused'

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

/** Creates a key that makes a creation safe to send again. */
function newKey(): string {
  // Not randomUUID, which exists only on HTTPS.
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

async function send(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (error) {
    if (init.signal?.aborted === true) throw error
    throw new Problem(0, undefined)
  }
}

function urlOf(path: string, query: Query = {}): URL {
  const url = new URL(path, base)
  if (!url.href.startsWith(base.href)) throw new Problem(404, undefined)
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) if (one !== undefined && one !== '') url.searchParams.append(name, String(one))
  }
  return url
}

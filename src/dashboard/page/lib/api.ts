/** The API stands beside this script, wherever the host mounted both. */
const base = new URL('.', import.meta.url)

/** Where the page itself is: what a `curl` line for the host's API begins with. */
export const origin: string = base.origin

/** What the API refused, or that it could not be reached (`status` 0). */
export class Problem extends Error {
  readonly status: number
  readonly code: string
  readonly version: number | undefined
  /** By the name of the first step of the pointer: `scopes` for `#/scopes/0`. */
  readonly fields: { readonly [field: string]: string }

  constructor(status: number, body: unknown) {
    const told = Object(body) as { detail?: unknown; code?: unknown; version?: unknown; errors?: unknown }
    super(typeof told.detail === 'string' ? told.detail : `HTTP ${status}`)
    this.status = status
    this.code = typeof told.code === 'string' ? told.code : ''
    this.version = typeof told.version === 'number' ? told.version : undefined
    this.fields = fieldsOf(told.errors, this.message)
  }

  /** Could nothing be decided? Then it is worth trying again. */
  get transient(): boolean {
    return this.status === 0 || this.status >= 500 || this.status === 429
  }
}

/** The query of a request: what is `undefined` is left out, a list is given several times. */
export type Query = { readonly [name: string]: string | number | boolean | readonly string[] | undefined }

type Options = {
  readonly query?: Query
  readonly body?: unknown
  readonly version?: number | undefined
  readonly key?: string
  readonly signal?: AbortSignal
}

/**
 * Asks the management API.
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
    redirect: 'error',
    ...(method !== 'GET' && { body: JSON.stringify(options.body ?? {}) }),
    ...(options.signal && { signal: options.signal }),
  })
  const body: unknown = await response.json().catch(() => undefined)
  if (response.ok && body !== undefined) return body as T
  throw new Problem(response.ok ? 0 : response.status, body)
}

/** A key that makes a creation safe to send again. */
export function newKey(): string {
  // Not randomUUID: that exists on HTTPS only.
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
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) if (one !== undefined && one !== '') url.searchParams.append(name, String(one))
  }
  return url
}

function fieldsOf(errors: unknown, message: string): { readonly [field: string]: string } {
  if (Array.isArray(errors)) {
    return Object.fromEntries(errors.map((error) => [String(error.pointer).split('/')[1] ?? '', String(error.detail)]))
  }
  const field = /^([a-zA-Z]+)(?:\.[^:]*)?: (.*)$/s.exec(message)
  return field?.[1] === undefined ? {} : { [field[1]]: field[2] ?? message }
}

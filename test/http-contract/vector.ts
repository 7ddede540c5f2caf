import type { OutcomeCode } from './outcomes.js'

/** The expected result of a request. */
export type Expectation =
  /** The handler of this route ran, for this token or for an anonymous caller. */
  | { readonly ran: string; readonly as?: string }
  /** The request was refused with this code, and no handler ran. */
  | { readonly refused: OutcomeCode; readonly scope?: string; readonly retryAfter?: string }
  /** No guarded handler ran. The response is up to the framework. */
  | { readonly closed: true }

/** A request and its expected result. `{name}` in the request stands for a token. */
export type Vector = { readonly name: string; readonly request: string; readonly expect: Expectation }

/** Vectors that share a server. */
export type VectorGroup = {
  readonly title: string
  readonly site: 'default' | 'optional' | 'apiKey' | 'realm' | 'shaped' | 'brokenShape' | 'proxied' | 'hosted'
  readonly vectors: readonly Vector[]
}

/** Writes a request on a connection that closes afterward. Header lines are sent unchanged. */
export function request(line: string, ...headers: readonly string[]): string {
  return `${line} HTTP/1.1\r\n${['Host: contract.test', 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`
}

/** Writes a GET request. */
export function get(path: string, ...headers: readonly string[]): string {
  return request(`GET ${path}`, ...headers)
}

/** The usual header line for a token. */
export function bearer(token: string): string {
  return `Authorization: Bearer {${token}}`
}

/** Creates vectors that differ in one value and have the same expectation. */
export function each(names: readonly string[], make: (name: string) => string, expect: Expectation, title = ''): readonly Vector[] {
  return names.map((name) => ({ name: `${title}${JSON.stringify(name)}`, request: make(name), expect }))
}

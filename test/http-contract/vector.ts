import type { OutcomeCode } from './outcomes.js'

/** What must come of a request. */
export type Expectation =
  /** The handler of this route ran, for this token or for nobody. */
  | { readonly ran: string; readonly as?: string }
  /** It was refused so, and no handler ran. */
  | { readonly refused: OutcomeCode; readonly scope?: string; readonly retryAfter?: string }
  /** No guarded handler ran; what the answer is, is the framework's affair. */
  | { readonly closed: true }

/** One request and what must come of it. `{name}` in the request stands for a token. */
export type Vector = { readonly name: string; readonly request: string; readonly expect: Expectation }

/** Vectors that share a server. */
export type VectorGroup = {
  readonly title: string
  readonly site: 'default' | 'optional' | 'apiKey' | 'realm' | 'shaped' | 'brokenShape' | 'proxied' | 'hosted'
  readonly vectors: readonly Vector[]
}

/** Writes a request on a connection that ends with it. Header lines come as they are. */
export function request(line: string, ...headers: readonly string[]): string {
  return `${line} HTTP/1.1\r\n${['Host: contract.test', 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`
}

/** A GET. */
export function get(path: string, ...headers: readonly string[]): string {
  return request(`GET ${path}`, ...headers)
}

/** The usual header line for a token. */
export function bearer(token: string): string {
  return `Authorization: Bearer {${token}}`
}

/** Makes vectors that differ in one thing and expect the same. */
export function each(names: readonly string[], make: (name: string) => string, expect: Expectation, title = ''): readonly Vector[] {
  return names.map((name) => ({ name: `${title}${JSON.stringify(name)}`, request: make(name), expect }))
}

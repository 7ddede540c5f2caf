import { EVERY_TEXT } from '../token/redact.js'
import { decodeBase64 } from './base64.js'

/** The header fields of a request: Node's flat list of names and values, or a web `Headers`. */
export type HeaderSource = readonly string[] | { get(name: string): string | null }

/** The parts of a request that latchkey reads on every framework. Does not include its URL or body. */
export type RequestLike = {
  readonly method: string
  readonly headers: HeaderSource
  /** The client's address according to the framework's trust-proxy setting. */
  readonly ip?: string | undefined
  /** Returns the host and port that the request was sent to, for requests without a header field that states them. */
  readonly host?: (() => string) | undefined
}

/** How an adapter reads its framework's request. */
export type Platform<R> = {
  readonly read: (request: R) => RequestLike
  /** Reads the header fields, if `read` calls a host function that receives the request. An error thrown by that function may quote them. */
  readonly headers?: (request: R) => HeaderSource
  /** Whether the framework trusts forwarding headers. `undefined` if it has no such setting. */
  readonly trustsProxy: (request: R) => boolean | undefined
  /** Whether the framework's requests open a WebSocket. Browsers send such requests with cookies from any page, and can add a ticket but no header. */
  readonly upgrades?: true
  /** Whether the framework trusts forwarding headers from any sender, so callers can choose their address. Absent if it has no such setting. */
  readonly believesCallers?: (request: R) => boolean
}

/** Returns the values of a field. A web `Headers` joins repeated fields with a comma, which no credential may contain. */
export function fieldValues(headers: HeaderSource, lowerCaseName: string): readonly string[] {
  if (!isFlatList(headers)) {
    const value = headers.get(lowerCaseName)
    return value === null ? [] : [value]
  }
  let values: string[] | undefined
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index]
    const value = headers[index + 1]
    if (name === undefined || value === undefined || name.length !== lowerCaseName.length) continue
    if (name !== lowerCaseName && name.toLowerCase() !== lowerCaseName) continue
    if (values === undefined) values = [value]
    else values.push(value)
  }
  return values ?? NONE
}

const NONE: readonly string[] = []

/** Fields that identify the sender, regardless of what a guard reads. */
const PROVING = ['authorization', 'proxy-authorization', 'cookie', 'sec-websocket-protocol']
/** Shorter texts are not treated as secrets, because many words contain them. */
const SHORTEST = 6
// RFC 9110 §11.4: a credential begins with the name of its scheme.
const SCHEME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+ +(?=\S)/

/** Shorter pieces of a structured credential are not treated as secrets: they may be common words, such as its field names. */
const SHORTEST_PIECE = 16

/** A caller chooses the number of words. Decoding each and searching for it would hold up everyone else. */
const MOST_WORDS = 256
/** The maximum length of all the texts to search for, for the same reason: header fields of about 9 KB. */
const MOST_TEXT = 2 ** 15

/**
 * Collects the credentials in the header fields: whole values, their parts, their decoded forms, and long pieces of all of them. No error may quote them. An
 * error about a request with too much text may not quote any of it.
 */
export function secretsIn(headers: HeaderSource, fields: readonly string[]): readonly string[] {
  const values = [...new Set([...PROVING, ...fields])]
    .flatMap((name) => fieldValues(headers, name))
    .map((value) => value.replace(SCHEME, ''))
  const parts = values.flatMap((value) => [value, ...value.split(/[\s,;]+/), ...value.split(/[\s,;="]+/)])
  // No text is longer when decoded.
  const words = new Set(parts.filter(isLong))
  if (words.size > MOST_WORDS) return EVERY_TEXT
  const decoded = Array.from(words, decode)
  const texts = [...words, ...decoded, ...decoded.flatMap((pair) => pair.split(':'))].filter(isLong)
  const secrets = [...new Set([...texts, ...texts.flatMap(piecesOf)])]
  return secrets.reduce((sum, { length }) => sum + length, 0) > MOST_TEXT ? EVERY_TEXT : secrets
}

// A callback may quote only the secret of `key_secret` or `id|secret`, one part of a signed token, or one value of a cookie in JSON.
function piecesOf(text: string): readonly string[] {
  return text.split(/[^0-9A-Za-z]+/).filter(({ length }) => length >= SHORTEST_PIECE)
}

function isLong(text: string): boolean {
  return text.length >= SHORTEST
}

// RFC 7617 §2: Basic encodes user name and password together in base64. Cookies are often percent-encoded.
function decode(word: string): string {
  if (!word.includes('%')) return decodeBase64(word) ?? ''
  try {
    return decodeURIComponent(word)
  } catch {
    return ''
  }
}

export function isFlatList(headers: HeaderSource): headers is readonly string[] {
  return Array.isArray(headers)
}

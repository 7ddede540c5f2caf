/** The header fields of a request: Node's flat list of names and values, or a web `Headers`. */
export type HeaderSource = readonly string[] | { get(name: string): string | null }

/** The parts of a request that latchkey reads on every framework. Does not include its URL or body. */
export type RequestLike = {
  readonly method: string
  readonly headers: HeaderSource
  /** The client's address according to the framework's trust-proxy setting. */
  readonly ip?: string | undefined
}

/** How an adapter reads its framework's request. */
export type Platform<R> = {
  /** `rawHeaders`: the list of header fields, if the adapter passed it to the guard. */
  readonly read: (request: R, rawHeaders?: readonly string[]) => RequestLike
  /** Reads the header fields, if `read` calls a host function that receives the request. An error thrown by that function may quote them. */
  readonly headers?: (request: R) => HeaderSource
  /** Returns the host and port that a request was sent to, for frameworks whose requests may have no header field that states them. */
  readonly host?: (request: R) => string
  /** Returns whether a request is known to have come over TLS, according to the framework's trust-proxy setting if it has one. */
  readonly isSecure?: (request: R) => boolean
  /** Whether the framework trusts forwarding headers. `undefined` if it has no such setting. */
  readonly trustsProxy: (request: R) => boolean | undefined
  /** Whether the framework's requests open a WebSocket. Browsers send such requests with cookies from any page, and can add a ticket but no header. */
  readonly upgrades?: true
  /** Set if the caller has already refused the changes of pages on other origins, by its own rule. */
  readonly checksOrigin?: true
  /**
   * Set if parts of one request may authenticate it separately, at different times: an admission then lasts until a later decision has settled. Absent: it ends
   * when a later decision begins.
   */
  readonly keepsAdmission?: true
  /** Whether the framework trusts forwarding headers from any sender, so callers can choose their address. Absent if it has no such setting. */
  readonly believesCallers?: (request: R) => boolean
}

/** Returns the values of a field. A web `Headers` joins repeated fields with a comma, which no credential may contain. */
export function fieldValues(headers: HeaderSource, lowerCaseName: string): readonly string[] {
  if (!isFlatList(headers)) {
    const value = headers.get(lowerCaseName)
    return value === null ? [] : [value]
  }
  const values: string[] = []
  for (let at = nextField(headers, lowerCaseName, 0); at !== -1; at = nextField(headers, lowerCaseName, at + 2))
    values.push(headers[at + 1] ?? '')
  return values
}

/** Returns the value of a field; `undefined` if it is absent, and `null` if it is repeated. Like `fieldValues`, but creates no list. */
export function soleFieldValue(headers: HeaderSource, lowerCaseName: string): string | undefined | null {
  if (!isFlatList(headers)) return headers.get(lowerCaseName) ?? undefined
  const at = nextField(headers, lowerCaseName, 0)
  if (at === -1) return undefined
  return nextField(headers, lowerCaseName, at + 2) === -1 ? headers[at + 1] : null
}

/** Returns the position of the next field with this name in a flat list, from a position on; -1 if there is none. */
function nextField(headers: readonly string[], lowerCaseName: string, from: number): number {
  for (let at = from; at + 1 < headers.length; at += 2) {
    const name = headers[at]
    if (name === undefined || headers[at + 1] === undefined || name.length !== lowerCaseName.length) continue
    if (name === lowerCaseName || name.toLowerCase() === lowerCaseName) return at
  }
  return -1
}

export function isFlatList(headers: HeaderSource): headers is readonly string[] {
  return Array.isArray(headers)
}

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
  /** Set if the caller has already refused the changes of pages on other origins, by its own rule. */
  readonly checksOrigin?: true
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

export function isFlatList(headers: HeaderSource): headers is readonly string[] {
  return Array.isArray(headers)
}

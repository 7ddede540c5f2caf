/** The header fields of a request: Node's flat list of names and values as they came, or a web `Headers`. */
export type HeaderSource = readonly string[] | { get(name: string): string | null }

/** The parts of a request that latchkey reads on every framework. Never its URL or body. */
export type RequestLike = {
  readonly method: string
  readonly headers: HeaderSource
  /** The client's address, as the framework's own trust-proxy setting gives it. */
  readonly ip?: string | undefined
  /** Tells the host and port that the request was sent to, where no header field does. */
  readonly host?: (() => string) | undefined
}

/** How an adapter reads its framework's request. */
export type Platform<R> = {
  readonly read: (request: R) => RequestLike
  /** Does the framework believe forwarding headers? `undefined` where it has no such setting. */
  readonly trustsProxy: (request: R) => boolean | undefined
  /** Do its requests open a WebSocket? Browsers send those with cookies from any page, and can give them no header, only a ticket. */
  readonly upgrades?: true
  /** Does the framework believe any forwarding header, whoever sent it, so that callers choose their address? Absent: it has no such setting. */
  readonly believesCallers?: (request: R) => boolean
}

/** The values of one field. A web `Headers` joins repeated fields with a comma, which no credential may contain. */
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

function isFlatList(headers: HeaderSource): headers is readonly string[] {
  return Array.isArray(headers)
}

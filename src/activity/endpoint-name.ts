/** The maximum number of cached names. Applications have fewer routes. */
const MOST = 1000

/**
 * RFC 9110 §9.3, RFC 5789 (PATCH) and the QUERY method. Some runtimes pass on any method that a caller invents, and each of these would be counted as another
 * endpoint. They are counted as `_OTHER`, OpenTelemetry's name for them.
 */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT', 'QUERY'])

type Named = { readonly method: string; readonly mount: string; readonly name: string }

const named: Map<string, Named[]> = new Map()
let count = 0

/**
 * Returns the name of a route in usage: its method and pattern, `GET /api/stock`.
 *
 * Names are cached because the same routes are requested repeatedly, and comparing identical strings is fast.
 */
export function endpointName(method: string, path: string, mount: string = ''): string {
  const known = named.get(path)
  if (known !== undefined) {
    for (const each of known) if (each.method === method && each.mount === mount) return each.name
  }
  const name = `${METHODS.has(method) ? method : '_OTHER'} ${mount}${path}`
  if (count >= MOST) {
    named.clear()
    count = 0
  }
  count += 1
  const own = named.get(path) ?? []
  named.set(path, own)
  own.push({ method, mount, name })
  return name
}

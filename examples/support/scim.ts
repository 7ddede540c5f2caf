/** The effect of a request on a user's tokens: they are revoked, nothing happens, or the request is not supported. */
export type Change = 'leaves' | 'stays' | 'unknown'

const SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:user'
const USER = `${SCHEMA}:`
/** The path of an attribute other than `active`, with a filter or a sub-attribute (RFC 7644 §3.5.2), or of an extension's attribute. */
const OTHER = /^(?!active(?:[.[]|$))(?:[a-z$][\w$-]*(?:\[[^\]]*\])?(?:\.[\w$-]+)?|urn:[\w:.-]+:[\w$.-]+)$/

/** Reads a SCIM request about one user (RFC 7644 §3.5 and §3.6). */
export async function changeOf(request: Request): Promise<Change> {
  if (request.method === 'DELETE') return 'leaves'
  if (request.method !== 'PATCH' && request.method !== 'PUT') return 'unknown'
  const body: unknown = await request.json().catch(() => undefined)
  if (!isObject(body)) return 'unknown'
  if (request.method === 'PUT') return activeIn(body)
  if (!Array.isArray(body.Operations) || body.Operations.length === 0) return 'unknown'
  const changes = body.Operations.map(operation)
  return changes.find((change) => change === 'leaves') ?? changes.find((change) => change === 'unknown') ?? 'stays'
}

/** Reads one operation of a PATCH. With the path `active`, `value` is its value; without a path, `value` contains it among other attributes. */
function operation(given: unknown): Change {
  if (!isObject(given)) return 'unknown'
  const op = String(given.op).toLowerCase()
  if (op !== 'add' && op !== 'replace' && op !== 'remove') return 'unknown'
  if (given.path === undefined) return op !== 'remove' && isObject(given.value) ? activeIn(given.value) : 'unknown'
  if (typeof given.path !== 'string') return 'unknown'
  const path = withoutSchema(given.path)
  if (path !== 'active') return OTHER.test(path) && !path.startsWith(SCHEMA) ? 'stays' : 'unknown'
  return op === 'remove' ? 'unknown' : active(given.value)
}

function activeIn(attributes: { readonly [name: string]: unknown }): Change {
  for (const [name, value] of Object.entries(attributes)) {
    if (withoutSchema(name) === 'active') return active(value)
    // Some providers put the attributes below the name of their schema.
    if (name.toLowerCase() === SCHEMA) return isObject(value) ? activeIn(value) : 'unknown'
  }
  return 'stays'
}

/** Some providers send "False" for a boolean. */
function active(value: unknown): Change {
  const text = String(value).toLowerCase()
  return text === 'false' ? 'leaves' : text === 'true' ? 'stays' : 'unknown'
}

/** Attribute names are case-insensitive, and can be prefixed with the schema (RFC 7643 §2.1, RFC 7644 §3.10). */
function withoutSchema(name: string): string {
  const small = name.toLowerCase()
  return small.startsWith(USER) ? small.slice(USER.length) : small
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

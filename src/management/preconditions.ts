import { fault, Refusal } from './fault.js'

// RFC 9110 §8.8.3. A weak tag never matches here (§13.1.1: If-Match uses strong comparison).
const TAG = /^(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"$/
const MAX_TAGS = 16

/** Returns the entity tag of a version. */
export function tagOf(version: number): string {
  return `"${version}"`
}

/** The condition in `If-Match`: absent, any version, or one of these versions. */
export type Precondition = undefined | '*' | readonly number[]

/**
 * Reads `If-Match`.
 *
 * @throws RequestFault `invalid_input`
 */
export function readIfMatch(headers: Headers): Precondition {
  const value = headers.get('if-match')?.trim()
  if (value === undefined) return undefined
  if (value === '*') return '*'
  const tags = value.split(',').map((tag) => TAG.exec(tag.trim()))
  if (tags.length > MAX_TAGS) throw malformed()
  return tags.flatMap((tag) => {
    if (tag === null) throw malformed()
    const version = tag[1] === undefined && /^[1-9][0-9]{0,14}$/.test(tag[2] ?? '') ? Number(tag[2]) : undefined
    return version === undefined ? [] : [version]
  })
}

/** Returns the version to pass to the verb for the precondition. Calls `current` when several versions would match. */
export async function versionFor(precondition: Precondition, current: () => Promise<number>): Promise<number | undefined> {
  if (precondition === undefined || precondition === '*') return undefined
  const [only] = precondition
  if (precondition.length === 1 && only !== undefined) return only
  const version = await current()
  if (precondition.includes(version)) return version
  throw new Refusal('conflict', `no ETag in If-Match is current: the token is at version ${version}`, { version })
}

/**
 * Reads `Idempotency-Key`, either bare or as a quoted string.
 *
 * @throws RequestFault `invalid_input`
 */
export function readIdempotencyKey(headers: Headers): string | undefined {
  const value = headers.get('idempotency-key')
  if (value === null) return undefined
  const key = /^"(.*)"$/.exec(value)?.[1] ?? value
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key
  throw fault('header', ['idempotency-key'], 'Idempotency-Key must be 1 to 255 visible ASCII characters')
}

/**
 * Adds the request's `Idempotency-Key` to its body, as the verbs expect it.
 *
 * @throws RequestFault `invalid_input`, including for a key in the body, where API callers cannot put it
 */
export function withIdempotencyKey(body: unknown, headers: Headers): unknown {
  const idempotencyKey = readIdempotencyKey(headers)
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body
  const misplaced = Object.keys(body).find((name) => /^idempotency[-_]?key$/i.test(name))
  if (misplaced !== undefined) throw fault('body', [misplaced], 'unknown field; send it as the Idempotency-Key header')
  return idempotencyKey === undefined ? body : { ...body, idempotencyKey }
}

/**
 * Refuses `If-Match` for changes that apply to any version of a token.
 *
 * @throws RequestFault `invalid_input`
 */
export function refuseIfMatch(headers: Headers): void {
  if (headers.has('if-match')) throw fault('header', ['if-match'], 'If-Match is for PATCH, activate and deactivate')
}

function malformed(): Error {
  return fault('header', ['if-match'], 'If-Match must be the ETag of the token, such as "3"')
}

import { type InputPlace, InvalidInputError, placeIn } from '../errors.js'
import type { Json, JsonObject } from '../model/json.js'
import { holdsToken } from '../token/redact.js'
import { HOLDS_TOKEN } from './plain-text.js'

const MAX_BYTES = 16 * 1024
const MAX_DEPTH = 8
const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * Copies `metadata` from a caller as deeply frozen plain JSON.
 *
 * At most 16 KiB as JSON and 8 levels deep; no `undefined`, functions, class instances, `NaN`, or `__proto__` keys.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readMetadata(place: InputPlace, input: unknown): JsonObject {
  if (!isPlain(input)) throw new InvalidInputError(place, 'must be a plain object of JSON values')
  const copy = copyObject(place, input, 1)
  const bytes = new TextEncoder().encode(JSON.stringify(copy)).length
  if (bytes > MAX_BYTES) throw new InvalidInputError(place, `is ${bytes} bytes of JSON; the limit is ${MAX_BYTES}`)
  return copy
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  // Plain objects of another realm, such as Jest's, have a different Object.prototype.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function copyObject(place: InputPlace, value: Record<string, unknown>, depth: number): JsonObject {
  if (depth > MAX_DEPTH) throw new InvalidInputError(place, `is nested deeper than ${MAX_DEPTH} levels`)
  const copy: Record<string, Json> = {}
  for (const key of Object.keys(value)) {
    if (key === '__proto__' || key.length > 256 || !wellFormed(key)) throw new InvalidInputError(place, 'has a key that cannot be stored')
    if (holdsToken(key)) throw new InvalidInputError(place, `has a key that ${HOLDS_TOKEN}`)
    const item = value[key]
    if (item === undefined) continue
    copy[key] = copyValue(placeIn(place, key), item, depth)
  }
  return Object.freeze(copy)
}

function copyValue(place: InputPlace, value: unknown, depth: number): Json {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'string') {
    if (!wellFormed(value)) throw new InvalidInputError(place, 'must be well-formed Unicode without NUL')
    if (holdsToken(value)) throw new InvalidInputError(place, HOLDS_TOKEN)
    return value
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new InvalidInputError(place, 'must be a finite number')
    return value
  }
  if (Array.isArray(value)) {
    if (depth >= MAX_DEPTH) throw new InvalidInputError(place, `is nested deeper than ${MAX_DEPTH} levels`)
    return Object.freeze(value.map((item: unknown, index) => copyValue(placeIn(place, index), item, depth + 1)))
  }
  if (isPlain(value)) return copyObject(place, value, depth + 1)
  throw new InvalidInputError(place, 'must be a JSON value')
}

function wellFormed(value: string): boolean {
  return !LONE_SURROGATE.test(value) && !value.includes('\u0000')
}

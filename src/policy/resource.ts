import { type InputPlace, InvalidInputError, placeIn } from '../errors.js'
import type { Resources } from '../model/json.js'
import { holdsToken } from '../token/redact.js'
import { membershipIn } from './membership.js'
import { HOLDS_TOKEN } from './plain-text.js'
import { quote } from './quote.js'
import { reading } from './reading.js'

/** The data that a route accesses: one or more values per dimension. */
export type AskedResources = { readonly [dimension: string]: string | readonly string[] }

/** Must start with a letter, which excludes `__proto__`. JSON with the other two names is refused, so a signed token could not carry them. */
const DIMENSION = /^(?!(?:constructor|prototype)$)[A-Za-z][A-Za-z0-9_.:-]{0,63}$/
const MAX_DIMENSIONS = 50
const MAX_VALUES = 1000
const MAX_VALUE_LENGTH = 256
const MAX_BYTES = 64 * 1024

/** Control characters, and lone surrogates, which a database would all replace with the same character. */
const UNKEEPABLE = /[\p{Cc}\p{Surrogate}]/u

/** Returns whether a dimension of data may have this name. */
export function isDimension(name: string): boolean {
  return DIMENSION.test(name)
}

/**
 * Returns whether a token with these resources may access the requested data.
 *
 * An absent dimension is unrestricted; an empty list allows nothing. Every requested value must be granted. A request
 * without a value (`undefined`, `''`, an empty list) is refused even for an unrestricted token, because it means that the route failed to determine the value.
 */
export function resourcesAllow(granted: Resources | undefined, asked: AskedResources | undefined): boolean {
  if (asked === undefined) return true
  try {
    return isObject(asked) && Object.keys(asked).every((dimension) => dimensionAllows(granted, dimension, asked[dimension]))
  } catch {
    return false
  }
}

/** Returns whether `outer` allows everything that `inner` allows, in every dimension. */
export function resourcesWithin(inner: Resources | undefined, outer: Resources | undefined): boolean {
  if (outer === undefined) return true
  if (!isObject(outer)) return false
  return Object.keys(outer).every((dimension) => {
    if (!isObject(inner) || !Object.hasOwn(inner, dimension)) return false
    const values: unknown = inner[dimension]
    return Array.isArray(values) && values.every(heldIn(outer[dimension], values.length))
  })
}

/**
 * Reads resources: at most 50 dimensions, 1000 values in all, values of 1 to 256 characters, 64 KiB of JSON. Duplicates are removed, and the result is frozen.
 *
 * @throws InvalidInputError (`invalid_input`) that names the entry: `resources.warehouse.0`.
 */
export function readResources(place: InputPlace, input: unknown): Resources {
  return reading(place, () => readDimensions(place, input))
}

function readDimensions(place: InputPlace, input: unknown): Resources {
  if (!isObject(input) || !isPlain(input)) throw new InvalidInputError(place, `must be an object of lists of strings, not ${quote(input)}`)
  const dimensions = Reflect.ownKeys(input)
  if (dimensions.length > MAX_DIMENSIONS)
    throw new InvalidInputError(place, `has ${dimensions.length} dimensions; the limit is ${MAX_DIMENSIONS}`)
  const resources: Record<string, readonly string[]> = {}
  let count = 0
  for (const dimension of dimensions) {
    if (typeof dimension !== 'string' || !isDimension(dimension)) {
      throw new InvalidInputError(
        place,
        `${quote(dimension)} is not a dimension: a letter, then letters, digits, "_", "-", "." or ":", at most 64 characters, but neither "constructor" nor "prototype"`,
      )
    }
    if (holdsToken(dimension)) throw new InvalidInputError(place, `has a dimension whose name ${HOLDS_TOKEN}`)
    const values = readValues(placeIn(place, dimension), input[dimension])
    count += values.length
    if (count > MAX_VALUES) throw new InvalidInputError(place, `has more than ${MAX_VALUES} values`)
    resources[dimension] = values
  }
  const bytes = new TextEncoder().encode(JSON.stringify(resources)).length
  if (bytes > MAX_BYTES) throw new InvalidInputError(place, `is ${bytes} bytes of JSON; the limit is ${MAX_BYTES}`)
  return Object.freeze(resources)
}

function readValues(place: InputPlace, input: unknown): readonly string[] {
  if (!Array.isArray(input)) throw new InvalidInputError(place, `must be a list of strings, not ${quote(input)}`)
  if (input.length > MAX_VALUES) throw new InvalidInputError(place, `has more than ${MAX_VALUES} values`)
  const values = Array.from(input, (value: unknown, at) => {
    if (typeof value !== 'string' || value === '')
      throw new InvalidInputError(placeIn(place, at), `must be a non-empty string, not ${quote(value)}`)
    if (value.length > MAX_VALUE_LENGTH) throw new InvalidInputError(placeIn(place, at), `must be at most ${MAX_VALUE_LENGTH} characters`)
    if (holdsToken(value)) throw new InvalidInputError(placeIn(place, at), HOLDS_TOKEN)
    if (UNKEEPABLE.test(value)) throw new InvalidInputError(placeIn(place, at), 'must be well-formed Unicode without control characters')
    return value
  })
  return Object.freeze([...new Set(values)])
}

function dimensionAllows(granted: unknown, dimension: string, asked: unknown): boolean {
  const values: readonly unknown[] = Array.isArray(asked) ? Array.from(asked) : [asked]
  if (values.length === 0 || !values.every((value) => typeof value === 'string' && value !== '')) return false
  if (granted === undefined) return true
  if (!isObject(granted)) return false
  return !Object.hasOwn(granted, dimension) || values.every(heldIn(granted[dimension], values.length))
}

function heldIn(list: unknown, lookups: number): (value: unknown) => boolean {
  if (!Array.isArray(list)) return () => false
  const isMember = membershipIn(list, lookups)
  return (value) => typeof value === 'string' && isMember(value)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

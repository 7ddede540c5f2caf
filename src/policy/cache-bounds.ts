import { InvalidInputError } from '../errors.js'
import type { Duration } from '../model/record.js'
import { duration, wholeNumber } from './option-kinds.js'
import { objectOf, readPart } from './option-reader.js'

/**
 * The presets of the `cache` option.
 *
 * `fresh`: a node that loses the change feed stops trusting its cache after 250 ms. `balanced`: after 2 s. `available`: after 5 s; owners'
 * permissions are cached for 30 s, and while neither the feed nor the store can be reached, cached records are used for 5 more minutes.
 */
export type CachePreset = 'fresh' | 'balanced' | 'available'

/** The `cache` option in full. Omitted fields are as in `balanced`. */
export type CacheOptions = {
  /** How long a node may use its cache without having followed the store's change feed, 0.05 s to 60 s. @default '2s' */
  readonly maxStaleness?: Duration
  /** @default 100_000 */
  readonly maxEntries?: number
  /** How long an owner's permissions are cached, at most 60 s; 0 looks them up for every verification. @default 0 */
  readonly ownerStaleness?: Duration
  /** How much longer cached records are used while neither the feed nor the store can be reached, at most an hour; with 0, requests then get 503. @default 0 */
  readonly serveStaleFor?: Duration
}

/** The option in normalized form, with durations in seconds. */
export type Bounds = Required<{ readonly [Name in keyof CacheOptions]: number }>

/** The bounds of the preset `balanced`, which the other presets start from. */
export const BALANCED: Bounds = { maxStaleness: 2, maxEntries: 100_000, ownerStaleness: 0, serveStaleFor: 0 }

const PRESETS: ReadonlyMap<unknown, Bounds> = new Map<unknown, Bounds>([
  ['fresh', { ...BALANCED, maxStaleness: 0.25 }],
  ['balanced', BALANCED],
  ['available', { ...BALANCED, maxStaleness: 5, ownerStaleness: 30, serveStaleFor: 300 }],
])

const cacheBounds = objectOf({
  maxStaleness: duration({ min: 0.05, max: 60, fraction: true }).optional(),
  maxEntries: wholeNumber(1, 10_000_000).optional(),
  ownerStaleness: duration({ min: 0, max: 60, fraction: true }).optional(),
  serveStaleFor: duration({ min: 0, max: 3600, fraction: true }).optional(),
})

/**
 * Reads the `cache` option. `undefined` means that nothing is cached.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readCache(input: unknown): Bounds | undefined {
  if (input === false) return undefined
  const preset = PRESETS.get(input)
  if (preset !== undefined) return preset
  if (typeof input !== 'object' || input === null) {
    throw new InvalidInputError(
      'cache',
      "must be 'fresh', 'balanced', 'available', false, or { maxStaleness, maxEntries, ownerStaleness, serveStaleFor }",
    )
  }
  const bounds = readPart('cache', cacheBounds, input)
  const given = Object.entries(bounds).filter(([, value]) => value !== undefined)
  return { ...BALANCED, ...(Object.fromEntries(given) as Partial<Bounds>) }
}

/** The longest time that the options allow a node to keep accepting tokens from its cache. */
const LONGEST_BOUND_MS = 3_660_000

/** Creates the ID of a node. It includes how long the node may keep accepting tokens from its cache once it is cut off. */
export function nodeIdOf(id: string, boundMs: number): string {
  return `${id}-${Math.ceil(boundMs)}`
}

/** Returns how long the node with this ID may keep accepting tokens from its cache; `undefined` if the ID does not include it. */
export function boundOfNode(nodeId: string): number | undefined {
  const text = /-(\d{1,7})$/.exec(nodeId)?.[1]
  return text === undefined ? undefined : Math.min(Number(text), LONGEST_BOUND_MS)
}

import type { Duration } from '../model/record.js'
import { duration } from './option-kinds.js'
import { either, type OptionReader, objectOf, oneOf } from './option-reader.js'

/** The `retention` option: at least an hour each, or `false` to keep data forever. Older data is removed in small batches, within two hours. */
export type RetentionOptions = {
  /** Audit events. A consumer that lags further behind misses events, and the event `consumer.behind` reports it. @default false */
  readonly events?: Duration | false
  /** Hourly usage counts. @default '400d' */
  readonly usage?: Duration | false
  /** Addresses that tokens were used from, counted from when they were last seen. @default '90d' */
  readonly addresses?: Duration | false
  /** Revoked and expired tokens, counted from when they ended. They are removed as by `prune`. @default false */
  readonly dead?: Duration | false
}

/** The option in normalized form. Absent: data is kept forever. */
export type Retention = {
  readonly eventsMs?: number
  readonly usageMs?: number
  readonly addressesMs?: number
  readonly deadMs?: number
}

type Kept = { readonly [Name in 'events' | 'usage' | 'addresses' | 'dead']: number | false }

const KEPT = 'must be a duration of at least an hour, such as "90d", or false'
const keptFor = either([oneOf([false], KEPT), duration({ min: 3600 })], KEPT)

/** The `retention` option, in seconds. */
export const retentionShape: OptionReader<Kept> = objectOf({
  events: keptFor.default(false),
  usage: keptFor.default(400 * 86_400),
  addresses: keptFor.default(90 * 86_400),
  dead: keptFor.default(false),
})

/** Converts the option to milliseconds. */
export function readRetention({ events, usage, addresses, dead }: Kept): Retention {
  return Object.freeze({
    ...(events !== false && { eventsMs: events * 1000 }),
    ...(usage !== false && { usageMs: usage * 1000 }),
    ...(addresses !== false && { addressesMs: addresses * 1000 }),
    ...(dead !== false && { deadMs: dead * 1000 }),
  })
}

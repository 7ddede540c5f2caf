import type { Duration } from '../model/record.js'
import { duration } from './option-kinds.js'
import { either, type OptionReader, objectOf, oneOf } from './option-reader.js'

/** The `retention` option: at least an hour each, or `false` to keep it for ever. What is older is removed in small batches, within two hours. */
export type RetentionOptions = {
  /** Audit events. A consumer that is further behind misses them, and the event `consumer.behind` says so. @default false */
  readonly events?: Duration | false
  /** Counts of uses, by the hour. @default '400d' */
  readonly usage?: Duration | false
  /** Addresses that tokens were used from, since they were last seen. @default '90d' */
  readonly addresses?: Duration | false
  /** Tokens, since they were revoked or expired, as by `prune`. @default false */
  readonly dead?: Duration | false
}

/** How long what is old is kept, as the rest of the library reads it; absent: for ever. */
export type Retention = {
  readonly eventsMs?: number
  readonly usageMs?: number
  readonly addressesMs?: number
  readonly deadMs?: number
}

type Kept = { readonly [Name in 'events' | 'usage' | 'addresses' | 'dead']: number | false }

const KEPT = 'must be a duration of at least an hour, such as "90d", or false'
const keptFor = either([oneOf([false], KEPT), duration({ min: 3600 })], KEPT)

/** The option `retention`, in seconds. */
export const retentionShape: OptionReader<Kept> = objectOf({
  events: keptFor.default(false),
  usage: keptFor.default(400 * 86_400),
  addresses: keptFor.default(90 * 86_400),
  dead: keptFor.default(false),
})

/** The option, once it was read, as instants are reckoned with. */
export function readRetention({ events, usage, addresses, dead }: Kept): Retention {
  return Object.freeze({
    ...(events !== false && { eventsMs: events * 1000 }),
    ...(usage !== false && { usageMs: usage * 1000 }),
    ...(addresses !== false && { addressesMs: addresses * 1000 }),
    ...(dead !== false && { deadMs: dead * 1000 }),
  })
}

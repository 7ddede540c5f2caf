import type { AuditHead } from '../model/audit.js'
import type { MaybePromise } from '../model/json.js'
import type { Duration } from '../model/record.js'
import { callback, duration } from './option-kinds.js'
import { objectOf, readPart } from './option-reader.js'

/** The `sealing` option. */
export type SealingOptions = {
  /** How soon events are sealed, 10 s to a day, whichever node does it. @default '1m' */
  readonly every?: Duration
  /** Signs the hash of each seal, with a key that is not in the database: as `sealSigner` of `latchkey/audit` does. @default none */
  readonly sign?: (hash: string) => MaybePromise<string>
  /**
   * Told of each new head, to keep it outside of the database. At least once, and again by a node that starts or after a fault; a head that was
   * skipped is vouched for by the next one.
   */
  readonly onSeal?: (head: AuditHead) => unknown
}

/** The option as the rest of the library reads it. */
export type Sealing = {
  readonly everyMs: number
  readonly sign?: NonNullable<SealingOptions['sign']>
  readonly onSeal?: NonNullable<SealingOptions['onSeal']>
}

const given = objectOf({
  every: duration({ min: 10, max: 86_400 }).default(60),
  sign: callback<NonNullable<SealingOptions['sign']>>().optional(),
  onSeal: callback<NonNullable<SealingOptions['onSeal']>>().optional(),
})

/**
 * Reads the option `sealing`. Absent: nothing is sealed in time.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readSealing(input: unknown): Sealing | undefined {
  if (input === false) return undefined
  const { every, sign, onSeal } = readPart('sealing', given, input)
  return Object.freeze({ everyMs: every * 1000, ...(sign !== undefined && { sign }), ...(onSeal !== undefined && { onSeal }) })
}

import type { AuditHead } from '../model/audit.js'
import type { MaybePromise } from '../model/json.js'
import type { Duration } from '../model/record.js'
import { callback, duration } from './option-kinds.js'
import { objectOf, readPart } from './option-reader.js'

/** The `sealing` option. */
export type SealingOptions = {
  /** How often events are sealed, 10 s to a day, by any one of the nodes. @default '1m' */
  readonly every?: Duration
  /** Signs the hash of each seal, with a key that is not in the database: as `sealSigner` of `latchkey/audit` does. @default none */
  readonly sign?: (hash: string) => MaybePromise<string>
  /**
   * Called with each new head, so that you can store it outside of the database. A head is passed at least once, and again when a node starts or
   * after a fault; a skipped head is covered by the next one.
   */
  readonly onSeal?: (head: AuditHead) => unknown
}

/** The option in normalized form. */
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
 * Reads the `sealing` option. Absent: nothing is sealed periodically.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readSealing(input: unknown): Sealing | undefined {
  if (input === false) return undefined
  const { every, sign, onSeal } = readPart('sealing', given, input)
  return Object.freeze({ everyMs: every * 1000, ...(sign !== undefined && { sign }), ...(onSeal !== undefined && { onSeal }) })
}

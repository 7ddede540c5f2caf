import * as z from 'zod'
import type { AuditAnchors, KnownHead, VerifySignature } from '../model/audit.js'
import { refuseUndefined } from '../policy/read-input.js'
import { readShape } from '../policy/shape.js'
import { isHash } from './hash.js'

/** Input schema of a head. Its other fields, such as its instant, are covered by its hash. */
export const headShape: z.ZodType<KnownHead> = z.object({
  number: z
    .int({ error: 'must be the number of a seal' })
    .min(1, { error: 'must be the number of a seal' })
    .meta({ description: 'The number of the seal.' }),
  hash: z.custom<string>(isHash, { error: 'must be the hash of a seal, 64 hexadecimal digits' }),
})

const shape: z.ZodType<AuditAnchors> = z.strictObject({
  head: headShape.optional(),
  verifySignature: z
    .custom<VerifySignature>((value) => typeof value === 'function', {
      error: 'must be a function, such as the result of sealVerifier(keys)',
    })
    .optional(),
})

/**
 * Reads the anchors that an audit log is checked against. An invalid head is refused, because without it the check would find less.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readAnchors(input: unknown, root: string): AuditAnchors {
  refuseUndefined(input, ['head', 'verifySignature'])
  return readShape(shape, input ?? {}, root)
}

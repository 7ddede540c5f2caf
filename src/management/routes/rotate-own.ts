import * as z from 'zod'
import { ConflictError } from '../../errors.js'
import type { TokenHandle } from '../../instance.js'
import type { Minted, Replayed } from '../../model/record.js'
import { readShape } from '../../policy/shape.js'
import { overlapSchema } from '../../verbs/rotate.js'
import { fault } from '../fault.js'
import { readIdempotencyKey } from '../preconditions.js'

type Body = { overlap?: number | undefined; lostId?: string | undefined }

/** The body of `POST /self/rotate`. */
export const rotateOwnShape: z.ZodType<Body> = z
  .strictObject({
    overlap: overlapSchema.optional(),
    lostId: z
      .string({ error: 'must be a string' })
      .regex(/^[0-9A-Za-z]{16}$/, 'must be the ID of a token')
      .meta({
        description:
          'The ID of the successor that an earlier request with the same `Idempotency-Key` created, if its token never arrived. It is revoked immediately and replaced. The key must be a random (version 4) UUID.',
      })
      .optional(),
  })
  .meta({ id: 'RotateSelf' })

/** How many successors one key can declare lost. Every request reads all of them again. */
const MOST_LOST = 32

const RANDOM_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i

/**
 * Rotates a token for its holder. With `lostId`, replaces a successor whose token never arrived, so a lost response does not lock the holder out.
 *
 * Each step is a rotation under the same key, starting from the holder's token and following the successors that this key created. A repeated or late request
 * changes nothing. Only the last successor can be declared lost, so one that its holder has since rotated is safe.
 *
 * @throws RequestFault `invalid_input`
 * @throws ConflictError `conflict`, `idempotency_key_reused`
 */
export async function rotateOwn(handle: TokenHandle, id: string, given: unknown, headers: Headers): Promise<Minted | Replayed> {
  const { overlap, lostId } = readShape(rotateOwnShape, given, 'POST /self/rotate')
  const idempotencyKey = readIdempotencyKey(headers)
  // The response contains a token, so the key acts as a secret. Someone who stole the old token, which works during its overlap, must not be able to guess it.
  if (lostId !== undefined && !RANDOM_UUID.test(idempotencyKey ?? '')) {
    throw fault('header', ['idempotency-key'], 'Idempotency-Key must be a random (version 4) UUID if lostId is set')
  }
  let result = await handle.rotate(id, { overlap, idempotencyKey })
  if (lostId === undefined) return result
  for (let lost = 0; result.replayed === true && result.record.replacedById !== undefined; lost += 1) {
    if (lost === MOST_LOST) throw new ConflictError('conflict', 'too many successors were declared lost with this Idempotency-Key')
    result = await handle.rotate(result.record.id, { idempotencyKey })
  }
  return result.replayed === true && result.record.id === lostId ? handle.rotate(lostId, { idempotencyKey }) : result
}

import * as z from 'zod'
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
      .regex(/^[0-9A-Za-z]{16}$/, 'must be the id of a token')
      .meta({
        description:
          'The successor created by an earlier request with the same `Idempotency-Key` whose token never arrived: it is revoked at once and replaced. The key must be a random (version 4) UUID.',
      })
      .optional(),
  })
  .meta({ id: 'RotateSelf' })

const RANDOM_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i

/**
 * Rotates a token for its holder. With `lostId`, replaces a successor whose token never arrived, so that a lost answer strands nobody.
 *
 * Each step is a rotation under the same key, from the token of the holder along those that this very key has made: repeating it, or a copy that arrives
 * late, changes nothing. Only the last of them can be declared lost, so one that its holder has rotated since is safe.
 *
 * @throws RequestFault `invalid_input`
 * @throws ConflictError `conflict`, `idempotency_key_reused`
 */
export async function rotateOwn(handle: TokenHandle, id: string, given: unknown, headers: Headers): Promise<Minted | Replayed> {
  const { overlap, lostId } = readShape(rotateOwnShape, given ?? {}, 'POST /self/rotate')
  const idempotencyKey = readIdempotencyKey(headers)
  // It gives a token, so the key is a secret here: whoever stole the old token, which works in its overlap, must not be able to guess it.
  if (lostId !== undefined && !RANDOM_UUID.test(idempotencyKey ?? '')) {
    throw fault('header', ['idempotency-key'], 'Idempotency-Key must be a random (version 4) UUID when lostId is given')
  }
  let result = await handle.rotate(id, { overlap, idempotencyKey })
  if (lostId === undefined) return result
  while (result.replayed === true && result.record.replacedById !== undefined) {
    result = await handle.rotate(result.record.id, { idempotencyKey })
  }
  return result.replayed === true && result.record.id === lostId ? handle.rotate(lostId, { idempotencyKey }) : result
}

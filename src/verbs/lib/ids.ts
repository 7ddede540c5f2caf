import * as z from 'zod'
import { isTokenId } from '../../token/parse.js'
import type { Context } from '../../verify/context.js'
import { canSee, type ReadActor } from './actor.js'
import { noteOutOfReach } from './attempts.js'

/** Maximum number of tokens per call. */
const MOST = 100

/** A list of token IDs. */
export const idsSchema: z.ZodType<readonly string[]> = z
  .array(z.string({ error: 'must be the ID of a token' }).refine(isTokenId, { error: 'must be the ID of a token' }), {
    error: 'must be a list of IDs',
  })
  .min(1, { error: 'must contain at least one ID' })
  .max(MOST, { error: `must have at most ${MOST} IDs` })
  .meta({ description: `The tokens: at most ${MOST}.` })

/** Returns which of the named tokens an actor can see. If some are missing, records that the actor asked for them. */
export async function visibleAmong(
  context: Context,
  actor: ReadActor,
  verb: string,
  named: readonly string[],
  now: number,
): Promise<readonly string[]> {
  const ids = [...new Set(named)]
  const rows = await context.store.list({ prefix: context.settings.prefix, ids, now, limit: ids.length })
  const visible = rows.filter((row) => canSee(actor, row)).map(({ id }) => id)
  if (visible.length < ids.length) noteOutOfReach(context, actor, verb, ids.length === 1 ? { id: ids[0] } : {})
  return visible
}

import * as z from 'zod'
import { isTokenId } from '../../token/parse.js'

/** Maximum number of tokens per call. */
const MOST = 100

/** A list of token IDs. */
export const idsSchema: z.ZodType<readonly string[]> = z
  .array(z.string({ error: 'must be the ID of a token' }).refine(isTokenId, { error: 'must be the ID of a token' }), {
    error: 'must be a list of IDs',
  })
  .min(1, { error: 'must name a token' })
  .max(MOST, { error: `must be at most ${MOST} IDs` })
  .meta({ description: `The tokens: at most ${MOST}.` })

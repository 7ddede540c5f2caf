import * as z from 'zod'
import { isTokenId } from '../../token/parse.js'

/** Maximum number of tokens per call. */
const MOST = 100

/** A list of token ids. */
export const idsSchema: z.ZodType<readonly string[]> = z
  .array(z.string({ error: 'must be the id of a token' }).refine(isTokenId, { error: 'must be the id of a token' }), {
    error: 'must be a list of ids',
  })
  .min(1, { error: 'must name a token' })
  .max(MOST, { error: `must be at most ${MOST} ids` })
  .meta({ description: `The tokens: at most ${MOST}.` })

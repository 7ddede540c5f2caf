import * as z from 'zod'

/** Must routes name the data that a token is limited in? */
export type ResourceMode = 'explicit' | 'implicit'

/** As `latchkey()` and `authenticate()` take it. */
export const resourceMode: z.ZodType<ResourceMode> = z.enum(['explicit', 'implicit'], { error: "must be 'explicit' or 'implicit'" })

import { type OptionReader, oneOf } from './option-reader.js'

/** Must routes name the data that a token is limited in? */
export type ResourceMode = 'explicit' | 'implicit'

/** As `latchkey()` and `authenticate()` take it. */
export const resourceMode: OptionReader<ResourceMode> = oneOf(['explicit', 'implicit'], "must be 'explicit' or 'implicit'")

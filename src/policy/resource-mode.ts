import { type OptionReader, oneOf } from './option-reader.js'

/** Whether routes must name the data that a token is limited to. */
export type ResourceMode = 'explicit' | 'implicit'

/** Reads the option of `latchkey()` and `authenticate()`. */
export const resourceMode: OptionReader<ResourceMode> = oneOf(['explicit', 'implicit'], "must be 'explicit' or 'implicit'")

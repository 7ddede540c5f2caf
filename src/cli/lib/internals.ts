import { isLatchkeyError } from '../../errors.js'
import { type Internals, internalsOf } from '../../instance.js'

/** Why an instance has no internals here. */
export const OTHER_COPY = 'the configuration loads a different copy of latchkey than this command'

/** The internals of the instance; `undefined` where the configuration loads another copy of the package, as `require` does beside `import`. */
export function findInternals(tokens: unknown): Internals | undefined {
  try {
    return internalsOf(tokens)
  } catch (error) {
    if (isLatchkeyError(error)) return undefined
    throw error
  }
}

import { isLatchkeyError } from '../../errors.js'
import { type Internals, internalsOf } from '../../instance.js'

/** Why an instance's internals are not available here. */
export const OTHER_COPY = 'the configuration loads a different copy of latchkey than this command'

/**
 * Returns the internals of the instance; `undefined` if the configuration loads another copy of the package, for example with `require` instead of `import`.
 */
export function findInternals(tokens: unknown): Internals | undefined {
  try {
    return internalsOf(tokens)
  } catch (error) {
    if (isLatchkeyError(error)) return undefined
    throw error
  }
}

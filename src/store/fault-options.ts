import { callback } from '../policy/option-kinds.js'
import { type OptionReader, passing } from '../policy/option-reader.js'
import type { FaultOptions, Logger } from './reporter.js'

type OnError = NonNullable<FaultOptions['onError']>

const onError: OptionReader<OnError> = callback<OnError>('must be a function that takes { where, error }')
const logger: OptionReader<Logger | false> = passing<Logger | false>(
  (value) => value === false || typeof Reflect.get(Object(value), 'error') === 'function',
  'must be false, or a logger with an error method, such as console or pino()',
)

/** `onError` and `logger`, as part of the schema of a set of options. */
export const faultShape: {
  readonly onError: OptionReader<OnError | undefined>
  readonly logger: OptionReader<Logger | false | undefined>
} = {
  onError: onError.optional(),
  logger: logger.optional(),
}

/** Extracts the two from options that were read with that schema. */
export function readFaults(given: { onError?: OnError | undefined; logger?: Logger | false | undefined }): FaultOptions {
  return Object.freeze({
    ...(given.onError !== undefined && { onError: given.onError }),
    ...(given.logger !== undefined && { logger: given.logger }),
  })
}

import * as z from 'zod'
import { callback } from '../policy/option-schema.js'
import type { FaultOptions, Logger } from './reporter.js'

type OnError = NonNullable<FaultOptions['onError']>

const onError: z.ZodType<OnError> = callback<OnError>('must be a function of { where, error }')
const logger: z.ZodType<Logger | false> = z.custom<Logger | false>(
  (value) => value === false || typeof Reflect.get(Object(value), 'error') === 'function',
  { error: 'must be false, or a logger with a method error, such as console or pino()' },
)

/** `onError` and `logger`, as a part of the schema of a whole set of options. */
export const faultShape: { readonly onError: z.ZodOptional<typeof onError>; readonly logger: z.ZodOptional<typeof logger> } = {
  onError: onError.optional(),
  logger: logger.optional(),
}

/** Takes the two out of what a schema with them has read. */
export function readFaults(given: { onError?: OnError | undefined; logger?: Logger | false | undefined }): FaultOptions {
  return Object.freeze({
    ...(given.onError !== undefined && { onError: given.onError }),
    ...(given.logger !== undefined && { logger: given.logger }),
  })
}

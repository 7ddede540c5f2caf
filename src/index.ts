export {
  ClosedError,
  CODES,
  type Code,
  ConflictError,
  type ErrorDetails,
  GrantDeniedError,
  InvalidInputError,
  LatchkeyError,
  NotFoundError,
  type RefusalCode,
  StoreUnavailableError,
} from './errors.js'
export type * from './instance.js'
export { latchkey } from './latchkey.js'
export type * from './model.js'
export type { CacheOptions, LatchkeyOptions } from './options.js'
export type * from './store.js'
export { redact } from './token/redact.js'

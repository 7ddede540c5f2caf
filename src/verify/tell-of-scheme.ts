import { warnOnConsole } from '../model/console-warning.js'
import type { Context } from './context.js'

const SCHEME = /^bearer +/i

const told: WeakSet<Context> = new WeakSet()

/** Tells the developer, once for an instance, that a whole `Authorization` was given where the token alone is expected. */
export function tellOfScheme(context: Context, given: unknown): void {
  if (typeof given !== 'string' || !SCHEME.test(given) || told.has(context)) return
  if (context.settings.parse(given.replace(SCHEME, '')) === undefined) return
  told.add(context)
  warnOnConsole(
    'LATCHKEY_VERIFY_BEARER',
    'verify() was given "Bearer " and a token, which is token_malformed: pass the token alone, without "Bearer "',
  )
}

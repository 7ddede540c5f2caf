import { InvalidInputError } from '../errors.js'
import { warnOnConsole } from '../model/console-warning.js'
import type { VerifyContext } from '../model/principal.js'
import { detached } from '../policy/option-reader.js'
import type { Context } from './context.js'

const SCHEME = /^bearer +/i

const toldOfScheme: WeakSet<Context> = new WeakSet()
const toldOfNoText: WeakSet<Context> = new WeakSet()

/** Warns the developer, once per instance and mistake, that a whole `Authorization` header was passed instead of only the token, or no text at all. */
export function tellOfMalformed(context: Context, given: unknown): void {
  if (typeof given !== 'string') tellOfNoText(context, given, 'verify', 'token_malformed')
  else tellOfScheme(context, given)
}

function tellOfScheme(context: Context, given: string): void {
  if (!SCHEME.test(given) || toldOfScheme.has(context)) return
  if (context.settings.parse(given.replace(SCHEME, '')) === undefined) return
  toldOfScheme.add(context)
  warnOnConsole(
    'LATCHKEY_VERIFY_BEARER',
    'verify() received a token with "Bearer " in front, and answered token_malformed: pass only the token',
  )
}

/** Warns the developer, once per instance, that a promise, a request or its headers were passed instead of a token. */
export function tellOfNoText(context: Context, given: unknown, verb: 'verify' | 'introspect', answer: string): void {
  if (typeof given !== 'object' || given === null || toldOfNoText.has(context)) return
  const kind = kindOf(given)
  if (kind === undefined) return
  toldOfNoText.add(context)
  const instead = kind === 'a promise' ? 'await it' : 'pass the token alone, or let authenticate(tokens) read the request'
  warnOnConsole('LATCHKEY_VERIFY_NOT_TEXT', `${verb}() received ${kind} and answered ${answer}: ${instead}`)
}

function kindOf(given: object): string | undefined {
  try {
    // The token may come from JSON, which contains no functions.
    if (typeof Reflect.get(given, 'then') === 'function') return 'a promise'
    if ('headers' in given) return 'a request'
    if ('authorization' in given || given instanceof Headers) return 'the headers of a request'
  } catch {
    // An object that cannot be read is not a known mistake.
  }
  return undefined
}

const FIELDS: readonly string[] = ['ip', 'method', 'endpoint', 'scopes', 'scope', 'require', 'resources']

/** Returns what a caller of verify() says about the request. A field that other code has put on `Object.prototype` is left out. */
export function readContext(given: VerifyContext | undefined): VerifyContext | undefined {
  // Every verification runs this, so a copy is made only if the prototype has such a field.
  if (given === undefined || !FIELDS.some((name) => name in Object.prototype)) return given
  return detached(given, FIELDS as readonly (keyof VerifyContext & string)[])
}

/** The fields that callers may expect verify() to check. They are read one by one, because every verification runs this code. */
type Demands = { readonly scopes?: unknown; readonly scope?: unknown; readonly require?: unknown; readonly resources?: unknown }

/** Returns the error for a call that expects verify() to check scopes. Ignoring the scopes would accept a token that lacks them. */
export function demandIn(request: VerifyContext): InvalidInputError | undefined {
  const { scopes, scope, require, resources } = request as Demands
  if ((scopes ?? scope ?? require ?? resources) === undefined) return undefined
  const field = Object.entries({ scopes, scope, require, resources }).find(([, demand]) => demand !== undefined)?.[0] ?? ''
  return new InvalidInputError(field, 'verify() does not check scopes or resources: call principal.allows(scope, resources) on its result')
}

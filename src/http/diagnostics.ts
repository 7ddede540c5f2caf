import { docsOf, warnOnConsole } from '../model/console-warning.js'

/** A mistake in how the library is used, told once. */
export type Warning = {
  /** Stable: it can be searched for and muted by. */
  readonly code: WarningCode
  readonly message: string
  /** Where the mistake and its remedy are described. */
  readonly docs: string
}

/** The codes of the warnings, as in docs/diagnostics.md. */
export type WarningCode =
  | 'LATCHKEY_W001'
  | 'LATCHKEY_W002'
  | 'LATCHKEY_W003'
  | 'LATCHKEY_W004'
  | 'LATCHKEY_W005'
  | 'LATCHKEY_W006'
  | 'LATCHKEY_W007'
  | 'LATCHKEY_W008'
  | 'LATCHKEY_W009'
  | 'LATCHKEY_W010'
  | 'LATCHKEY_W011'
  | 'LATCHKEY_W012'
  | 'LATCHKEY_W013'
  | 'LATCHKEY_W014'
  | 'LATCHKEY_W015'

/** Is told of warnings in place of the console. Its faults change nothing. */
export type OnWarning = (warning: Warning) => unknown

const MESSAGES: { readonly [Name in WarningCode]: string } = {
  LATCHKEY_W001: 'authenticate() ran twice for one request: it is mounted twice, which costs a second decision for each request',
  LATCHKEY_W002: 'requireScopes() ran where no authenticate() ran before: the request was answered 500 and the handler did not run',
  LATCHKEY_W003:
    'a token with allowedIps was refused for its address while X-Forwarded-For is present and the framework trusts no proxy: the address seen is the proxy’s',
  LATCHKEY_W004: 'a scope is required that is not in the catalogue, so that no token can hold it',
  LATCHKEY_W005:
    'a token with allowedIps was refused because the client’s address is not known or cannot be read: say how to find it, with the option ip',
  LATCHKEY_W006: 'the actor callback of management() returned an incomplete actor, so the request counts as signed out',
  LATCHKEY_W007:
    'requireScopes() ran where no authenticate() of the same copy ran before: the request was answered 500 and the handler did not run',
  LATCHKEY_W008: 'the session callback of authenticate() returned an incomplete session, so the request was answered 503',
  LATCHKEY_W009: 'the foreign callback of authenticate() returned an incomplete principal, so the request was answered 503',
  LATCHKEY_W010:
    'the framework trusts every proxy, so callers choose their address: allowedIps, limits by address and the addresses in the audit prove nothing',
  LATCHKEY_W011:
    'many tokens come from one address, so that its callers share the budget for lookups of forged tokens: set the option pepper, or have the framework find each client’s address',
  LATCHKEY_W012:
    'a change was refused because the page’s origin is not the host of the request: if a proxy changed Host, have it pass Host on, or name the page’s origin in allowedOrigins of management()',
  LATCHKEY_W013: 'authenticateUpgrade() was given something unsound, so the connection was answered 500',
  LATCHKEY_W014: 'a request to management() lies outside of its mount path, so it was answered 404: check the option mountPath',
  LATCHKEY_W015:
    'the principal could not be set on the request, where something made a principal property that cannot be changed: the request was answered 500',
}

const told = new WeakMap<object, Set<string>>()
/** Stands for the console among the listeners. */
const CONSOLE = {}

/** Tells of a mistake, once for each code and subject; where callers choose the subject, another key says once for each what. */
export function warn(code: WarningCode, onWarning?: OnWarning, subject = '', once: string = subject): void {
  const seen = seenBy(onWarning ?? CONSOLE)
  const key = `${code} ${once}`
  if (seen.has(key) || seen.size >= MAX_TOLD) return
  seen.add(key)
  const message = subject === '' ? MESSAGES[code] : `${MESSAGES[code]}: ${subject}`
  try {
    if (onWarning === undefined) warnOnConsole(code, message)
    else Promise.resolve(onWarning({ code, message, docs: docsOf(code) })).catch(() => undefined)
  } catch {
    // a listener's fault is the listener's
  }
}

/** Bounds what one process can be told, whatever it asks for. */
const MAX_TOLD = 100

function seenBy(listener: object): Set<string> {
  const seen = told.get(listener) ?? new Set<string>()
  told.set(listener, seen)
  return seen
}

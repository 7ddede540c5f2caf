import { docsOf, warnOnConsole } from '../model/console-warning.js'

/** A mistake in how the library is used, reported once. */
export type Warning = {
  /** Stable, so you can search for it and filter by it. */
  readonly code: WarningCode
  readonly message: string
  /** The URL of the page that describes the mistake and how to fix it. */
  readonly docs: string
}

/** The codes of the warnings, listed in docs/diagnostics.md. */
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
  | 'LATCHKEY_W016'

/** Receives warnings instead of the console. Errors that it throws have no effect. */
export type OnWarning = (warning: Warning) => unknown

const MESSAGES: { readonly [Name in WarningCode]: string } = {
  LATCHKEY_W001: 'authenticate() ran twice for one request: it is mounted twice, so every request is authenticated twice',
  LATCHKEY_W002: 'requireScopes() ran without authenticate() before it: the request was answered with 500 and the handler did not run',
  LATCHKEY_W003:
    'a token with allowedIps was refused because of the caller’s address: X-Forwarded-For is present but the framework trusts no proxy, so that address is the proxy’s',
  LATCHKEY_W004: 'a route requires a scope that is not in the catalogue, so no token can have it',
  LATCHKEY_W005:
    'a token with allowedIps was refused because the client’s address is unknown or unreadable: set the ip option to tell latchkey how to find it',
  LATCHKEY_W006: 'the actor callback of management() returned an incomplete actor, so the request counts as signed out',
  LATCHKEY_W007:
    'requireScopes() ran without a preceding authenticate() from the same copy of latchkey: the request was answered with 500 and the handler did not run',
  LATCHKEY_W008: 'the session callback of authenticate() returned an incomplete session, so the request was answered with 503',
  LATCHKEY_W009: 'the foreign callback of authenticate() returned an incomplete principal, so the request was answered with 503',
  LATCHKEY_W010:
    'the framework trusts every proxy, so callers can choose their own address: allowedIps, address limits and the addresses in the audit log are unreliable',
  LATCHKEY_W011:
    'many tokens are used from one address, so their callers share one budget for forged-token lookups: set the pepper option, or let the framework find each client’s address',
  LATCHKEY_W012:
    'a change was refused because the page’s origin differs from that of the request: if a proxy rewrites Host, have it forward the original Host, or add the page’s origin to allowedOrigins of management()',
  LATCHKEY_W013: 'authenticateUpgrade() or createTicket() received an invalid argument, so the upgrade request was refused with status 500',
  LATCHKEY_W014: 'a request to management() is outside its mount path, so it was answered with 404: check the mountPath option',
  LATCHKEY_W015:
    'the principal could not be set because the request already has a read-only principal property: the request was answered with 500',
  LATCHKEY_W016:
    'a resource function of requireScopes() returned neither a string nor a list of strings, so the request was answered with 403',
}

const told = new WeakMap<object, Map<WarningCode, Set<string>>>()
/** Represents the console among the listeners. */
const CONSOLE = {}

/** Reports a mistake, once per code and subject. If callers can influence the subject, pass `once`, a key that is used in its place. */
export function warn(
  code: WarningCode,
  onWarning?: OnWarning,
  subject: string | (() => string) = '',
  once: string = String(subject),
): void {
  const seen = seenBy(onWarning ?? CONSOLE, code)
  if (seen.has(once) || seen.size >= MAX_TOLD) return
  seen.add(once)
  try {
    const about = typeof subject === 'string' ? subject : subject()
    const message = about === '' ? MESSAGES[code] : `${MESSAGES[code]}: ${about}`
    if (onWarning === undefined) warnOnConsole(code, message)
    else Promise.resolve(onWarning({ code, message, docs: docsOf(code) })).catch(() => undefined)
  } catch {
    // A listener's error is not our concern.
  }
}

/** Maximum number of subjects reported for one code in a process, because callers may choose them. Each code has its own limit, so none silences another. */
const MAX_TOLD = 20

function seenBy(listener: object, code: WarningCode): Set<string> {
  const byCode = told.get(listener) ?? new Map<WarningCode, Set<string>>()
  told.set(listener, byCode)
  const seen = byCode.get(code) ?? new Set<string>()
  byCode.set(code, seen)
  return seen
}

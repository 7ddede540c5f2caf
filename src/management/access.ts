import type { TokenHolder } from '../cache/standing.js'
import { isInvalidInput } from '../errors.js'
import type { GuardOutcome } from '../http/admission.js'
import { createGuard } from '../http/authenticate.js'
import { decodeBase64Leniently, decodePercent } from '../http/base64.js'
import { warn } from '../http/diagnostics.js'
import type { WaitUntil } from '../http/hand-over.js'
import { isSession } from '../http/host-principal.js'
import { type PlainResponse, publicCode, type RefusedCode } from '../http/problem.js'
import { secretsIn } from '../http/secrets-in.js'
import { refuseUse, type Use, undoUse } from '../http/use.js'
import { type Internals, internalsOf, type Latchkey, type TokenHandle } from '../instance.js'
import type { Actor } from '../model/actor.js'
import type { MaybePromise } from '../model/json.js'
import type { Principal, RateState } from '../model/principal.js'
import { type Allowance, type CallSite, callOut, newAllowance } from '../store/deadline.js'
import { tellableFault } from '../store/describe-fault.js'
import { createParser } from '../token/parse.js'
import { withoutTexts } from '../token/redact.js'
import { Refusal } from './fault.js'
import type { ManagementSettings } from './options.js'

/** The sender of a request, as reported by an adapter. */
export type Caller = {
  /** The result of the host's `actor` callback, or a function that calls it. An incomplete actor counts as signed out. */
  readonly actor: unknown
  /** Set if a guard of this library has already admitted the request by its token. */
  readonly principal?: Principal | undefined
  /** The use that this guard started to track. It is counted when the response has ended. */
  readonly use?: Use | undefined
  /** The client's address according to the framework's trust-proxy setting. */
  readonly ip?: string | undefined
  /** The body as parsed by the host's own body parser, if one has already run. */
  readonly parsedBody?: unknown
  /** Whether anything had already read the body when the request arrived here. */
  readonly bodyTaken?: boolean | undefined
  /** Whether Node itself delivers the body, and nothing had read it when the request arrived here. */
  readonly bodyUnread?: boolean | undefined
}

/** The caller as adapters pass it. If a host function determines the address, it is called together with everything else that may fail. */
export type Arriving = Omit<Caller, 'ip'> & {
  readonly ip?: Caller['ip'] | (() => string | undefined)
  /**
   * Returns the pattern of the mount path, by which uses are counted, or `undefined` if it is unknown. Without it, the mount path itself is used, so every
   * adapter whose mount path callers can choose must set it.
   */
  readonly mountName?: (() => string | undefined) | undefined
  /** The original request target. Earlier middleware based its decision on it, and a `Request` no longer shows `/x/../y`. */
  readonly target?: string | undefined
  /** Receives the writes that are still pending when the response is sent. */
  readonly waitUntil?: WaitUntil | undefined
}

/** The signed-in person, and the verbs bound to that actor. */
export type Asking = { readonly handle: TokenHandle; readonly actor: Actor }

/** Determines who sent a request. */
export type Access = {
  /**
   * Identifies the signed-in person. The verbs share the `allowance`, which also covers the identification.
   *
   * @throws Refusal `actor_missing`, `token_cannot_manage`, `store_unavailable`
   */
  actor(request: Request, caller: Caller, allowance?: Allowance): Promise<Asking>
  /**
   * Identifies the calling token, or returns the refusal. `done` counts the use.
   *
   * @throws DeadlineError `store_unavailable`, once the allowance is used up
   */
  holder(request: Request, caller: Caller, allowance?: Allowance): Promise<Holder>
  /** Returns what the token that sent a request may do now, or the refusal. Counts nothing. `ip`: the address that it was admitted from. */
  stillHolder(request: Request, ip: string | undefined, token: TokenHolder, allowance: Allowance): Promise<StillHolder>
  /** Creates the response for a token that lacks a scope. */
  refuseScope(request: Request, scope: string): Response
}

type HolderRefusal = 'scope_insufficient' | 'rate_limited' | 'undecided'

/** The holder of a token, or the reason why there is none. */
export type Holder =
  | {
      readonly token: TokenHolder
      /** The address that the token was admitted from. */
      readonly ip: string | undefined
      /** Whether a guard had admitted the request before it arrived here. The host may have waited since then, for example to read the body. */
      readonly wasAdmitted: boolean
      /** Returns the rate state if the token has no refusals left: then a lack of scope is refused as `rate_limited` instead. */
      readonly done: (endpoint: string, refused?: HolderRefusal) => RateState | undefined
      readonly refusal: undefined
    }
  | { readonly refusal: Response; readonly token?: undefined; readonly done?: undefined }

type StillHolder = { readonly token: TokenHolder; readonly refusal?: undefined } | { readonly refusal: Response }

type Seen = { readonly request: Request; readonly ip: string | undefined }

/** Creates the access rules of one instance. */
export function createAccess(tokens: Latchkey, settings: ManagementSettings): Access {
  const inside = internalsOf(tokens)
  const carriesToken = createTokenDetector(tokens.prefix, inside)
  const site: CallSite = { what: 'the actor callback', where: 'actor', deadlineMs: settings.deadlineMs, report: inside.report }
  const guard = createGuard<Seen>(
    tokens,
    { credential: settings.credential, realm: settings.realm },
    {
      read: ({ request, ip }) => ({ method: request.method, headers: request.headers, ip }),
      trustsProxy: () => undefined,
      // `refuseCrossSite` knows the origins that the host allows.
      checksOrigin: true,
    },
  )
  return {
    async actor(request, caller, allowance = newAllowance(inside, settings.deadlineMs)) {
      const { headers } = request
      const fields = new Set(['authorization', ...settings.credentialFields])
      const byToken = caller.principal !== undefined && !isSession(caller.principal)
      if (
        byToken ||
        (await carriesToken(
          [...fields].map((name) => headers.get(name)),
          caller.ip,
          allowance.leftMs,
        ))
      ) {
        undoUse(caller.use)
        throw new Refusal('token_cannot_manage', 'a request with a token can manage only /self: sign in as a person')
      }
      const secrets = (): readonly string[] => secretsIn(headers, [...fields])
      const answer = await ask(caller.actor, { ...site, leftMs: allowance.leftMs, secrets })
      return readAnswer(inside, answer, caller.ip, allowance, secrets)
    },
    async holder(request, caller, allowance = newAllowance(inside, settings.deadlineMs)) {
      // The holder of a signed or foreign token has not presented the API token that it names, so that holder may neither read nor rotate it. The same applies
      // to a token from another instance, because this store may contain a different token under the same ID.
      const token = inside.holderOf(caller.principal)
      if (token !== undefined) {
        // The guard may have another way to determine the address.
        const ip = caller.use?.ip ?? caller.ip
        return { token, ip, wasAdmitted: true, done: (_endpoint, refused) => refuse(caller.use, refused), refusal: undefined }
      }
      const outcome = await withinAllowance(guard({ request, ip: caller.ip }), inside, caller, allowance)
      if (outcome.response !== undefined) undoUse(caller.use)
      return readOutcome(inside, caller.ip, outcome)
    },
    async stillHolder(request, ip, token, allowance) {
      const refusal = (code: RefusedCode, retryAfterSeconds?: number): StillHolder => ({
        refusal: toResponse(guard.guard.refuse(code, { request, ip }, { retryAfterSeconds })),
      })
      let granted = token.granted
      for (const id of new Set([...token.endsWith, token.tokenId])) {
        const standing = await inside.standing(id, ip, allowance.leftMs)
        if (standing.code !== undefined) return refusal(publicCode(standing.code), standing.retryAfterSeconds)
        if (standing.allowsIp?.(ip) === false) return refusal('ip_denied')
        granted = standing.scopes
      }
      return { token: { ...token, granted } }
    },
    refuseScope: (request, scope) => toResponse(guard.guard.refuse('scope_insufficient', { request, ip: undefined }, { scopes: [scope] })),
  }
}

/** Reports that the sender's address could not be determined, without these secrets of the request, and returns the refusal. */
export function unidentified({ report }: Pick<Internals, 'report'>, error: unknown, secrets: readonly string[]): Refusal {
  const cause = tellableFault('ip failed', error, secrets)
  report('ip', cause)
  return new Refusal('store_unavailable', 'the caller cannot be identified at the moment', { cause, retryAfterSeconds: 1 })
}

/** Waits for a decision, which has the instance's deadline. The one of the management API may be shorter. A use that begins after it is refunded. */
async function withinAllowance(
  decided: MaybePromise<GuardOutcome>,
  { report }: Internals,
  { use }: Caller,
  allowance: Allowance,
): Promise<GuardOutcome> {
  if (!(decided instanceof Promise)) return decided
  try {
    return await allowance.join('the verification of the token', { where: 'verify', report }, decided)
  } catch (error) {
    undoUse(use)
    decided.then(
      (late) => undoUse(late.use),
      () => undefined,
    )
    throw error
  }
}

function readOutcome(inside: Internals, ip: string | undefined, outcome: GuardOutcome): Holder {
  if (outcome.response !== undefined) return { refusal: toResponse(outcome.response) }
  const { principal, use } = outcome
  // The guard is not optional and accepts only tokens, so only a token's holder gets here.
  const token = inside.holderOf(principal)
  if (token === undefined) {
    undoUse(use)
    throw new Refusal('store_unavailable', 'nothing was decided')
  }
  return {
    token,
    ip,
    wasAdmitted: false,
    refusal: undefined,
    done(endpoint, refused) {
      const spent = refuse(use, refused)
      use?.done(endpoint)
      return spent
    },
  }
}

function refuse(use: Use | undefined, refused: HolderRefusal | undefined): RateState | undefined {
  if (refused === 'scope_insufficient') return refuseUse(use, refused)
  if (refused !== undefined) use?.refused(refused)
  return undefined
}

function toResponse({ status, headers, body }: PlainResponse): Response {
  return new Response(body, { status, headers })
}

/** How many words of a request's fields are looked up among imported tokens. A request with more words is treated as if it hid a token. */
const MOST_WORDS = 32

// Detects a token of ours, valid or not, anywhere in a field, regardless of the scheme and the number of credentials. Imported tokens have no common format, so
// they are looked up in the store.
function createTokenDetector(
  prefix: string,
  { imported, holdsImported }: Internals,
): (fields: readonly (string | null)[], ip: string | undefined, leftMs: number | undefined) => Promise<boolean> {
  const parse = createParser(prefix)
  const within = (text: string): boolean => (text.match(/[0-9A-Za-z_]+/g) ?? []).some((word) => parse(word) !== undefined)
  return async (fields, ip, leftMs) => {
    const given = fields.filter((field) => field !== null)
    const pairs = pairsIn(given)
    if (pairs.size > MOST_WORDS) return true
    const texts = [...given, ...[...pairs].flatMap(decodeBase64Leniently)]
    if (texts.some(within)) return true
    if (imported === undefined) return false
    // A format may allow colons in its tokens.
    const words = texts.flatMap((text) => [text, ...text.split(/[\s,]+/), ...text.split(/[\s,:]+/)])
    const possible = new Set<string>()
    // Each word that a format reads costs an HMAC, and any caller can send as many words as fit into a field.
    for (const word of new Set(words)) {
      if (imported.admits(word)) possible.add(word)
      if (possible.size > MOST_WORDS) return true
    }
    return holdsImported(possible, ip, leftMs)
  }
}

// RFC 7617: Basic encodes user name and password together in base64. A field may contain several credentials. The host may read spellings that a guard of this
// library refuses: base64url, surplus padding, percent-encoding.
function pairsIn(fields: readonly string[]): ReadonlySet<string> {
  const words = fields.flatMap((field) => Array.from(field.matchAll(/basic\s+([^\s,]+)/gi), ([, word = '']) => word))
  const pairs = words.flatMap((word) => (word.includes('%') ? [word, decodePercent(word)] : [word]))
  // Some decoders end at padding, others ignore it.
  return new Set(pairs.map((pair) => pair.replace(/=+$/, '')).flatMap((pair) => [pair, pair.slice(0, pair.search(/=|$/))]))
}

async function ask(actor: unknown, site: CallSite): Promise<unknown> {
  try {
    return await callOut(
      site,
      () => (typeof actor === 'function' ? actor() : actor),
      (answer) => answer,
    )
  } catch (error) {
    throw new Refusal('store_unavailable', 'the caller cannot be identified at the moment', { cause: error, retryAfterSeconds: 1 })
  }
}

/** Only a complete actor counts as signed in. */
type Secrets = () => readonly string[]

function readAnswer(inside: Internals, answer: unknown, ip: string | undefined, allowance: Allowance, secrets: Secrets): Asking {
  const asking = answer ? tryRead(inside, answer, ip, allowance, secrets) : undefined
  if (asking === undefined || asking.actor.tenants.length === 0) throw new Refusal('actor_missing', 'sign in to manage tokens')
  return asking
}

function tryRead(inside: Internals, answer: unknown, ip: string | undefined, allowance: Allowance, secrets: Secrets): Asking | undefined {
  try {
    return inside.actAs(answer, ip, allowance)
  } catch (error) {
    if (!isInvalidInput(error)) throw error
    // The caller sees only "sign in", which would not help the developer of the callback find the mistake.
    warn('LATCHKEY_W006', undefined, withoutTexts(error.message, secrets()))
    return undefined
  }
}

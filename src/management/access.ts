import { isInvalidInput } from '../errors.js'
import { createGuard, type GuardOutcome } from '../http/authenticate.js'
import { warn } from '../http/diagnostics.js'
import type { WaitUntil } from '../http/hand-over.js'
import { isSession } from '../http/host-principal.js'
import type { PlainResponse } from '../http/problem.js'
import { type Internals, internalsOf, type Latchkey, type TokenHandle } from '../instance.js'
import type { Actor } from '../model/actor.js'
import type { Principal } from '../model/principal.js'
import { type CallSite, callOut } from '../store/deadline.js'
import { createParser } from '../token/parse.js'
import { TokenPrincipal } from '../verify/principal.js'
import { Refusal } from './fault.js'
import type { ManagementSettings } from './options.js'

/** Who sends a request, as an adapter says. */
export type Caller = {
  /** The answer of the host's `actor` callback, or a function that asks it. An incomplete actor counts as signed out. */
  readonly actor: unknown
  /** Set where a guard of this library already let the request in by its token. */
  readonly principal?: Principal | undefined
  /** The client's address, as the framework's trust-proxy setting gives it. */
  readonly ip?: string | undefined
  /** The body as parsed by the host's own body parser, if one ran before. */
  readonly parsedBody?: unknown
  /** Had the body that was sent been read when the request came here, by whomever? */
  readonly bodyTaken?: boolean | undefined
}

/** As an adapter hands it over: where finding the address is up to a function of the host's, that is asked with everything else that may fail. */
export type Arriving = Omit<Caller, 'ip'> & {
  readonly ip?: Caller['ip'] | (() => string | undefined)
  /** The request target as it came: what stood before here decided by it, and a `Request` no longer tells of `/x/../y`. */
  readonly target?: string | undefined
  /** Takes what the request leaves to write. */
  readonly waitUntil?: WaitUntil | undefined
}

/** The person who asks, and what it may do. */
export type Asking = { readonly handle: TokenHandle; readonly actor: Actor }

/** Decides who a request is from. */
export type Access = {
  /**
   * The person who asks.
   *
   * @throws Refusal `actor_missing`, `token_cannot_manage`, `store_unavailable`
   */
  actor(request: Request, caller: Caller): Promise<Asking>
  /** The token that asks, or the answer that refuses it. `done` counts the use. */
  holder(request: Request, caller: Caller): Promise<Holder>
  /** The answer to a token that lacks a scope. */
  refuseScope(request: Request, scope: string): Response
}

/** The holder of a token, or why there is none. */
export type Holder =
  | {
      readonly principal: HolderPrincipal
      readonly done: (endpoint: string, refused?: 'scope_insufficient' | 'rate_limited') => void
      readonly refusal?: undefined
    }
  | { readonly refusal: Response; readonly principal?: undefined; readonly done?: undefined }

/** The principal of a token. */
export type HolderPrincipal = Principal & { readonly tokenId: string }

type Seen = { readonly request: Request; readonly ip: string | undefined }

/** Makes the access rules of one instance. */
export function createAccess(tokens: Latchkey, settings: ManagementSettings): Access {
  const inside = internalsOf(tokens)
  const carriesToken = createTokenDetector(tokens.prefix, inside)
  const site: CallSite = { what: 'the actor callback', where: 'actor', deadlineMs: settings.deadlineMs, report: inside.report }
  const guard = createGuard<Seen>(
    tokens,
    { credential: settings.credential, realm: settings.realm },
    { read: ({ request, ip }) => ({ method: request.method, headers: request.headers, ip }), trustsProxy: () => undefined },
  )
  return {
    async actor(request, caller) {
      const { headers } = request
      const fields = new Set(['authorization', ...settings.credentialFields])
      const byToken = caller.principal !== undefined && !isSession(caller.principal)
      if (byToken || (await carriesToken([...fields].map((name) => headers.get(name))))) {
        throw new Refusal('token_cannot_manage', 'a request with a token can manage only /self: sign in as a person')
      }
      return readAnswer(inside, await ask(caller.actor, site), caller.ip)
    },
    async holder(request, caller) {
      const { principal } = caller
      // A signed or foreign token names a token that it is not: its holder has not shown that one, so it neither reads nor rotates it.
      if (principal !== undefined && isHolder(principal) && TokenPrincipal.entryOf(principal) !== undefined)
        return { principal, done: () => undefined }
      return readOutcome(await guard({ request, ip: caller.ip }))
    },
    refuseScope: (request, scope) => toResponse(guard.guard.refuse('scope_insufficient', { request, ip: undefined }, { scopes: [scope] })),
  }
}

function readOutcome(outcome: GuardOutcome): Holder {
  if (outcome.response !== undefined) return { refusal: toResponse(outcome.response) }
  const { principal, use } = outcome
  // The guard is not optional and knows tokens only, so nobody else comes through.
  if (principal === undefined || !isHolder(principal)) throw new Refusal('store_unavailable', 'nothing was decided')
  return {
    principal,
    done(endpoint, refused) {
      if (refused !== undefined) use?.refused(refused)
      use?.done(endpoint)
    },
  }
}

function isHolder(principal: Principal): principal is HolderPrincipal {
  return principal.tokenId !== undefined
}

function toResponse({ status, headers, body }: PlainResponse): Response {
  return new Response(body, { status, headers })
}

/** How many words of a request's fields are looked up among imported tokens. */
const MOST_WORDS = 32

// Whatever the scheme, and however many stand in one field: a token of ours anywhere in it counts, good or bad. Imported ones have no form of their own, so
// they count where they are in the store.
function createTokenDetector(prefix: string, { imported, identify }: Internals): (fields: readonly (string | null)[]) => Promise<boolean> {
  const parse = createParser(prefix)
  const within = (text: string): boolean => (text.match(/[0-9A-Za-z_]+/g) ?? []).some((word) => parse(word) !== undefined)
  return async (fields) => {
    const texts = fields.filter((field) => field !== null).flatMap((field) => [field, ...pairsIn(field)])
    if (texts.some(within)) return true
    if (imported === undefined) return false
    const words = texts.flatMap((text) => [text, ...text.split(/[\s,:]+/)])
    for (const word of new Set(words.slice(0, MOST_WORDS))) {
      if (imported.admits(word) && (await identify(word)) !== undefined) return true
    }
    return false
  }
}

// RFC 7617: in Basic, user name and password are one word of base64. A field may hold several.
function pairsIn(value: string): readonly string[] {
  return Array.from(value.matchAll(/basic +([0-9A-Za-z+/_=-]+)/gi), ([, word = '']) => decoded(word))
}

function decoded(word: string): string {
  try {
    return atob(word)
  } catch {
    return ''
  }
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

/** Only a complete actor counts; whatever else came is nobody. */
function readAnswer(inside: Internals, answer: unknown, ip: string | undefined): Asking {
  const asking = typeof answer === 'object' && answer !== null ? tryRead(inside, answer, ip) : undefined
  if (asking === undefined || asking.actor.tenants.length === 0) throw new Refusal('actor_missing', 'sign in to manage tokens')
  return asking
}

function tryRead(inside: Internals, answer: object, ip: string | undefined): Asking | undefined {
  try {
    return inside.actAs(answer, ip)
  } catch (error) {
    if (!isInvalidInput(error)) throw error
    // To the caller this is "sign in"; whoever wrote the callback would look for the mistake for long.
    warn('LATCHKEY_W006', undefined, error.message)
    return undefined
  }
}

import { ClosedError, isLatchkeyError, StoreUnavailableError } from './errors.js'
import { AUTHENTICATOR, type Internals, type Latchkey, registerInstance } from './instance.js'
import { noteCopy } from './model/copies.js'
import type { MaybePromise } from './model/json.js'
import type { Verification, VerifyContext } from './model/principal.js'
import { countOne } from './model/vitals.js'
import { type LatchkeyOptions, readOptions } from './options.js'
import { normalizeIp } from './policy/network.js'
import { closest } from './policy/suggest.js'
import { copyFault } from './store/describe-fault.js'
import { share } from './store/users.js'
import { holdsOwnToken } from './token/redact.js'
import { close } from './verbs/close.js'
import { createTicket } from './verbs/create-ticket.js'
import { createHandle } from './verbs/handle.js'
import { consumersOf, health, readings } from './verbs/health.js'
import { publicActor, readActor, SYSTEM } from './verbs/lib/actor.js'
import { noteAttempted } from './verbs/lib/attempts.js'
import { follow } from './verbs/lib/follow.js'
import { upkeepOf } from './verbs/upkeep.js'
import { buildContext, forOneCall } from './verify/build-context.js'
import { countUse } from './verify/count-use.js'
import { holdsImported, shapesOf } from './verify/find-imported.js'
import { identify } from './verify/identify.js'
import { introspect } from './verify/introspect.js'
import { TokenPrincipal } from './verify/principal.js'
import { giveBackTicket, redeem } from './verify/redeem.js'
import { standing } from './verify/standing.js'
import { decide, verify } from './verify/verify.js'
import { demandIn, readContext, tellOfNoText } from './verify/verify-slips.js'

/**
 * Creates an instance over a store. It verifies tokens, and provides handles to manage them.
 *
 * Does no I/O; the first call opens the store and sets it up.
 *
 * @throws InvalidInputError `invalid_input`, for unknown or invalid options
 * @example
 * ```ts
 * const tokens = latchkey({
 *   prefix: 'acme_live',
 *   store: sqliteStore('tokens.db'),
 *   scopes: { 'inventory:read': 'See stock' },
 * })
 * const { token } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'], expiresIn: '90d' })
 * ```
 */
export function latchkey<const S extends string>(options: LatchkeyOptions<S>): Latchkey<S> {
  const settings = readOptions(options)
  const context = buildContext(settings)
  const upkeep = upkeepOf(context)
  context.store.whenUsed(() => {
    context.housekeeping.start()
    for (const task of upkeep) task.start()
  })
  share(settings.store)
  noteCopy()
  let closing: Promise<void> | undefined

  // Every call except close() passes through here, so that nothing works on a closed instance.
  const open = (): typeof context => {
    if (closing !== undefined) throw new ClosedError()
    return context
  }
  const countUndecided = (error: unknown): void => {
    countOne(context.vitals.undecided, isLatchkeyError(error) ? error.code : 'store_unavailable')
  }
  const undecided = (error: unknown, token: unknown): Promise<never> => {
    const fault = isLatchkeyError(error)
      ? error
      : new StoreUnavailableError('nothing could be decided', copyFault(error, typeof token === 'string' ? [token] : []))
    countUndecided(fault)
    context.report('verify', fault, () => (typeof token === 'string' ? [token] : []))
    return Promise.reject(fault)
  }
  const failed = (error: unknown): never => {
    countUndecided(error)
    throw error
  }
  const orUndecided = (work: typeof decide, credential: unknown, request: VerifyContext | undefined): MaybePromise<Verification> => {
    try {
      const verification = work(open(), credential, request)
      return verification instanceof Promise ? verification.catch(failed) : verification
    } catch (error) {
      return failed(error)
    }
  }
  const { prefix, scopes: catalogue, groups, expiry, allowWildcard, usage, owner, clock, retention, store } = settings
  const { digesters, sealing, imports, monotonic } = settings
  const inside: Internals = {
    catalogue,
    report: context.report,
    resources: settings.resources,
    looksUpForgeries: imports !== undefined || digesters.some(({ pepperId }) => pepperId === undefined),
    settings: { groups, expiry, allowWildcard, usage, owner, clock, retention, store, digesters, sealing, imports, monotonic },
    deadlineMs: settings.deadlineMs,
    monotonic,
    boundMs: settings.maxStalenessMs + settings.serveStaleMs,
    vitals: context.vitals,
    readings: () => readings(context),
    consumers: async () => (closing === undefined && context.store.isUsed ? await consumersOf(context) : []),
    watchStore: (watch) => {
      context.store.watchCall = watch
    },
    decide: (token, request) => orUndecided(decide, token, request),
    redeem: (ticket, request) => orUndecided(redeem, ticket, request),
    giveBackTicket: (principal) => {
      if (closing === undefined) giveBackTicket(context, principal)
    },
    holderOf: (principal) => TokenPrincipal.holderFor(principal, context.signalOf),
    holdsImported: async (credentials, ip, leftMs) => holdsImported(open(), credentials, ip, leftMs),
    createTicket: async (principal) => createTicket(forOneCall(open()), principal),
    refusalsSpent: (principal) => context.rates?.refusalsSpent(principal),
    flush: async () => open().flush(),
    openUses: context.openUses,
    countUse: (principal, use) => {
      if (closing === undefined) countUse(context, principal, use)
    },
    actAs: (given, ip, allowance, turns) => {
      const read = readActor(given)
      const actor = read.ip === undefined ? { ...read, ip: normalizeIp(ip) } : read
      return { handle: createHandle(open, actor, allowance, normalizeIp(turns)), actor: publicActor(actor) }
    },
    noteAttempt: (attempted) => noteAttempted(open(), attempted),
    imported: shapesOf(context),
    isOwn: (credential) =>
      holdsOwnToken(credential) ||
      credential.toLowerCase().startsWith(`${prefix}_`) ||
      (context.imported?.claims(credential, true).length ?? 0) > 0,
    resolve: (grants) => settings.catalogue.resolveFrom('the scopes of a session or a foreign principal', grants),
    suggest: (scope) => closest(scope, settings.catalogue.names),
    standing: (id, ip, leftMs) => standing(open(), id, ip, leftMs),
    identify: async (token, allowance, from, mine) => identify(forOneCall(open(), allowance), token, from, mine),
    introspect: async (token, allowance, from, mine) => introspect(forOneCall(open(), allowance), token, from, mine),
    follow: (name, handler, options) => follow(open(), name, handler, options),
    store: () => open().store,
  }
  const instance: Latchkey = {
    [AUTHENTICATOR]: true,
    prefix,
    catalogue,
    // Creates exactly one promise, because hosts make this call for every request.
    verify: (token, given) => {
      const request = readContext(given)
      const misplaced = request === undefined ? undefined : demandIn(request)
      if (misplaced !== undefined) return Promise.reject(misplaced)
      try {
        const verification = verify(open(), token, request)
        return verification instanceof Promise
          ? verification.catch((error: unknown) => undecided(error, token))
          : Promise.resolve(verification)
      } catch (error) {
        return undecided(error, token)
      }
    },
    introspect: async (token) => {
      const context = open()
      if (typeof token !== 'string') tellOfNoText(context, token, 'introspect', 'that the token is not active')
      return introspect(forOneCall(context), token)
    },
    as: (actor) => createHandle(open, readActor(actor)),
    system: createHandle(open, SYSTEM),
    flush: async () => open().flush(),
    health: () => health(context, closing !== undefined),
    close: () => {
      context.openUses.close()
      // From now on, the first call that hangs is the last one, including calls of the upkeep that is ending.
      context.store.beginClose()
      closing ??= Promise.all(upkeep.map((task) => task.stop())).then(() => close(context))
      return closing
    },
  }
  registerInstance(instance, inside)
  // Callers know the names of scopes at compile time; internally, names are plain strings.
  return Object.freeze(instance) as Latchkey<S>
}

import { ClosedError } from './errors.js'
import type { Latchkey } from './instance.js'
import { noteCopy } from './model/copies.js'
import { type LatchkeyOptions, readOptions } from './options.js'
import { share } from './store/users.js'
import { activate } from './verbs/activate.js'
import { close } from './verbs/close.js'
import { create } from './verbs/create.js'
import { deactivate } from './verbs/deactivate.js'
import { events } from './verbs/events.js'
import { get } from './verbs/get.js'
import { grantable } from './verbs/grantable.js'
import { list } from './verbs/list.js'
import { ownerChanged } from './verbs/owner-changed.js'
import { prune } from './verbs/prune.js'
import { reportLeak } from './verbs/report-leak.js'
import { revoke } from './verbs/revoke.js'
import { revokeAll } from './verbs/revoke-all.js'
import { rotate } from './verbs/rotate.js'
import { update } from './verbs/update.js'
import { usage } from './verbs/usage.js'
import { usageOf } from './verbs/usage-of.js'
import { buildContext } from './verify/build-context.js'
import { check } from './verify/check.js'
import { identify } from './verify/identify.js'
import { introspect } from './verify/introspect.js'
import { countUse, decide, verify } from './verify/verify.js'

/**
 * Makes an instance over a store: the verbs of a token's life.
 *
 * Does no I/O itself; the store is opened and set up by the first call.
 *
 * @throws InvalidInputError `invalid_input`, for options that are unknown or unsound
 * @example
 * ```ts
 * const tokens = latchkey({
 *   prefix: 'acme_live',
 *   store: sqliteStore('tokens.db'),
 *   scopes: { 'inventory:read': 'See stock' },
 * })
 * const { token } = await tokens.create({ name: 'ERP', scopes: ['inventory:read'] }, { actor: 'system' })
 * ```
 */
export function latchkey<const S extends string>(options: LatchkeyOptions<S>): Latchkey<S> {
  const settings = readOptions(options)
  const context = buildContext(settings)
  share(settings.store)
  noteCopy()
  let closing: Promise<void> | undefined

  // Every verb but close passes here, so that nothing works on a closed instance.
  const open = (): typeof context => {
    if (closing !== undefined) throw new ClosedError()
    return context
  }
  const { prefix, scopes, groups, requireExpiry, allowWildcard, defaultTtlSeconds, maxTtlSeconds } = settings
  const verbs: Untyped<Latchkey> = {
    prefix,
    catalogue: scopes,
    groups,
    limits: Object.freeze({
      requireExpiry,
      allowWildcard,
      ...(defaultTtlSeconds !== undefined && { defaultTtlSeconds }),
      ...(maxTtlSeconds !== undefined && { maxTtlSeconds }),
    }),
    create: async (input: unknown, by: unknown) => create(open(), input, by),
    // One promise and no more: this is the call that hosts make for every request.
    verify: (token, request) => {
      try {
        const verification = verify(open(), token, request)
        return verification instanceof Promise ? verification : Promise.resolve(verification)
      } catch (error) {
        return Promise.reject(error)
      }
    },
    decide: (token, request) => decide(open(), token, request),
    countUse: (principal, use) => {
      if (closing === undefined) countUse(context, principal, use)
    },
    identify: async (token) => identify(open(), token),
    introspect: async (token) => introspect(open(), token),
    check: (id) => check(open(), id),
    reportLeak: async (input, by) => reportLeak(open(), input, by),
    get: async (id, by) => get(open(), id, by),
    list: async (input, by) => list(open(), input, by),
    update: async (id, changes, by) => update(open(), id, changes, by),
    activate: async (id, by) => activate(open(), id, by),
    deactivate: async (id, by) => deactivate(open(), id, by),
    rotate: async (id: unknown, input: unknown, by: unknown) => rotate(open(), id, input, by),
    revoke: async (id, input, by) => revoke(open(), id, input, by),
    revokeAll: async (input, by) => revokeAll(open(), input, by),
    events: async (input, by) => events(open(), input, by),
    usage: async (id, range, by) => usage(open(), id, range, by),
    usageOf: async (input, by) => usageOf(open(), input, by),
    grantable: (by) => grantable(open(), by),
    prune: async (input, by) => prune(open(), input, by),
    ownerChanged: async (ownerId, by) => ownerChanged(open(), ownerId, by),
    close: () => {
      closing ??= close(context)
      return closing
    },
  }
  return Object.freeze(verbs) as Latchkey<S>
}

// Overloads narrow what callers see; the implementation answers the union.
type Untyped<T> = { readonly [K in keyof T]: K extends 'create' | 'rotate' ? (...args: never[]) => Promise<unknown> : T[K] }

export type * from './instance.js'
export type { LatchkeyOptions } from './options.js'

import { InvalidInputError } from '../../errors.js'
import { warnOnConsole } from '../../model/console-warning.js'
import type { MaybePromise } from '../../model/json.js'
import { isThenable } from '../../store/deadline.js'
import { isStore } from '../../store/is-store.js'
import { methodsOf } from '../../store/methods.js'
import type { TokenStore } from '../../store/port.js'
import type { RelayClock } from './clock.js'
import { realClock } from './clock.js'
import { type RelayOptions, readRelayOptions } from './options.js'
import { Relay } from './relay.js'

const WARN_AGAIN_MS = 60_000
const REFUSED =
  'messages on the relay were not signed with this key for this store, and were ignored: nodes with a different key or store share its channel, or someone else writes to it'

/**
 * Puts a relay in front of a store: one of the nodes that share the channel reads the change feed and renews the leases for all of them, with fewer
 * than 20 queries a second in total.
 *
 * Each node keeps the same staleness bound as without a relay. It requests each page from the reader with its own message, and measures staleness from the
 * time of that request; if the broker loses, delays or repeats messages, it queries the store itself.
 *
 * @throws InvalidInputError `invalid_input`
 * @example
 * ```ts
 * import { natsTransport, relayedStore } from 'latchkey/relay'
 *
 * const store = relayedStore(postgresStore({ url }), { transport: natsTransport({ connection }), key })
 * const tokens = latchkey({ prefix: 'acme_live', store, scopes })
 * ```
 */
export function relayedStore(store: TokenStore, options: RelayOptions): TokenStore {
  return createRelayedStore(store, options, realClock())
}

/** Creates the store with a given clock. */
export function createRelayedStore(store: TokenStore, options: RelayOptions, clock: RelayClock): TokenStore {
  if (!isStore(store)) throw new InvalidInputError('store', 'must be a store, such as postgresStore({ url })')
  const { transport, key, channel, onWarning = ({ code, message }) => warnOnConsole(code, message) } = readRelayOptions(options)
  let warnAgainAt = Number.NEGATIVE_INFINITY
  const refused = (): void => {
    const now = clock.now()
    if (now < warnAgainAt) return
    warnAgainAt = now + WARN_AGAIN_MS
    // A failing listener, asynchronous or not, must stop neither the relay nor the process.
    void (async () => onWarning({ code: 'LATCHKEY_RELAY_REFUSED', message: REFUSED }))().catch(() => undefined)
  }
  const join = (): Relay => new Relay(store, { transport, key, channel, clock, refused })
  let relay = join()
  const through = Object.fromEntries(
    methodsOf(store).map((method) => {
      const run = store[method] as (...args: readonly unknown[]) => unknown
      return [method, (...args: readonly unknown[]) => Reflect.apply(run, store, args)]
    }),
  ) as unknown as Omit<TokenStore, 'name' | 'usageRows' | 'reached'>
  // Sends a wake-up regardless of the result, because an unnecessary one costs only one read.
  const growing = <T>(answer: MaybePromise<T>): MaybePromise<T> => {
    if (isThenable(answer)) {
      answer.then(
        () => relay.grown(),
        () => relay.grown(),
      )
    } else relay.grown()
    return answer
  }
  const { saveMove } = through
  return {
    ...through,
    name: store.name,
    ...(store.usageRows !== undefined && { usageRows: store.usageRows }),
    reached: (cursor, target) => store.reached(cursor, target),
    commit: (change) => growing(through.commit(change)),
    revokeWhere: (filter, stamp, event) => growing(through.revokeWhere(filter, stamp, event)),
    ...(saveMove !== undefined && { saveMove: (prefix, expected, next) => growing(saveMove(prefix, expected, next)) }),
    changes: (after, limit) => (after === undefined ? store.changes(after, limit) : relay.page(after, limit)),
    renewLease: (lease) => (lease.expiresAt === 0 ? relay.release(lease) : relay.renew(lease)),
    subscribe: (wake, lost) => relay.subscribe(wake, lost),
    close() {
      relay.stop()
      // The store can be used again, as without a relay.
      relay = join()
      return store.close?.()
    },
  }
}

import type { MaybePromise } from '../../model/json.js'
import type { TokenStore } from '../../store/port.js'

/** The methods of a store that do I/O. */
export type StoreMethod =
  | 'find'
  | 'list'
  | 'commit'
  | 'revokeWhere'
  | 'events'
  | 'changes'
  | 'subscribe'
  | 'recordUsage'
  | 'usage'
  | 'renewLease'
  | 'leases'
  | 'migrate'
  | 'close'

/** One call to a store. */
export type StoreCall = { readonly method: StoreMethod; readonly args: readonly unknown[] }

/** A store of which every call passes through `around`, which may call `proceed` never, once or more often, now or later. */
export function interceptStore(store: TokenStore, around: (call: StoreCall, proceed: () => unknown) => unknown): TokenStore {
  const wrap =
    <Args extends readonly unknown[], Answer>(method: StoreMethod, run: (...args: Args) => MaybePromise<Answer>) =>
    (...args: Args): MaybePromise<Answer> =>
      around({ method, args }, () => run(...args)) as MaybePromise<Answer>
  const { subscribe, migrate, close } = store
  return {
    name: store.name,
    ...(store.usageRows !== undefined && { usageRows: store.usageRows }),
    find: wrap('find', (ids) => store.find(ids)),
    list: wrap('list', (query) => store.list(query)),
    commit: wrap('commit', (change) => store.commit(change)),
    revokeWhere: wrap('revokeWhere', (filter, stamp, event) => store.revokeWhere(filter, stamp, event)),
    events: wrap('events', (query) => store.events(query)),
    changes: wrap('changes', (after, limit) => store.changes(after, limit)),
    recordUsage: wrap('recordUsage', (batch) => store.recordUsage(batch)),
    usage: wrap('usage', (query) => store.usage(query)),
    renewLease: wrap('renewLease', (lease) => store.renewLease(lease)),
    leases: wrap('leases', (now) => store.leases(now)),
    reached: (cursor, target) => store.reached(cursor, target),
    ...(subscribe !== undefined && { subscribe: wrap('subscribe', (wake: () => void) => subscribe.call(store, wake)) }),
    ...(migrate !== undefined && { migrate: wrap('migrate', () => migrate.call(store)) }),
    ...(close !== undefined && { close: wrap('close', () => close.call(store)) }),
  }
}

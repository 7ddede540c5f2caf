import { bulkEventCases } from './cases/bulk-events.js'
import { bulkNewsCases } from './cases/bulk-news.js'
import { capCases } from './cases/caps.js'
import { commitCases } from './cases/commit.js'
import { consumerCases } from './cases/consumers.js'
import { distinctCases } from './cases/distinct.js'
import { erasureCases } from './cases/erasures.js'
import { eventOrderCases } from './cases/event-order.js'
import { eventCases } from './cases/events.js'
import { feedCases } from './cases/feed.js'
import { filterCases } from './cases/filters.js'
import { historyCases } from './cases/history.js'
import { hostTransactionCases } from './cases/host-transactions.js'
import { leaseCases } from './cases/leases.js'
import { lifeCases } from './cases/life.js'
import { loadCases } from './cases/load.js'
import { moveCases } from './cases/moves.js'
import { pagingCases } from './cases/paging.js'
import { raceCases } from './cases/races.js'
import { recordCases } from './cases/records.js'
import { removalCases } from './cases/removals.js'
import { restoreCases } from './cases/restores.js'
import { retentionCases } from './cases/retention.js'
import { revokeWhereCases } from './cases/revoke-where.js'
import { sealCases } from './cases/seals.js'
import { separationCases } from './cases/separation.js'
import { textCases } from './cases/text.js'
import { ticketCases } from './cases/tickets.js'
import { usageCases } from './cases/usage.js'
import { runCase } from './stage.js'
import type { ContractRunner, StoreCases, StoreContractOptions } from './types.js'

const GROUPS: readonly StoreCases[] = [
  recordCases,
  commitCases,
  capCases,
  removalCases,
  raceCases,
  revokeWhereCases,
  bulkNewsCases,
  bulkEventCases,
  filterCases,
  textCases,
  pagingCases,
  separationCases,
  distinctCases,
  eventCases,
  eventOrderCases,
  consumerCases,
  sealCases,
  erasureCases,
  feedCases,
  usageCases,
  retentionCases,
  leaseCases,
  ticketCases,
  hostTransactionCases,
  moveCases,
  restoreCases,
  lifeCases,
  loadCases,
  historyCases,
]

/**
 * Declares the tests that a store must pass to be a `TokenStore`.
 *
 * The runner is passed in, so the suite works with any runner. The suite takes a few seconds, and longer with a store that syncs to disk.
 *
 * @example
 * ```ts
 * import { storeContract } from 'latchkey/testing'
 * import { describe, it } from 'vitest'
 *
 * storeContract({ describe, it }, {
 *   name: 'my store',
 *   async create() {
 *     const database = await emptyDatabase()
 *     return { store: myStore(database), second: myStore(database), reopen: () => myStore(database), dispose: () => database.drop() }
 *   },
 * })
 * ```
 */
export function storeContract({ describe, it }: ContractRunner, options: StoreContractOptions): void {
  const timeout = (options.timeoutSeconds ?? 60) * 1000
  describe(`${options.name} fulfills the store contract`, () => {
    for (const { title, cases } of GROUPS) {
      describe(title, () => {
        for (const each of cases) it(each.title, () => runCase(each, options), timeout)
      })
    }
  })
}

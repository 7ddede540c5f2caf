import type { LatchkeyOptions, TokenHandle } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { Upkeep } from '../../src/activity/upkeep.js'
import type { AuditEvent } from '../../src/model/event.js'
import { readOptions } from '../../src/options.js'
import type { TokenStore } from '../../src/store/port.js'
import { Background } from '../../src/store/timer.js'
import { batch } from '../../src/testing/store-contract/build.js'
import { createHandle } from '../../src/verbs/handle.js'
import { SYSTEM } from '../../src/verbs/lib/actor.js'
import { isAlone, upkeepTasks } from '../../src/verbs/upkeep.js'
import { buildContext } from '../../src/verify/build-context.js'
import type { Context } from '../../src/verify/context.js'
import { SCOPES } from '../latchkey/harness.js'

export const DAY = 86_400_000
export const HOUR = 3_600_000
export const MINUTE = 60_000
/** Long ago, so no time that a test sets on its nodes is ahead of the correct clock of a database. */
export const START: number = Date.UTC(2020, 0, 1)

/** A clock that the test sets, for one node or several. */
export type Clock = { now: number }

export type Node = {
  readonly store: TokenStore
  readonly context: Context
  readonly handle: TokenHandle
  readonly clock: Clock
  /** Checks once for due work, as the timers do. */
  look(): Promise<void>
  make(more?: object): Promise<string>
  use(id: string, at?: number): Promise<void>
  /** The notices, oldest first: the action and the threshold in days. */
  told(): Promise<string[]>
  events(action?: AuditEvent['action']): Promise<readonly AuditEvent[]>
}

/** A separate node. The test sets its clock and runs its upkeep. */
export function node(
  options: Partial<LatchkeyOptions> = {},
  clock: Clock = { now: START },
  monotonic: () => number = (): number => performance.now(),
): Node {
  const store = options.store ?? memoryStore()
  const read = readOptions({ prefix: 'acme_test', scopes: SCOPES, logger: false, ...options, store, clock: () => clock.now })
  const settings = { ...read, monotonic }
  const context = buildContext(settings)
  const handle = createHandle(() => context, SYSTEM)
  const { prefix } = settings
  const upkeep = upkeepTasks(context)
    .filter(({ name }) => !name.startsWith('.retention') || options.retention !== undefined)
    .map(
      (task) =>
        new Upkeep(context.store, task, {
          prefix,
          holder: context.nodeId,
          clock: settings.clock,
          monotonic,
          elapsed: monotonic,
          report: context.report,
          isAlone: () => isAlone(context),
          serverTime: () => context.store.serverTime(),
          background: new Background(),
        }),
    )
  const events = async (action?: AuditEvent['action']): Promise<readonly AuditEvent[]> => {
    const found: AuditEvent[] = []
    let after: string | undefined
    do {
      const page = await handle.events({ order: 'oldest', limit: 1000, ...(action !== undefined && { action }), ...(after && { after }) })
      found.push(...page.items)
      after = page.nextCursor
    } while (after !== undefined)
    return found
  }
  return {
    store,
    context,
    handle,
    clock,
    events,
    look: async () => {
      for (const each of upkeep) await each.look()
    },
    make: async (more = {}) => (await handle.create({ name: 'ERP', scopes: ['stock:read'], ...more })).record.id,
    use: async (id, at = clock.now) => void (await store.recordUsage(batch({ at, lastUses: [{ tokenId: id, at }] }))),
    told: async () => {
      const all = await events()
      return all.flatMap(({ action, details }) => {
        const days = Number(details?.thresholdSeconds) / 86_400
        return NOTICES.has(action) ? [Number.isNaN(days) ? action : `${action} ${days}`] : []
      })
    },
  }
}

const NOTICES: ReadonlySet<string> = new Set([
  'token.expiring',
  'token.expired',
  'token.unused',
  'token.rotation_due',
  'token.old_still_used',
])

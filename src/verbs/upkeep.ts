import { Upkeep, type UpkeepTask } from '../activity/upkeep.js'
import type { Context } from '../verify/context.js'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
/** With this duration, only released leases count as expired. */
const ALL_LEASES = 0

/** Recurring work that one node does on behalf of all nodes, as far as the options require it. */
export function upkeepOf(context: Context): readonly Upkeep[] {
  const { prefix, clock, monotonic } = context.settings
  const options = {
    prefix,
    holder: context.nodeId,
    clock,
    monotonic,
    elapsed: context.elapsed,
    report: context.report,
    background: context.background,
    isAlone: () => isAlone(context),
    serverTime: () => context.store.serverTime(),
  }
  return upkeepTasks(context).map((task) => new Upkeep(context.store, task, options))
}

/**
 * Checks whether no other node holds a lease. The lease of a crashed node stays until it expires, so data may be removed a little late, but never too
 * early.
 */
export async function isAlone({ store, nodeId }: Context): Promise<boolean> {
  const own = nodeId()
  return (await store.leases(ALL_LEASES)).every((lease) => lease.nodeId === own)
}

/** Returns the same work as tasks. The code of a task is loaded on its first run. */
export function upkeepTasks(context: Context): readonly UpkeepTask[] {
  const { retention, sealing, notices } = context.settings
  const tasks: UpkeepTask[] = []
  const { deadMs, eventsMs, usageMs, addressesMs } = retention
  if (deadMs !== undefined || eventsMs !== undefined) {
    tasks.push({
      name: '.retention',
      place: 'retention',
      everyMs: HOUR_MS,
      removes: true,
      run: async ({ sure }, goOn) => (await import('./retain.js')).retain(context, sure, goOn),
    })
  }
  if (usageMs !== undefined || addressesMs !== undefined) {
    const shortest = Math.min(usageMs ?? Number.POSITIVE_INFINITY, addressesMs ?? Number.POSITIVE_INFINITY)
    tasks.push({
      name: '.retention-usage',
      place: 'retention',
      // This task reads every token.
      everyMs: Math.min(24 * HOUR_MS, Math.max(HOUR_MS, shortest / 24)),
      removes: true,
      run: async ({ sure }, goOn) => (await import('./retain.js')).trimUsage(context, sure, goOn),
    })
  }
  if (sealing !== undefined) {
    tasks.push({
      name: '.sealing',
      place: 'sealing',
      everyMs: sealing.everyMs,
      run: async (_times, goOn) => void (await (await import('./lib/seals.js')).sealUp(context, goOn)),
    })
  }
  if (notices.any) {
    tasks.push({
      name: '.notices',
      place: 'notices',
      everyMs: MINUTE_MS,
      run: async ({ now, since }, goOn) => (await import('./notify.js')).notify(context, now, goOn, since),
    })
  }
  const { unusedMs, deactivateMs } = notices
  if (unusedMs !== undefined || deactivateMs !== undefined) {
    // Progress applies to these thresholds only. Different thresholds start again.
    const name = `.unused-${(unusedMs ?? 0) / 1000}-${(deactivateMs ?? 0) / 1000}` as const
    tasks.push({
      name,
      place: 'unused',
      everyMs: 6 * HOUR_MS,
      removes: true,
      run: async (times, goOn) => (await import('./idle.js')).watchIdle(context, times, goOn),
    })
  }
  return tasks
}

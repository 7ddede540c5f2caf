import { Upkeep, type UpkeepTask } from '../activity/upkeep.js'
import type { Context } from '../verify/context.js'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
/** Released leases alone have run out by then. */
const ALL_LEASES = 0

/** The work that one node does for all of them, now and then, as far as the options ask for it. */
export function upkeepOf(context: Context): readonly Upkeep[] {
  const { prefix, clock, monotonic } = context.settings
  const options = {
    prefix,
    holder: context.nodeId,
    clock,
    monotonic,
    report: context.report,
    background: context.background,
    isAlone: () => isAlone(context),
  }
  return upkeepTasks(context).map((task) => new Upkeep(context.store, task, options))
}

/** Is there no lease of another node? That of one which crashed stays for a while: meanwhile nothing is removed too early, and only a little too late. */
export async function isAlone({ store, nodeId }: Context): Promise<boolean> {
  const own = nodeId()
  return (await store.leases(ALL_LEASES)).every((lease) => lease.nodeId === own)
}

/** The same, as tasks. What a task does is loaded when it is first done. */
export function upkeepTasks(context: Context): readonly UpkeepTask[] {
  const { retention, sealing, notices } = context.settings
  const tasks: UpkeepTask[] = []
  const { deadMs, eventsMs, usageMs, addressesMs } = retention
  if (deadMs !== undefined || eventsMs !== undefined) {
    tasks.push({
      name: '.retention',
      place: 'retention',
      everyMs: HOUR_MS,
      run: async ({ sure }, goOn) => (await import('./retain.js')).retain(context, sure, goOn),
    })
  }
  if (usageMs !== undefined || addressesMs !== undefined) {
    const shortest = Math.min(usageMs ?? Number.POSITIVE_INFINITY, addressesMs ?? Number.POSITIVE_INFINITY)
    tasks.push({
      name: '.retention-usage',
      place: 'retention',
      // It looks at every token.
      everyMs: Math.min(24 * HOUR_MS, Math.max(HOUR_MS, shortest / 24)),
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
    // What was told was told by these thresholds: others begin anew.
    const name = `.unused-${(unusedMs ?? 0) / 1000}-${(deactivateMs ?? 0) / 1000}` as const
    tasks.push({
      name,
      place: 'unused',
      everyMs: 6 * HOUR_MS,
      run: async (times, goOn) => (await import('./idle.js')).watchIdle(context, times, goOn),
    })
  }
  return tasks
}

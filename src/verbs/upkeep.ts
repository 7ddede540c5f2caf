import { Upkeep, type UpkeepTask } from '../activity/upkeep.js'
import type { Context } from '../verify/context.js'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

/** The work that one node does for all of them, now and then, as far as the options ask for it. */
export function upkeepOf(context: Context): readonly Upkeep[] {
  const { prefix, clock, monotonic } = context.settings
  const options = { prefix, holder: context.nodeId, clock, monotonic, report: context.report }
  return upkeepTasks(context).map((task) => new Upkeep(context.store, task, options))
}

/** The same, as tasks. What a task does is loaded when it is first done. */
export function upkeepTasks(context: Context): readonly UpkeepTask[] {
  const { retention, sealing, notices } = context.settings
  const tasks: UpkeepTask[] = []
  if (retention.any) {
    tasks.push({
      name: '.retention',
      place: 'retention',
      everyMs: HOUR_MS,
      run: async (now, goOn) => (await import('./retain.js')).retain(context, now, goOn),
    })
  }
  if (sealing !== undefined) {
    tasks.push({
      name: '.sealing',
      place: 'sealing',
      everyMs: sealing.everyMs,
      run: async (_now, goOn) => void (await (await import('./lib/seals.js')).sealUp(context, goOn)),
    })
  }
  if (notices.any) {
    tasks.push({
      name: '.notices',
      place: 'sweep',
      everyMs: MINUTE_MS,
      run: async (now, goOn, since) => (await import('./notify.js')).notify(context, now, goOn, since),
    })
  }
  const { unusedMs, deactivateMs } = notices
  if (unusedMs !== undefined || deactivateMs !== undefined) {
    // What was told was told by these thresholds: others begin anew.
    const name = `.unused-${(unusedMs ?? 0) / 1000}-${(deactivateMs ?? 0) / 1000}` as const
    tasks.push({
      name,
      place: 'sweep',
      everyMs: 6 * HOUR_MS,
      run: async (now, goOn, since) => (await import('./idle.js')).watchIdle(context, now, goOn, since),
    })
  }
  return tasks
}

import { Upkeep, type UpkeepTask } from '../activity/upkeep.js'
import type { Context } from '../verify/context.js'
import { sealUp } from './lib/seals.js'
import { retain } from './retain.js'

const RETENTION_EVERY_MS = 3_600_000

/** The work that one node does for all of them, now and then, as far as the options ask for it. */
export function upkeepOf(context: Context): readonly Upkeep[] {
  const { retention, sealing, prefix, clock, monotonic } = context.settings
  const tasks: UpkeepTask[] = []
  if (retention.any) {
    tasks.push({
      name: '.retention',
      place: 'retention',
      everyMs: RETENTION_EVERY_MS,
      run: (now, goOn) => retain(context, now, goOn),
    })
  }
  if (sealing !== undefined) {
    tasks.push({
      name: '.sealing',
      place: 'sealing',
      everyMs: sealing.everyMs,
      run: async (_now, goOn) => void (await sealUp(context, goOn)),
    })
  }
  const options = { prefix, holder: context.nodeId, clock, monotonic, report: context.report }
  return tasks.map((task) => new Upkeep(context.store, task, options))
}

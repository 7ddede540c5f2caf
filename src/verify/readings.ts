import type { Readings } from '../model/vitals.js'
import type { Context } from './context.js'

/** How an instance stands, from what is known in this process: asks nobody. */
export function readings({ store, records, usage, settings }: Context): Readings {
  const { lagMs } = records.follower
  return {
    store: store.name,
    breakerOpen: store.isBreakerOpen,
    feedLagSeconds: lagMs === undefined ? undefined : lagMs / 1000,
    maxStalenessSeconds: settings.maxStalenessMs / 1000,
    usagePending: usage?.waiting ?? 0,
    usageDropped: usage?.dropped ?? 0,
    usageBatches: usage?.batches ?? 0,
    usageRows: usage?.rows ?? 0,
  }
}

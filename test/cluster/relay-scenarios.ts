import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from './cluster.js'
import type { LinkMode } from './proxy.js'
import { type Finding, type Judged, judgeRevocations } from './scenarios.js'

/** A fault of the relay's broker. */
export type RelayTrouble = 'cut' | 'silent' | 'late' | 'lying'

/** Longer than any bound or timeout of the relay. */
const LATE_MS = 10_000
const MODES: { readonly [trouble in Exclude<RelayTrouble, 'lying'>]: LinkMode } = {
  cut: 'cut',
  silent: 'drop',
  late: { delayMs: LATE_MS },
}
const NAMES: { readonly [trouble in RelayTrouble]: string } = {
  cut: 'relay cut for',
  silent: 'relay frozen permanently for',
  late: 'relay 10 s late for',
  lying: 'relay sending false data to',
}

/** The broker fails for every node or for one. The store stays reachable, so no request is answered with 503. */
export async function relayTrouble(cluster: Cluster, trials: number, trouble: RelayTrouble, whom: 'all' | 'one'): Promise<Finding> {
  const nodes = whom === 'all' ? [cluster.chief, ...cluster.others] : cluster.others.slice(0, 1)
  const set = async (on: boolean): Promise<void> => {
    for (const node of nodes) {
      if (trouble === 'lying') await node.lieTo(on)
      else node.relay?.set('all', on ? MODES[trouble] : 'pass')
    }
  }
  const judged: Judged = {
    scenario: `${NAMES[trouble]} ${whom === 'all' ? 'all nodes' : 'one node'}`,
    trials,
    codes: ['token_revoked'],
  }
  let disturbed = false
  try {
    return await judgeRevocations(cluster, judged, async () => {
      // The first trial runs as the failure begins; the others run while it lasts.
      if (!disturbed) await set(true)
      disturbed = true
    })
  } finally {
    await set(false)
    // Delayed messages are still on their way.
    await sleep(trouble === 'late' ? LATE_MS : 500)
  }
}

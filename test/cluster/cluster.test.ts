import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { service } from '../support/services.js'
import { type Cluster, startCluster } from './cluster.js'
import { line } from './print.js'
import * as scenarios from './scenarios.js'

// Few nodes, few trials and a short bound; `npm run test:cluster` has more of each.
const NODES = 3
const BOUND_SECONDS = 0.6

for (const kind of ['postgres', 'redis'] as const) {
  const { url, skip } = await service(kind)

  describe.skipIf(skip !== undefined)(`several processes on ${kind} ${skip ?? ''}`, { timeout: 60_000 }, () => {
    let cluster: Cluster
    beforeAll(async () => {
      cluster = await startCluster(kind, url ?? '', { nodes: NODES, maxStaleness: BOUND_SECONDS })
    }, 60_000)
    afterAll(async () => {
      await cluster?.close()
    }, 30_000)

    const check = async (finding: Promise<scenarios.Finding>): Promise<void> => {
      const found = await finding
      console.log(`${kind}: ${line(found)}`)
      expect(found.violations).toEqual([])
      expect(found.trials).toBeGreaterThan(0)
    }

    it('hear of a revocation while all is well', () => check(scenarios.healthy(cluster, 15)))
    it('hear of a bulk revocation', () => check(scenarios.bulk(cluster, 3)))
    it('accept a token no more once waitForNodes has answered', () => check(scenarios.barrier(cluster, 10, 'none')))
    it('keep the bound whatever their wall clocks do', () => check(scenarios.steppedClock(cluster, 4)))
    it('keep the bound with the wake-up channel cut', () => check(scenarios.busGone(cluster, 2, 'cut')))
    it('keep the bound with a wake-up channel that has gone silent', () => check(scenarios.busGone(cluster, 1, 'drop')))
    it('keep the bound on a slow link', () => check(scenarios.slowLink(cluster, 1)))
    it('refuse after the bound when cut off from the store', () => check(scenarios.storeGone(cluster, 1, 'cut')))
    it('refuse after the bound when the store has gone silent', () => check(scenarios.storeGone(cluster, 1, 'drop')))
    it('accept nothing past the bound after having been stopped', () => check(scenarios.frozen(cluster, 2, 1200)))
    it('are waited for no longer than the bound when cut off', () => check(scenarios.barrier(cluster, 1, 'cut')))
    it('are waited for no longer than the bound when stopped', () => check(scenarios.barrier(cluster, 1, 'frozen')))
  })
}

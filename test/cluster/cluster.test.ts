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

  describe.skipIf(skip !== undefined)(`several processes on ${kind} ${skip ?? ''}`, { timeout: 120_000 }, () => {
    let cluster: Cluster
    beforeAll(async () => {
      cluster = await startCluster(kind, url ?? '', { nodes: NODES, maxStaleness: BOUND_SECONDS })
    }, 120_000)
    afterAll(async () => {
      await cluster?.close()
    }, 120_000)

    const check = async (finding: Promise<scenarios.Finding>): Promise<void> => {
      const found = await finding
      console.log(`${kind}: ${line(found)}`)
      expect(found.violations).toEqual([])
      expect(found.trials).toBeGreaterThan(0)
    }

    it('applies a revocation on every node when nothing is disturbed', () => check(scenarios.healthy(cluster, 15)))
    it('applies a bulk revocation on every node', () => check(scenarios.bulk(cluster, 3)))
    it('no node accepts the token once waitForNodes has resolved', () => check(scenarios.barrier(cluster, 10, 'none')))
    it('keeps the revocation bound whatever the wall clocks of the nodes do', () => check(scenarios.steppedClock(cluster, 4)))
    it('keeps the revocation bound when the wake-up channel is cut', () => check(scenarios.busGone(cluster, 2, 'cut')))
    it('keeps the revocation bound when the wake-up channel goes silent', () => check(scenarios.busGone(cluster, 1, 'drop')))
    it('keeps the revocation bound on a slow link', () => check(scenarios.slowLink(cluster, 1)))
    it('refuses tokens after the bound on a node that is cut off from the store', () => check(scenarios.storeGone(cluster, 1, 'cut')))
    it('refuses tokens after the bound when the store goes silent', () => check(scenarios.storeGone(cluster, 1, 'drop')))
    it('accepts nothing past the bound after a node is suspended', () => check(scenarios.frozen(cluster, 2, 1200)))
    it('waitForNodes resolves while a node is disconnected, and that node accepts nothing afterward', () =>
      check(scenarios.barrier(cluster, 1, 'cut')))
    it('waitForNodes resolves while a node is stopped, and that node accepts nothing afterward', () =>
      check(scenarios.barrier(cluster, 1, 'frozen')))
  })
}

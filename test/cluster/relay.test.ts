import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { service } from '../support/services.js'
import { type Cluster, startCluster } from './cluster.js'
import { line } from './print.js'
import { type RelayTrouble, relayTrouble } from './relay-scenarios.js'
import * as scenarios from './scenarios.js'

// Few nodes and few trials; `npm run test:cluster -- --relay` has more of each.
const NODES = 4
const BOUND_SECONDS = 2

for (const [kind, broker] of [
  ['postgres', 'nats'],
  ['redis', 'redis'],
] as const) {
  const [store, carrier] = [await service(kind), await service(broker)]
  const skip = store.skip ?? carrier.skip

  describe.skipIf(skip !== undefined)(
    `several processes on ${kind}, with a relay over ${broker} ${skip ?? ''}`,
    { timeout: 120_000 },
    () => {
      let cluster: Cluster
      beforeAll(async () => {
        const relay = { kind: broker, url: carrier.url ?? '' }
        cluster = await startCluster(kind, store.url ?? '', { nodes: NODES, maxStaleness: BOUND_SECONDS, relay })
      }, 120_000)
      afterAll(async () => {
        await cluster?.close()
      }, 120_000)

      const check = async (finding: Promise<scenarios.Finding>): Promise<void> => {
        const found = await finding
        console.log(`${kind}, relay over ${broker}: ${line(found)}`)
        expect(found.violations).toEqual([])
        expect(found.trials).toBeGreaterThan(0)
      }

      it('applies a revocation on every node with a relay when nothing is disturbed', () => check(scenarios.healthy(cluster, 10)))
      it('with a relay, no node accepts the token once waitForNodes has resolved', () => check(scenarios.barrier(cluster, 3, 'none')))
      for (const trouble of ['cut', 'silent', 'late', 'lying'] as const satisfies readonly RelayTrouble[]) {
        it(`keeps the revocation bound while the relay is ${trouble}`, () => check(relayTrouble(cluster, 2, trouble, 'all')))
      }
      it('keeps the revocation bound while one node is cut off from the relay', () => check(relayTrouble(cluster, 2, 'cut', 'one')))
    },
  )
}

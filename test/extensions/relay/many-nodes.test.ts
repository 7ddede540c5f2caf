import { expect, it } from 'vitest'
import { event, START, token } from '../../../src/testing/store-contract/build.js'
import { quantile } from '../../cluster/scenarios.js'
import { createWorld, mostInASecond, type Node } from './world.js'

const STAMP = { revokedAt: START, revokedBy: 'alice', revokedCode: 'bulk', bulkId: 'b' } as const
const NODES = 1_000
const MOST_QUERIES = 20
const FEED = ['changes', 'renewLease', 'renewLeases', 'readMove', 'leases', 'consumers', 'saveConsumer']

it('a thousand nodes cost at most 20 queries a second, even after a bulk revocation or the loss of the reader', async () => {
  const { time, memory, calls, node } = createWorld()
  const nodes: Node[] = []
  for (let at = 0; at < NODES; at += 1) {
    nodes.push(node())
    nodes.at(-1)?.follower.start()
    if (at % 4 === 0) await time.pass(4)
  }
  await time.pass(1_500)
  const isFresh = (): boolean => nodes.every(({ follower }) => follower.isFresh())
  const most = (from: number): number =>
    mostInASecond(
      calls.filter(({ method }) => FEED.includes(method)),
      from,
      time.now(),
    )

  let from = time.now()
  for (let at = 0; at < 5; at += 1) {
    await time.pass(200)
    expect(isFresh()).toBe(true)
  }
  const idle = most(from)
  expect(idle).toBeLessThanOrEqual(MOST_QUERIES)

  from = time.now()
  const made = token('acme_test', { tenantId: 'acme' })
  await memory.commit({ inserts: [made], events: [] })
  await time.pass(700)
  for (const { heard } of nodes) heard.length = 0
  await memory.revokeWhere(
    { prefix: 'acme_test', tenantIds: ['acme'] },
    STAMP,
    event('acme_test', { action: 'tokens.revoked', bulkId: STAMP.bulkId }),
  )
  const acknowledged = time.now()
  await time.pass(1_000)
  const seen = nodes.map(({ heard }) => (heard[0] ?? Number.POSITIVE_INFINITY) - acknowledged)
  expect(quantile(seen, 0.99)).toBeLessThanOrEqual(100)
  const changing = most(from)
  expect(changing).toBeLessThanOrEqual(MOST_QUERIES)

  from = time.now()
  const reader = nodes.toSorted((a, b) => b.lastRead() - a.lastRead())[0]
  reader?.die()
  for (let at = 0; at < 9; at += 1) {
    await time.pass(200)
    expect(nodes.filter((one) => one !== reader).every(({ follower }) => follower.isFresh())).toBe(true)
  }
  expect(nodes.filter((one) => one.lastRead() > from)).toHaveLength(1)
  const replacing = most(from)
  expect(replacing).toBeLessThanOrEqual(MOST_QUERIES)
  console.log(
    `${NODES} nodes, maximum number of queries per second of all nodes: ${idle} idle, ${changing} during a bulk revocation, ${replacing} while the reader was replaced; ` +
      `nodes learned about the revocation after ${quantile(seen, 0.5)} ms (median), ${quantile(seen, 0.99)} ms (p99) of simulated time`,
  )
}, 120_000)

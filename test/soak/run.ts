import { setTimeout as sleep } from 'node:timers/promises'
import { createDice } from '../../src/testing/random.js'
import { bundle } from '../support/bundle.js'
import { replicationMissing } from '../support/postgres-server.js'
import { auditProblems } from './audit.js'
import { monotonic } from './clock.js'
import { disturb } from './disturb.js'
import { Fleet } from './fleet.js'
import { History } from './history.js'
import { Pair } from './pair.js'
import { Workload } from './workload.js'

// For half an hour, nodes are killed, stopped, cut off and given the wrong time. Meanwhile, their database fails over repeatedly.
// `npm run test:soak -- --minutes=5 --nodes=8 --seed=1`
const option = (name: string, fallback: number): number => {
  const given = process.argv.find((argument) => argument.startsWith(`--${name}=`))
  return given === undefined ? fallback : Number(given.slice(name.length + 3))
}
const minutes = option('minutes', 30)
const nodes = option('nodes', 8)
const seed = option('seed', Math.trunc(Math.random() * 2 ** 31))
const maxStaleness = 2

/** How long a token may be answered with 503 around a failover. */
const MOST_UNAVAILABLE_MS = 10_000

const missing = replicationMissing()
if (missing !== undefined) throw new Error(missing)
const began = performance.now()
const pair = await Pair.start()
const history = new History(maxStaleness * 1000)
const program = await bundle(new URL('./worker.ts', import.meta.url))
const fleet = new Fleet({ program, pair, history, maxStaleness })
console.log(
  `postgres with a synchronous standby, which serves cache misses: ${nodes} nodes, ${minutes} minutes, maxStaleness ${maxStaleness} s, seed ${seed}`,
)
try {
  for (let at = 0; at < nodes; at += 1) await fleet.add(`node ${at}`)
  const until = performance.now() + minutes * 60_000
  const workload = new Workload(fleet, history, createDice(seed))
  const tidying = setInterval(() => void fleet.patrol([], history.forgettable(10 * maxStaleness * 1000, monotonic())), 5000)
  const [happened] = await Promise.all([
    // The first node is left undisturbed. It reliably ends tokens whose end got no response on other nodes.
    disturb(fleet, createDice(seed + 1), pair, { until, lanes: 3, free: 1, failoverEveryMs: Math.min(120_000, minutes * 20_000) }),
    workload.run(until, 6),
  ])
  clearInterval(tidying)
  const [first] = fleet.slots
  if (first !== undefined) await workload.settle(first)
  await sleep(2 * maxStaleness * 1000)
  await fleet.close()
  const { problems, events } = await auditProblems(pair, history)
  const done = Object.entries(history.acknowledged).map(([what, times]) => `${times} ${what}`)
  console.log(`ran for ${((performance.now() - began) / 60_000).toFixed(1)} minutes`)
  console.log(`verifications: ${history.verifications}, of which ${history.unavailable} were answered with 503`)
  console.log(`changes acknowledged: ${done.join(', ')}; unanswered: ${history.unanswered}`)
  console.log(`disturbances: ${[...happened].map(([name, times]) => `${times} × ${name}`).join(', ')}`)
  const latest = history.latestMs.toFixed(0)
  console.log(`ended tokens: accepted for at most ${latest} ms after the end was acknowledged; the bound is ${maxStaleness * 1000} ms`)
  console.log(`audit: ${events} events compared with the tokens and the acknowledged changes, ${problems.length} differences`)
  // Calls that were in flight when the primary ended have another two seconds, which is their deadline.
  const unavailableMs = history.longestOutageMs(
    'node 0',
    pair.failovers.map(([from, to]) => [from, to + 2000]),
  )
  const failoverMs = Math.max(0, ...pair.failovers.map(([from, to]) => to - from))
  console.log(
    `failovers: a new primary within ${(failoverMs / 1000).toFixed(1)} s; 503 for a token for at most ${(unavailableMs / 1000).toFixed(1)} s on a node without other disturbances; the limit is 10 s`,
  )
  const tooLong = unavailableMs > MOST_UNAVAILABLE_MS ? ['a failover was answered with 503 for too long'] : []
  const violations = new Set([...history.violations, ...problems, ...tooLong])
  for (const violation of violations) console.log(`  VIOLATION: ${violation}`)
  console.log(`${violations.size} violations`)
  process.exitCode = violations.size === 0 ? 0 : 1
} finally {
  await fleet.close()
  await pair.dispose()
}

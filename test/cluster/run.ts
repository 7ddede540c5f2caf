import { type ServiceName, service } from '../support/services.js'
import { type Broker, type Cluster, startCluster } from './cluster.js'
import { line } from './print.js'
import { type RelayTrouble, relayTrouble } from './relay-scenarios.js'
import * as scenarios from './scenarios.js'

// The long version of the cluster tests: more nodes, more trials, the default bound. `npm run test:cluster -- --nodes=8 --trials=500`
const option = (name: string, fallback: number): number => {
  const given = process.argv.find((argument) => argument.startsWith(`--${name}=`))
  return given === undefined ? fallback : Number(given.slice(name.length + 3))
}
const nodes = option('nodes', 5)
const trials = option('trials', 200)
const few = Math.max(2, Math.round(trials / 20))
const maxStaleness = option('bound', 2)
const relayOnly = process.argv.includes('--relay')
let violations = 0

type Courses = (cluster: Cluster) => readonly (() => Promise<scenarios.Finding>)[]

const withoutRelay: Courses = (cluster) => [
  () => scenarios.healthy(cluster, trials),
  () => scenarios.bulk(cluster, few),
  () => scenarios.barrier(cluster, trials, 'none'),
  () => scenarios.steppedClock(cluster, few * 2),
  () => scenarios.busGone(cluster, few, 'cut'),
  () => scenarios.busGone(cluster, few, 'drop'),
  () => scenarios.slowLink(cluster, few),
  () => scenarios.storeGone(cluster, few, 'cut'),
  () => scenarios.storeGone(cluster, few, 'drop'),
  () => scenarios.frozen(cluster, Math.min(few, 5), 10_000),
  () => scenarios.barrier(cluster, few, 'cut'),
  () => scenarios.barrier(cluster, few, 'frozen'),
]

const TROUBLES = ['cut', 'silent', 'late', 'lying'] as const satisfies readonly RelayTrouble[]

const withRelay: Courses = (cluster) => [
  () => scenarios.healthy(cluster, trials),
  () => scenarios.bulk(cluster, few),
  () => scenarios.barrier(cluster, few, 'none'),
  ...TROUBLES.flatMap((trouble) => (['all', 'one'] as const).map((whom) => () => relayTrouble(cluster, few, trouble, whom))),
  () => scenarios.storeGone(cluster, few, 'cut'),
  () => scenarios.frozen(cluster, Math.min(few, 5), 10_000),
]

async function found(name: ServiceName): Promise<string | undefined> {
  const { url, skip } = await service(name)
  if (url === undefined) console.log(`${name}: skipped, ${skip}`)
  return url
}

async function run(kind: 'postgres' | 'redis', courses: Courses, relay?: Broker): Promise<void> {
  const url = await found(kind)
  if (url === undefined) return
  console.log(`\n${kind}${relay === undefined ? '' : `, relay over ${relay.kind}`}: ${nodes} nodes, maxStaleness ${maxStaleness}`)
  const cluster = await startCluster(kind, url, { nodes, maxStaleness, ...(relay && { relay }) })
  try {
    for (const course of courses(cluster)) {
      const finding = await course()
      violations += finding.violations.length
      console.log(line(finding))
      for (const violation of new Set(finding.violations)) console.log(`  VIOLATION: ${violation}`)
    }
  } finally {
    await cluster.close()
  }
}

if (!relayOnly) for (const kind of ['postgres', 'redis'] as const) await run(kind, withoutRelay)
for (const [kind, broker] of [
  ['postgres', 'nats'],
  ['redis', 'redis'],
] as const) {
  const url = await found(broker)
  if (url !== undefined) await run(kind, withRelay, { kind: broker, url })
}
console.log(`\n${violations} violations`)
process.exitCode = violations === 0 ? 0 : 1

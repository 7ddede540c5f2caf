import { service } from '../support/services.js'
import { startCluster } from './cluster.js'
import { line } from './print.js'
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
let violations = 0

for (const kind of ['postgres', 'redis'] as const) {
  const { url, skip } = await service(kind)
  if (url === undefined) {
    console.log(`${kind}: skipped, ${skip}`)
    continue
  }
  console.log(`\n${kind}: ${nodes} nodes, maxStaleness ${maxStaleness}`)
  const cluster = await startCluster(kind, url, { nodes, maxStaleness })
  try {
    const courses = [
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
    for (const course of courses) {
      const finding = await course()
      violations += finding.violations.length
      console.log(line(finding))
      for (const violation of new Set(finding.violations)) console.log(`  VIOLATION: ${violation}`)
    }
  } finally {
    await cluster.close()
  }
}
console.log(`\n${violations} violations`)
process.exitCode = violations === 0 ? 0 : 1

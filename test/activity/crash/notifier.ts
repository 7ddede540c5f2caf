import { interceptStore } from 'latchkey/testing'
import { Upkeep } from '../../../src/activity/upkeep.js'
import { readOptions } from '../../../src/options.js'
import { Background } from '../../../src/store/timer.js'
import { isAlone, upkeepTasks } from '../../../src/verbs/upkeep.js'
import { buildContext } from '../../../src/verify/build-context.js'
import { type Place, storeAt } from './open.js'

/** When a node checks for notices, and at which of its commits it dies. */
export type Look = { readonly now: number; readonly diesAt?: number }

// Checks until all notices are written, by this process or another. It can also die as in a crash: before, during or after a commit.
const [, , place = '', argument = ''] = process.argv
const { now, diesAt } = JSON.parse(argument) as Look
let commits = 0
const die = (): void => void process.kill(process.pid, 'SIGKILL')
const store = interceptStore(storeAt(JSON.parse(place) as Place), async ({ method }, proceed) => {
  if (method !== 'commit') return proceed()
  commits += 1
  if (commits !== diesAt) return proceed()
  if (diesAt % 3 === 0) die()
  const answer = proceed()
  if (diesAt % 3 === 1) setImmediate(die)
  else void Promise.resolve(answer).finally(die)
  return answer
})
const settings = readOptions({
  prefix: 'acme_test',
  store,
  scopes: { 'stock:read': 'See stock' },
  clock: () => now,
  deadline: '20s',
  logger: false,
  retention: { usage: false, addresses: false },
  notices: { unused: false },
})
const context = buildContext(settings)
const tasks = upkeepTasks(context)
const upkeep = tasks.map(
  (task) =>
    new Upkeep(context.store, task, {
      prefix: settings.prefix,
      holder: context.nodeId,
      clock: settings.clock,
      monotonic: settings.monotonic,
      elapsed: context.elapsed,
      report: context.report,
      isAlone: () => isAlone(context),
      serverTime: () => context.store.serverTime(),
      background: new Background(),
    }),
)
process.stdout.write('ready\n')
for (;;) {
  for (const each of upkeep) await each.look()
  const rows = await context.store.consumers(settings.prefix)
  if (tasks.every(({ name }) => rows.some((row) => row.name === name && row.position === now))) break
  await new Promise((resolve) => setTimeout(resolve, 300))
}
process.exit(0)

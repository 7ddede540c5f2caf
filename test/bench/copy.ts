/**
 * How long a move to another store takes: `npm run bench:copy`, or `npm run bench:copy -- --tokens 10000 --route sqlite,postgres,mysql`.
 *
 * Each token has one audit event and one usage counter. Times are wall time on one machine that also runs the servers.
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { latchkey } from 'latchkey'
import { copy } from 'latchkey/copy'
import type { TokenStore } from '../../src/store/port.js'
import { table } from './paired.js'
import { fill, idOf, PREFIX, START, tenantOf } from './stores/fill.js'
import { type Subject, subjects } from './stores/subjects.js'

const BATCH = 1_000
const HOUR = 3_600_000

const { values } = parseArgs({
  options: { tokens: { type: 'string', default: '1000000' }, route: { type: 'string', default: 'sqlite,postgres,mysql' } },
})
const total = Number(values.tokens)
const route = values.route.split(',')

async function open(name: string): Promise<Subject> {
  const make = subjects[name]
  if (make === undefined) throw new Error(`unknown store ${name}: use ${Object.keys(subjects).join(', ')}`)
  return make()
}

/** Adds an audit event and a use to each token, because `fill` creates neither. */
async function live(store: TokenStore): Promise<void> {
  for (let at = 0; at < total; at += BATCH) {
    const indexes = Array.from({ length: Math.min(BATCH, total - at) }, (_, index) => at + index)
    await store.commit({
      events: indexes.map((index) => ({
        ...{ id: `made-${index}`, at: START + index, action: 'token.updated', prefix: PREFIX, actorId: 'bench', count: 1 },
        ...{ tokenId: idOf(index), tenantId: tenantOf(index), before: { name: 'an earlier name' }, after: { name: `token ${index}` } },
      })),
    })
    await store.recordUsage({
      nodeId: 'bench',
      seq: at / BATCH + 1,
      at: START,
      counts: indexes.map((index) => ({
        tokenId: idOf(index),
        bucketAt: START - (START % HOUR),
        endpoint: 'GET /api/stock',
        scope: 'inventory:read',
        outcome: 'allowed',
        count: 1,
      })),
      addresses: [],
      lastUses: indexes.map((index) => ({ tokenId: idOf(index), at: START + index })),
    })
  }
}

/** Runs work, and reports its time and the most memory that this process held, in MB. */
async function watched<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly seconds: number; readonly memory: number }> {
  let most = 0
  const look = (): void => {
    most = Math.max(most, process.memoryUsage.rss())
  }
  const timer = setInterval(look, 100)
  const start = performance.now()
  try {
    const value = await work()
    look()
    return { value, seconds: (performance.now() - start) / 1_000, memory: most / 1_048_576 }
  } finally {
    clearInterval(timer)
  }
}

const opened: Subject[] = []
const rows: string[][] = []
console.log(`Node ${process.version}, ${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown CPU'}; ${total.toLocaleString('en')} tokens.`)
try {
  for (const name of route) opened.push(await open(name))
  const [first] = opened
  if (first === undefined) throw new Error('a route needs at least two stores')
  const filled = await watched(async () => {
    await fill(first.store, 0, total)
    await live(first.store)
  })
  console.log(`filled ${route[0]} in ${filled.seconds.toFixed(0)} s`)
  for (const [at, name] of route.entries()) {
    const [from, to] = [opened[at - 1], opened[at]]
    if (from === undefined || to === undefined) continue
    const options = { prefix: PREFIX, scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' }, logger: false } as const
    const [old, now] = [latchkey({ ...options, store: from.store }), latchkey({ ...options, store: to.store })]
    for (const step of ['copy', 'fence', 'open'] as const) {
      const { value, seconds, memory } = await watched(() => copy(old, now, { step }))
      const { tokens, events, usage } = value.parts ?? {}
      const counts = [tokens, events, usage].map((part) => part?.count.toLocaleString('en') ?? '')
      rows.push([`${route[at - 1]} to ${name}`, step, ...counts, `${seconds.toFixed(0)} s`, `${memory.toFixed(0)} MB`])
      console.log(rows.at(-1)?.join(', '))
    }
    // Shared stores stay open, because the next part of the route starts with them.
  }
  console.log(`\n${table(['move', 'step', 'tokens', 'events', 'usage', 'time', 'memory'], rows)}`)
} finally {
  for (const subject of opened) await subject.remove()
}
process.exit()

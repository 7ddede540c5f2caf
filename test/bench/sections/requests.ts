import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type Cannon, CONNECTIONS, pin } from '../load.js'
import { quantile } from '../paired.js'
import { peer } from '../peer.js'
import type { RequestBuilds } from '../requests/build.js'
import { atMost, fixed, type Result, type Section, times } from '../result.js'

const FRAMEWORKS = ['express', 'koa', 'fastify', 'hono'] as const
const BARE = 'bare'
const HAND = 'a guard of the same duties, by hand'
const OURS = 'latchkey'
const BEFORE = 'latchkey 0.1.0'

/** CPU time that protection adds to a request, beside a guard of the same duties; one process for each variant, and many generations of them. */
export const requests: Section = async ({ quick, builds }) => {
  const { server, here, before } = JSON.parse(builds) as RequestBuilds
  const { default: cannon } = await peer<{ default: Cannon }>('autocannon')
  pin(process.pid, 1)
  const variants: readonly Variant[] = [
    { name: BARE, arguments: ['bare', here] },
    { name: HAND, arguments: ['hand', here] },
    { name: OURS, arguments: ['latchkey', here] },
    { name: BEFORE, arguments: ['latchkey', before] },
  ]
  const results: Result[] = []
  for (const framework of FRAMEWORKS) {
    const costs = new Map(variants.map(({ name }) => [name, [] as number[]]))
    for (let generation = 0; generation < (quick ? 2 : GENERATIONS); generation += 1) {
      // Another order each time: no variant always runs behind the same neighbour.
      for (let offset = 0; offset < variants.length; offset += 1) {
        const variant = variants[(generation + offset) % variants.length]
        if (variant === undefined) continue
        costs.get(variant.name)?.push(await cost(cannon, server, [framework, ...variant.arguments], quick ? 1000 : REQUESTS))
      }
    }
    results.push(compare(framework, costs))
  }
  return { tables: results.flatMap(({ tables }) => tables), verdicts: results.flatMap(({ verdicts }) => verdicts) }
}

type Variant = { readonly name: string; readonly arguments: readonly string[] }

const GENERATIONS = 9
const REQUESTS = 10_000

/** The CPU time of one request in a fresh process, warmed up, in microseconds. */
async function cost(cannon: Cannon, server: string, given: readonly string[], amount: number): Promise<number> {
  const child = fork(server, given, { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  try {
    const [{ url, credentials }] = (await once(child, 'message')) as [{ url: string; credentials: readonly string[] }]
    pin(child.pid, 0)
    const load = async (requests: number): Promise<void> => {
      const { non2xx, errors } = await cannon({
        url,
        connections: CONNECTIONS,
        amount: requests,
        sampleInt: 10,
        requests: credentials.slice(0, SENDERS).map((authorization) => ({ headers: { authorization } })),
      })
      if (non2xx > 0 || errors > 0) throw new Error(`${given.join(' ')} answered ${non2xx} requests with an error, and failed ${errors}`)
    }
    await load(amount / 2)
    const began = await cpuOf(child)
    await load(amount)
    return ((await cpuOf(child)) - began) / amount
  } finally {
    const ended = once(child, 'exit')
    child.kill()
    await ended
  }
}

/** How many different tokens come in: fewer than latchkey warns of where they share an address. */
const SENDERS = 8

async function cpuOf(child: ChildProcess): Promise<number> {
  const answered = once(child, 'message') as Promise<[{ cpu: NodeJS.CpuUsage }]>
  child.send('cpu')
  const [{ cpu }] = await answered
  return cpu.user + cpu.system
}

function compare(framework: string, costs: ReadonlyMap<string, readonly number[]>): Result {
  const median = (samples: readonly number[]): number => quantile(samples, 0.5)
  const bare = costs.get(BARE) ?? []
  const addedBy = (name: string): number => median((costs.get(name) ?? []).map((micros, at) => micros - (bare[at] ?? Number.NaN)))
  const ours = addedBy(OURS)
  const rows = [...costs].map(([name, samples]) => [
    name,
    fixed(median(samples), 1),
    name === BARE ? '–' : fixed(addedBy(name), 1),
    name === BARE || name === OURS ? '–' : times(ours / addedBy(name)),
  ])
  return {
    tables: [
      {
        title: `CPU time of a request beside a guard of the same duties: ${framework}`,
        head: ['variant', 'CPU µs per request (median)', 'added', 'latchkey’s share of that'],
        rows,
      },
    ],
    verdicts: [
      atMost(`CPU added to a request in ${framework}, against a guard of the same duties`, 1.15, ours / addedBy(HAND), '×', WHY),
      atMost(`CPU added to a request in ${framework}, against the build of 0.1.0`, 0.67, ours / addedBy(BEFORE), '×', WHY),
    ],
  }
}

const WHY =
  'Each generation is a pair of fresh processes, and their difference is small beside the noise of either: look at the rows above before the ratio.'

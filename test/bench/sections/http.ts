import { LoadedServer } from '../load.js'
import { quantile } from '../paired.js'
import { atMost, fixed, type Result, type Section, times, type Verdict } from '../result.js'

/** The peers in each framework, and the maximum ratio of latchkey's added CPU time to theirs. */
const LIMITS: { readonly [peer: string]: number } = {
  'passport-http-bearer': 0.25,
  'express-oauth2-jwt-bearer': 0.1,
  'koa-passport': 0.25,
  'koa-jwt': 0.1,
  '@fastify/bearer-auth, 1,000 keys': 0.1,
}

/** CPU time that protection adds to a request, by framework. */
export const http: Section = async ({ quick }) => {
  const results: Result[] = []
  for (const framework of ['express', 'koa', 'fastify']) results.push(await measure(framework, quick))
  return { tables: results.flatMap(({ tables }) => tables), verdicts: results.flatMap(({ verdicts }) => verdicts) }
}

async function measure(framework: string, quick: boolean): Promise<Result> {
  const [rounds, amount] = quick ? [2, 500] : [7, 2000]
  const server = await LoadedServer.start(framework)
  const costs = new Map<string, number[]>()
  try {
    for (const door of server.doors) await server.load(door, quick ? 300 : 4000)
    for (let round = 0; round < rounds; round += 1) {
      for (let offset = 0; offset < server.doors.length; offset += 1) {
        const door = server.doors[(round + offset) % server.doors.length]
        if (door === undefined) continue
        const { cpuMicros } = await server.load(door, amount)
        costs.set(door.name, [...(costs.get(door.name) ?? []), cpuMicros])
      }
    }
  } finally {
    await server.stop()
  }
  const bare = costs.get('bare') ?? []
  const added = (name: string): number =>
    quantile(
      (costs.get(name) ?? []).map((cost, round) => cost - (bare[round] ?? Number.NaN)),
      0.5,
    )
  const ours = added('latchkey')
  const names = server.doors.map(({ name }) => name)
  const rows = names.map((name) => [
    name,
    fixed(quantile(costs.get(name) ?? [], 0.5), 1),
    name === 'bare' ? '–' : fixed(added(name), 1),
    name === 'bare' || name === 'latchkey' ? '–' : times(ours / added(name)),
  ])
  const verdicts = names.flatMap((name): Verdict[] => {
    const limit = LIMITS[name]
    if (limit === undefined) return []
    return [atMost(`CPU added per request in ${framework}, relative to ${name}`, limit, ours / added(name), '×', WHY)]
  })
  const head = ['variant', 'CPU µs per request (median)', 'CPU µs added', 'added by latchkey, relative to this variant']
  return { tables: [{ title: `CPU time of a request: ${framework}`, head, rows }], verdicts }
}

const WHY =
  'As the figures show, no guard can add less than the hand-written optimum, which computes one hash and sets one property. In addition, latchkey creates a principal, records in an unforgeable way that it accepted the request, checks the scope, and listens for the end of the response to count the use with its route, outcome and address. On Express, every layer and every property of the request is expensive, including those of the optimum.'

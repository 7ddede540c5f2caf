import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type Cannon, CONNECTIONS, pin } from '../load.js'
import { quantile } from '../paired.js'
import { peer } from '../peer.js'
import { type Access, measureAccesses } from '../requests/accesses.js'
import type { RequestBuilds } from '../requests/build.js'
import { OWNERS, type Owner, type Shares } from '../requests/profile.js'
import { atMost, fixed, type Result, type Section, times } from '../result.js'

const FRAMEWORKS = ['express', 'koa', 'fastify', 'hono'] as const
const BARE = 'bare'
const HAND = 'a hand-written guard with the same duties'
const VERIFYING = 'the same, with latchkey’s verification and counting'
const OURS = 'latchkey'
const BEFORE = 'latchkey 0.1.0'

/**
 * CPU time that protection adds to a request, compared with that of a guard with the same duties. Each variant runs in a separate process, over many
 * generations.
 */
export const requests: Section = async ({ quick, builds }) => {
  const { server, here, before } = JSON.parse(builds) as RequestBuilds
  const { default: cannon } = await peer<{ default: Cannon }>('autocannon')
  pin(process.pid, 1)
  const variants: readonly Variant[] = [
    { name: BARE, arguments: ['bare', here] },
    { name: HAND, arguments: ['hand', here] },
    { name: VERIFYING, arguments: ['verifying', here] },
    { name: OURS, arguments: ['latchkey', here] },
    { name: BEFORE, arguments: ['latchkey', before] },
  ]
  const accesses = measureAccesses()
  const results: Result[] = []
  for (const framework of FRAMEWORKS) {
    const costs = new Map(variants.map(({ name }) => [name, [] as number[]]))
    for (let generation = 0; generation < (quick ? 2 : GENERATIONS); generation += 1) {
      // The order changes each time, so no variant always runs after the same neighbor.
      for (let offset = 0; offset < variants.length; offset += 1) {
        const variant = variants[(generation + offset) % variants.length]
        if (variant === undefined) continue
        costs.get(variant.name)?.push(await cost(cannon, server, [framework, ...variant.arguments], quick ? 1000 : REQUESTS))
      }
    }
    const parts = new Map(PROFILED.map((name) => [name, [] as Parts[]]))
    for (let generation = 0; generation < (quick ? 1 : PROFILES); generation += 1) {
      for (const variant of variants) {
        const amount = quick ? 1000 : REQUESTS
        if (PROFILED.includes(variant.name))
          parts.get(variant.name)?.push(await divide(cannon, server, [framework, ...variant.arguments], amount))
      }
    }
    results.push(compare(framework, costs, parts, framework === 'express' ? accesses : []))
  }
  return { tables: [...results.flatMap(({ tables }) => tables), tableOf(accesses)], verdicts: results.flatMap(({ verdicts }) => verdicts) }
}

const NAMES: { readonly [owner in Owner]: string } = {
  own: 'the guard and the application',
  framework: 'the framework',
  node: 'Node’s JavaScript',
  collection: 'garbage collection',
  native: 'native code and the engine',
}

type Variant = { readonly name: string; readonly arguments: readonly string[] }

const GENERATIONS = 9
const REQUESTS = 20_000

/** The variants whose servers are also profiled, over fewer generations. */
const PROFILED: readonly string[] = [HAND, OURS]
const PROFILES = 5

/** The CPU time of one request in microseconds, by the owner of the code. */
type Parts = Shares

type Load = (requests: number) => Promise<void>

/** The CPU time of one request in a fresh, warmed-up process, in microseconds. */
function cost(cannon: Cannon, server: string, given: readonly string[], amount: number): Promise<number> {
  return withServer(cannon, server, given, async (child, load) => {
    await load(amount)
    const began = await cpuOf(child)
    await load(amount)
    return ((await cpuOf(child)) - began) / amount
  })
}

/** The CPU time of one request, split by a CPU profile. Profiling itself takes some time. */
function divide(cannon: Cannon, server: string, given: readonly string[], amount: number): Promise<Parts> {
  return withServer(cannon, server, given, async (child, load) => {
    await load(amount)
    await ask(child, 'profile')
    const began = await cpuOf(child)
    await load(amount)
    const micros = ((await cpuOf(child)) - began) / amount
    const { shares } = await ask(child, 'shares')
    if (shares === undefined) throw new Error('the server was not profiled')
    return Object.fromEntries(OWNERS.map((owner) => [owner, shares[owner] * micros])) as Parts
  })
}

/** Runs work with a server in its own process. */
async function withServer<T>(
  cannon: Cannon,
  server: string,
  given: readonly string[],
  work: (child: ChildProcess, load: Load) => Promise<T>,
): Promise<T> {
  const child = fork(server, given, { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  try {
    const [{ url, credentials }] = (await once(child, 'message')) as [{ url: string; credentials: readonly string[] }]
    pin(child.pid, 0)
    const load: Load = async (requests) => {
      const { non2xx, errors } = await cannon({
        url,
        connections: CONNECTIONS,
        amount: requests,
        sampleInt: 10,
        requests: credentials.slice(0, SENDERS).map((authorization) => ({ headers: { authorization } })),
      })
      if (non2xx > 0 || errors > 0) throw new Error(`${given.join(' ')} answered ${non2xx} requests with an error, and failed ${errors}`)
    }
    return await work(child, load)
  } finally {
    const ended = once(child, 'exit')
    child.kill()
    await ended
  }
}

/** The number of different tokens sent. It stays below the number per address that triggers latchkey's warning. */
const SENDERS = 8

async function cpuOf(child: ChildProcess): Promise<number> {
  const { cpu } = await ask(child, 'cpu')
  return cpu.user + cpu.system
}

type Answer = { readonly cpu: NodeJS.CpuUsage; readonly shares?: Shares }

async function ask(child: ChildProcess, what: 'cpu' | 'profile' | 'shares'): Promise<Answer> {
  const answered = once(child, 'message') as Promise<[Answer]>
  child.send(what)
  const [answer] = await answered
  return answer
}

const median = (samples: readonly number[]): number => quantile(samples, 0.5)

/** Other programs only ever add CPU time, for example by emptying caches, so the lower samples are closer to the truth. */
const low = (samples: readonly number[]): number => quantile(samples, 0.25)

function compare(
  framework: string,
  costs: ReadonlyMap<string, readonly number[]>,
  parts: ReadonlyMap<string, readonly Parts[]>,
  accesses: readonly Access[],
): Result {
  const addedBy = (name: string): number => low(costs.get(name) ?? []) - low(costs.get(BARE) ?? [])
  const ours = addedBy(OURS)
  const hand = addedBy(HAND)
  const before = addedBy(BEFORE)
  const rows = [...costs].map(([name, samples]) => [
    name,
    fixed(low(samples), 1),
    name === BARE ? '–' : fixed(addedBy(name), 1),
    name === BARE || name === OURS ? '–' : times(ours / addedBy(name)),
  ])
  return {
    tables: [
      {
        title: `CPU time of a request, compared with that of a guard with the same duties: ${framework}`,
        head: ['variant', 'CPU µs per request (lower quartile)', 'CPU µs added', 'added by latchkey, relative to this variant'],
        rows,
      },
      {
        title: `CPU time of a request, by code: ${framework}`,
        head: ['code', ...PROFILED.map((name) => `${name}, CPU µs`), 'difference'],
        rows: OWNERS.map((owner) => {
          const [hand = Number.NaN, ours = Number.NaN] = PROFILED.map((name) => partOf(parts, name, owner))
          return [NAMES[owner], fixed(hand, 1), fixed(ours, 1), fixed(ours - hand, 1)]
        }),
      },
    ],
    verdicts: [
      atMost(
        `CPU added per request in ${framework}, relative to a guard with the same duties`,
        1.15,
        ours / hand,
        '×',
        `${whyMore(ours, hand, addedBy(VERIFYING), parts)}${whyAccesses(accesses)}`,
      ),
      atMost(
        `CPU added per request in ${framework}, relative to the build of 0.1.0`,
        0.67,
        ours / before,
        '×',
        whyNotLess(ours, hand, before),
      ),
    ],
  }
}

/** Explains the difference from the hand-written guard, using the variant that differs in only one thing. */
function whyMore(ours: number, hand: number, verifying: number, parts: ReadonlyMap<string, readonly Parts[]>): string {
  const more = OWNERS.map((owner) => `${fixed(partOf(parts, OURS, owner) - partOf(parts, HAND, owner), 1)} µs in ${NAMES[owner]}`)
  const rest = ours - Math.max(hand, verifying)
  return `The difference is ${fixed(ours - hand, 1)} µs. ${whyVerifying(verifying - hand)} ${rest > 0 ? `The remaining ${fixed(rest, 1)} µs are the cost of` : 'The servers also differ in'} everything else: configurable credential sources, proof on the request that a guard accepted it, resources, responses to refusals, and the work that these features cause in the framework’s code. In CPU profiles of both servers, the difference consists of ${more.slice(0, -1).join(', ')} and ${more.at(-1)}.`
}

/** `more`: how much more the hand-written guard adds if it uses latchkey to verify and count. Within the noise, this may be negative. */
function whyVerifying(more: number): string {
  const what = 'the bounded cache, the change feed, the private principal, and usage counts by hour, route, scope and address'
  return more > 0
    ? `If the hand-written guard uses latchkey to verify and count, it adds ${fixed(more, 1)} µs more. That is the cost of ${what}.`
    : `If the hand-written guard uses latchkey to verify and count, it adds no more than before, although latchkey also maintains ${what}.`
}

function tableOf(accesses: readonly Access[]): Result['tables'][number] {
  return {
    title: 'One access to a request or a response',
    head: ['access', 'as Node creates them, ns', 'as Express passes them to handlers, ns'],
    rows: accesses.map(({ what, onNode, onExpress }) => [what, fixed(onNode, 0), fixed(onExpress, 0)]),
  }
}

/** Explains why everything that a guard does takes longer in Express. */
function whyAccesses(accesses: readonly Access[]): string {
  const [read, set] = accesses
  if (read === undefined || set === undefined) return ''
  const took = (access: Access): string => `${fixed(access.onExpress, 0)} ns instead of ${fixed(access.onNode, 0)} ns`
  return ` Express replaces the prototypes of each request and response and adds properties. V8 then gives each of these objects a hidden class of its own, and cannot cache where their properties are. Therefore, reading one property takes ${took(read)}, and setting a new one ${took(set)} (see “One access to a request or a response” below). latchkey makes more of these accesses than the hand-written guard, because it finds the pattern of the route in nested routers, and checks whether the response has already ended and whether another guard has admitted the request.`
}

function partOf(parts: ReadonlyMap<string, readonly Parts[]>, name: string, owner: Owner): number {
  return median((parts.get(name) ?? []).map((each) => each[owner]))
}

/** Explains why the aim against 0.1.0 is missed. Says so if even the hand-written guard misses it. */
function whyNotLess(ours: number, hand: number, before: number): string {
  const share = `In the same run, the hand-written guard adds ${times(hand / before)} as much CPU time as 0.1.0`
  return hand / before > 0.67
    ? `${share}, so even that guard misses the aim.`
    : `${share}. The difference of ${fixed(ours - hand, 1)} µs between that guard and latchkey is explained above.`
}

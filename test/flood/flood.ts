import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { deciderOf } from '../../src/instance.js'
import { checksum } from '../../src/token/checksum.js'
import { defaultEngine } from '../../src/token/hash.js'
import { quantile } from '../bench/paired.js'

/** How large a flood is, and against what. */
export type FloodOptions = { readonly junk: number; readonly pepper: boolean }

/** What a flood did. */
export type Flooded = {
  /** Distinct tokens that do not exist: by turns malformed, with a wrong checksum, and with a right one. */
  readonly junk: number
  readonly codes: { readonly [code: string]: number }
  readonly seconds: number
  /** Ids that the store was asked for. */
  readonly storeReads: number
  /** How many ids the budget of the addresses allowed in that time. */
  readonly storeReadsAllowed: number
  /** Growth of the heap, after collection, at its highest. */
  readonly heapGrowthMiB: number
  /** A good token's verification, in microseconds: behind as many others that are good, and behind as many of the flood. */
  readonly quietMicros: { readonly median: number; readonly p99: number }
  readonly floodMicros: { readonly median: number; readonly p99: number }
  readonly goodRefused: number
}

const ADDRESSES = 8
const GOOD = 1000
const PIECE = 64
const SAMPLES = 5_000
const SECRET = 'S7rAnGe'.repeat(6)

const { junk, pepper } = JSON.parse(process.argv[2] ?? '{}') as FloodOptions
const collect = (): number => {
  global.gc?.()
  return process.memoryUsage().heapUsed / 1_048_576
}
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

let storeReads = 0
const inner = memoryStore()
const store = {
  ...inner,
  // Answers a little later, as one behind a network does.
  async find(ids: readonly string[]) {
    storeReads += ids.length
    await tick()
    return inner.find(ids)
  },
}
const tokens = latchkey({
  prefix: 'acme_live',
  store,
  scopes: { 'stock:read': 'See stock' },
  ...(pepper && { pepper: 'a pepper of at least thirty-two characters' }),
})

/** A token that was never minted: malformed, with a wrong checksum, or right in form and, without a pepper, in its checksum. */
function stranger(n: number): string {
  if (n % 3 === 0) return `acme_live_${n}`
  const body = `acme_live_${String(n).padStart(16, 'z')}_${SECRET}x`
  return body + (n % 3 === 1 ? '000000' : checksum(defaultEngine.sha256(body)))
}

const good: string[] = []
for (let at = 0; at < GOOD; at += 1) good.push((await tokens.system.create({ name: `good ${at}`, scopes: ['stock:read'] })).token)
for (let round = 0; round < 2; round += 1) for (const token of good) await tokens.verify(token)

let goodRefused = 0
let next = 0
async function verifyGood(): Promise<number> {
  next = (next + 1) % GOOD
  const began = process.hrtime.bigint()
  const answer = await deciderOf(tokens).decide(good[next], { ip: '192.0.2.1' })
  const micros = Number(process.hrtime.bigint() - began) / 1000
  if (!answer.ok) goodRefused += 1
  return micros
}

const quiet: number[] = []
for (let at = 0; at < SAMPLES; at += 1) {
  for (let other = 0; other < PIECE; other += 1) void deciderOf(tokens).decide(good[(at * PIECE + other) % GOOD], { ip: '192.0.2.1' })
  quiet.push(await verifyGood())
  if (at % 8 === 0) await tick()
}

const codes = new Map<string, number>()
const count = (code: string): void => void codes.set(code, (codes.get(code) ?? 0) + 1)
const during: number[] = []
const readsBefore = storeReads
const heapBefore = collect()
let heapGrowthMiB = 0
const began = performance.now()
for (let n = 0; n < junk; n += 1) {
  const answer = deciderOf(tokens).decide(stranger(n), { ip: `10.0.0.${n % ADDRESSES}` })
  if (answer instanceof Promise)
    answer.then(
      (late) => count(late.ok ? 'ok' : late.code),
      () => count('store_unavailable'),
    )
  else count(answer.ok ? 'ok' : answer.code)
  if (n % PIECE !== 0) continue
  if (during.length < SAMPLES) during.push(await verifyGood())
  else during[n % SAMPLES] = await verifyGood()
  if (n % (PIECE * 8) === 0) await tick()
  if (n % (PIECE * 1000) === 0) heapGrowthMiB = Math.max(heapGrowthMiB, collect() - heapBefore)
}
const seconds = (performance.now() - began) / 1000
await tick()
heapGrowthMiB = Math.max(heapGrowthMiB, collect() - heapBefore)
const spread = (samples: readonly number[]) => ({ median: quantile(samples, 0.5), p99: quantile(samples, 0.99) })
const result: Flooded = {
  junk,
  codes: Object.fromEntries(codes),
  seconds,
  storeReads: storeReads - readsBefore,
  // What an address may ask for, and what was under way when its budget ran out.
  storeReadsAllowed: pepper ? 0 : ADDRESSES * (500 + 500 * seconds + PIECE * 8),
  heapGrowthMiB,
  quietMicros: spread(quiet),
  floodMicros: spread(during),
  goodRefused,
}
console.log(JSON.stringify(result))
await tokens.close()

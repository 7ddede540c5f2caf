import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { deciderOf } from '../../src/instance.js'
import { checksum } from '../../src/token/checksum.js'
import { defaultEngine } from '../../src/token/hash.js'
import { quantile } from '../bench/paired.js'

/** The size of a flood, and whether the instance has a pepper. */
export type FloodOptions = { readonly forged: number; readonly pepper: boolean }

/** The effects of a flood. */
export type Flooded = {
  /** Distinct tokens that do not exist: alternately malformed, with a wrong checksum, and with a correct checksum. */
  readonly forged: number
  readonly codes: { readonly [code: string]: number }
  readonly seconds: number
  /** IDs that were looked up in the store. */
  readonly storeReads: number
  /** The number of lookups that the budgets of the addresses allowed during the flood. */
  readonly storeReadsAllowed: number
  /** The largest growth of the heap after garbage collection. */
  readonly heapGrowthMiB: number
  /** The verification time of a valid token, in microseconds: after other valid tokens, and after as many forged ones. */
  readonly quietMicros: { readonly median: number; readonly p99: number }
  readonly floodMicros: { readonly median: number; readonly p99: number }
  readonly validRefused: number
}

const ADDRESSES = 8
const VALID = 1000
const PIECE = 64
const SAMPLES = 5_000
const SECRET = 'S7rAnGe'.repeat(6)

const { forged, pepper } = JSON.parse(process.argv[2] ?? '{}') as FloodOptions
const collect = (): number => {
  global.gc?.()
  return process.memoryUsage().heapUsed / 1_048_576
}
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

let storeReads = 0
const inner = memoryStore()
const store = {
  ...inner,
  // Answers a little late, like a store behind a network.
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

/** A token that was never minted: malformed, with a wrong checksum, or with the right format and, without a pepper, the right checksum. */
function stranger(n: number): string {
  if (n % 3 === 0) return `acme_live_${n}`
  const body = `acme_live_${String(n).padStart(16, 'z')}_${SECRET}x`
  return body + (n % 3 === 1 ? '000000' : checksum(defaultEngine.sha256(body)))
}

const valid: string[] = []
for (let at = 0; at < VALID; at += 1) valid.push((await tokens.system.create({ name: `valid ${at}`, scopes: ['stock:read'] })).token)
for (let round = 0; round < 2; round += 1) for (const token of valid) await tokens.verify(token)

let validRefused = 0
let next = 0
async function verifyValid(): Promise<number> {
  next = (next + 1) % VALID
  const began = process.hrtime.bigint()
  const decided = deciderOf(tokens).decide(valid[next], { ip: '192.0.2.1' })
  // A synchronous decision is timed before the await, because the await would add the time for the flood's pending answers.
  const late = decided instanceof Promise
  const micros = (): number => Number(process.hrtime.bigint() - began) / 1000
  const atOnce = micros()
  const answer = await decided
  if (!answer.ok) validRefused += 1
  return late ? micros() : atOnce
}

const quiet: number[] = []
for (let at = 0; at < SAMPLES; at += 1) {
  for (let other = 0; other < PIECE; other += 1) void deciderOf(tokens).decide(valid[(at * PIECE + other) % VALID], { ip: '192.0.2.1' })
  quiet.push(await verifyValid())
  if (at % 8 === 0) await tick()
}

const codes = new Map<string, number>()
const count = (code: string): void => void codes.set(code, (codes.get(code) ?? 0) + 1)
const during: number[] = []
const readsBefore = storeReads
const heapBefore = collect()
let heapGrowthMiB = 0
const began = performance.now()
for (let n = 0; n < forged; n += 1) {
  const answer = deciderOf(tokens).decide(stranger(n), { ip: `10.0.0.${n % ADDRESSES}` })
  if (answer instanceof Promise)
    answer.then(
      (late) => count(late.ok ? 'ok' : late.code),
      () => count('store_unavailable'),
    )
  else count(answer.ok ? 'ok' : answer.code)
  if (n % PIECE !== 0) continue
  if (during.length < SAMPLES) during.push(await verifyValid())
  else during[n % SAMPLES] = await verifyValid()
  if (n % (PIECE * 8) === 0) await tick()
  if (n % (PIECE * 1000) === 0) heapGrowthMiB = Math.max(heapGrowthMiB, collect() - heapBefore)
}
const seconds = (performance.now() - began) / 1000
await tick()
heapGrowthMiB = Math.max(heapGrowthMiB, collect() - heapBefore)
const spread = (samples: readonly number[]) => ({ median: quantile(samples, 0.5), p99: quantile(samples, 0.99) })
const result: Flooded = {
  forged,
  codes: Object.fromEntries(codes),
  seconds,
  storeReads: storeReads - readsBefore,
  // The addresses may look up this many IDs, plus those in flight when their budgets ran out.
  storeReadsAllowed: pepper ? 0 : ADDRESSES * (500 + 500 * seconds + PIECE * 8),
  heapGrowthMiB,
  quietMicros: spread(quiet),
  floodMicros: spread(during),
  validRefused,
}
console.log(JSON.stringify(result))
await tokens.close()

import { quantile } from '../paired.js'
import { idOf } from './fill.js'
import { pages } from './queries.js'
import type { Subject } from './subjects.js'

/** The ID of an existing token, in an order that no cache can predict. */
const someId = (turn: number, total: number): string => idOf((turn * 7_919) % total)

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** Reads one token after another, alternating between latchkey and the bare driver. Returns both times in microseconds, and their ratio. */
export const measureFind = async (
  subject: Subject,
  total: number,
): Promise<{ readonly ours: number; readonly raw: number; readonly ratio: number }> => {
  const rounds = 25
  const calls = 200
  const [ours, raw, ratios]: [number[], number[], number[]] = [[], [], []]
  let turn = 0
  for (let round = 0; round < rounds; round += 1) {
    const one = await timed(async () => {
      for (let call = 0; call < calls; call += 1) await subject.store.find([someId(turn++, total)])
    })
    const other = await timed(async () => {
      for (let call = 0; call < calls; call += 1) await subject.raw(someId(turn++, total))
    })
    if (round < 5) continue
    ours.push((one / calls) * 1_000)
    raw.push((other / calls) * 1_000)
    ratios.push(one / other)
  }
  return { ours: quantile(ours, 0.5), raw: quantile(raw, 0.5), ratio: quantile(ratios, 0.5) }
}

/**
 * Reads sixty-four misses at a time. Returns the tokens per second if the bare driver reads each token separately, and if latchkey reads
 * each tick's tokens together.
 */
export const measureTogether = async (subject: Subject, total: number): Promise<{ readonly single: number; readonly together: number }> => {
  const rounds = 60
  let turn = 0
  const ids = (): string[] => Array.from({ length: 64 }, () => someId(turn++, total))
  const single: number[] = []
  const together: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const apart = ids()
    single.push(await timed(() => Promise.all(apart.map((id) => subject.raw(id)))))
    const joined = ids()
    together.push(await timed(async () => subject.store.find(joined)))
  }
  const rate = (times: readonly number[]): number => (64 / quantile(times.slice(10), 0.5)) * 1_000
  return { single: rate(single), together: rate(together) }
}

const PAGE_READS = 20

/** The time for each kind of page in milliseconds: the 95th percentile of twenty reads after one warm-up. `undefined` if the store refuses it. */
export const measurePages = async (
  subject: Subject,
  total: number,
): Promise<readonly { readonly name: string; readonly ms: number | undefined }[]> => {
  const results: { name: string; ms: number | undefined }[] = []
  for (const { name, read } of pages(total)) {
    const times: number[] = []
    const tooWide: unknown = Reflect.get(Object(await read(subject.store)), 'tooWide')
    if (tooWide !== undefined) {
      results.push({ name, ms: undefined })
      continue
    }
    for (let round = 0; round < PAGE_READS; round += 1) times.push(await timed(async () => read(subject.store)))
    results.push({ name, ms: quantile(times, 0.95) })
  }
  return results
}

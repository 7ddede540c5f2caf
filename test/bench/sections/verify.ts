import type { Measured } from '../paired.js'
import { atLeast, atMost, fixed, type Section, type Table, type Verdict } from '../result.js'
import { benchVerify } from '../verify.js'

const HEAD = ['variant', 'CPU µs (p10)', 'CPU µs (median)', 'ratio (p10)', 'ratio (median)']

/** Warm verification compared with the hand-written minimum, in CPU time. */
export const verify: Section = async ({ quick }) => {
  const size = quick ? { rounds: 6, count: 2000 } : { rounds: 60, count: 20_000 }
  const few = { ...size, rounds: Math.ceil(size.rounds / 2) }
  const warm = await benchVerify({ tokens: 1000, ...size })
  const many = await benchVerify({ tokens: quick ? 5000 : 100_000, ...few })
  const peppered = await benchVerify({ tokens: 1000, ...few, pepper: 'a pepper of at least thirty-two characters' })
  return {
    tables: [
      tableOf('Warm verification, 1,000 tokens', warm),
      tableOf(`Warm verification, ${quick ? '5,000' : '100,000'} tokens`, many),
      tableOf('Warm verification with a pepper, 1,000 tokens', peppered),
    ],
    verdicts: verdictsOf(warm),
  }
}

function tableOf(title: string, rows: readonly Measured[]): Table {
  const cells = rows.map((row) => [row.name, ...[row.p10, row.median, row.ratioP10, row.ratioMedian].map((value) => fixed(value))])
  return { title, head: HEAD, rows: cells }
}

function verdictsOf(rows: readonly Measured[]): Verdict[] {
  const ratio = (part: string): number => rows.find(({ name }) => name.includes(part))?.ratioMedian ?? Number.NaN
  const ours = ratio('(decide and count)')
  return [
    atMost('warm verification as adapters call it, relative to the hand-written minimum', 1.35, ours, '×', WHY_FLOOR),
    atMost('`await tokens.verify()`, relative to verification as adapters call it', 1.25, ratio('await verify()') / ours, '×'),
    atLeast('textbook code, relative to latchkey', 1.8, ratio('textbook') / ours, '×', WHY_TEXTBOOK),
    atMost('malformed credential, relative to the hand-written minimum', 0.25, ratio('malformed'), '×'),
    atMost('wrong checksum, relative to the hand-written minimum', 0.8, ratio('wrong checksum'), '×', WHY_CHECKSUM),
    atLeast('throughput with usage counting, relative to throughput without it', 0.9, ratio('usage off') / ours, '×', WHY_USAGE),
  ]
}

const WHY_FLOOR =
  'The hand-written minimum creates no result object, does not bound its memory, and does not check how old its data is. With 1,000 tokens it is one hash and little else, so each of these is noticeable.'
const WHY_TEXTBOOK =
  'Both compute one SHA-256, which latchkey cannot make faster. What remains depends on how much the machine takes for the objects that the textbook code creates.'
const WHY_CHECKSUM = 'The hash that the checksum requires accounts for most of the cost of the hand-written minimum.'
const WHY_USAGE = 'A verification without counting is one hash and little else, so even the few comparisons of a counter are noticeable.'

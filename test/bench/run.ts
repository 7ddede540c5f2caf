import { cpus } from 'node:os'
import { type Measured, table } from './paired.js'
import { benchVerify } from './verify.js'

const fixed = (value: number): string => value.toFixed(2)

function show(title: string, rows: readonly Measured[]): void {
  console.log(`\n### ${title}\n`)
  console.log(
    table(
      ['variant', 'CPU µs (p10)', 'CPU µs (median)', 'ratio (p10)', 'ratio (median)'],
      rows.map((row) => [row.name, fixed(row.p10), fixed(row.median), fixed(row.ratioP10), fixed(row.ratioMedian)]),
    ),
  )
}

console.log(`Node ${process.version}, ${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown CPU'}. CPU time in alternating slices; ratios are to the first row.`)
show('Warm verification, 1,000 tokens', await benchVerify({ tokens: 1000, rounds: 60, count: 20_000 }))
show('Warm verification with a pepper, 1,000 tokens', await benchVerify({ tokens: 1000, rounds: 30, count: 20_000, pepper: 'a pepper of at least thirty-two characters' }))

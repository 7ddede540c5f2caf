/**
 * How stores behave as the number of tokens grows: `npm run bench:stores`, or `npm run bench:stores -- --stores sqlite,postgres --rows
 * 1000,1000000`. With `--bulk`, measures one revocation of 100,000 tokens instead.
 *
 * Times are wall time on one machine that also runs the servers. Ratios are more reliable than the times next to them.
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { table } from './paired.js'
import { measureBulk } from './stores/bulk.js'
import { fill } from './stores/fill.js'
import { measureFind, measurePages, measureTogether } from './stores/measure.js'
import { subjects } from './stores/subjects.js'

const { values } = parseArgs({
  options: {
    stores: { type: 'string', default: 'sqlite,postgres,mysql,redis' },
    rows: { type: 'string', default: '1000,100000,1000000' },
    bulk: { type: 'boolean', default: false },
  },
})
const sizes = values.rows.split(',').map(Number)
const say = (line: string): void => console.log(line)

say(`Node ${process.version}, ${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown CPU'}.`)

const bulk: string[][] = []

for (const name of values.stores.split(',')) {
  const open = subjects[name]
  if (open === undefined) throw new Error(`unknown store ${name}: use ${Object.keys(subjects).join(', ')}`)
  const subject = await open()
  try {
    if (values.bulk) {
      const { count, revocation, read, change } = await measureBulk(subject)
      bulk.push([
        name,
        count.toLocaleString('en'),
        `${(revocation / 1_000).toFixed(1)} s`,
        `${read.toFixed(0)} ms`,
        `${change.toFixed(0)} ms`,
      ])
      continue
    }
    const reads: string[][] = []
    const pages = new Map<string, string[]>()
    let filled = 0
    for (const size of sizes) {
      const start = performance.now()
      await fill(subject.store, filled, size)
      const seconds = (performance.now() - start) / 1_000
      await subject.settle()
      const find = await measureFind(subject, size)
      const { single, together } = await measureTogether(subject, size)
      reads.push([
        size.toLocaleString('en'),
        `${find.ours.toFixed(0)} µs`,
        `${find.raw.toFixed(0)} µs`,
        find.ratio.toFixed(2),
        `${Math.round(single).toLocaleString('en')}/s`,
        `${Math.round(together).toLocaleString('en')}/s`,
        ((await subject.bytes()) / size).toFixed(0),
        `${Math.round((size - filled) / seconds).toLocaleString('en')}/s`,
      ])
      filled = size
      for (const page of await measurePages(subject, size))
        pages.set(page.name, [...(pages.get(page.name) ?? []), page.ms?.toFixed(2) ?? 'refused'])
    }
    say(`\n### ${name}\n`)
    say(
      table(
        ['tokens', 'find', 'bare driver', 'ratio', '64 at a time, bare driver', '64 at a time, one find', 'bytes per token', 'filled at'],
        reads,
      ),
    )
    say('')
    say(
      table(
        ['page, ms at', ...sizes.map((size) => size.toLocaleString('en'))],
        [...pages].map(([page, times]) => [page, ...times]),
      ),
    )
  } finally {
    await subject.remove()
  }
}

if (values.bulk) say(table(['store', 'tokens revoked', 'took', 'longest read during it', 'longest change during it'], bulk))

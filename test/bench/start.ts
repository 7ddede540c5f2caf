import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { quantile, table } from './paired.js'
import { type Built, buildCommit, buildPublished, sizeOfCore } from './start/build.js'

// npm run bench:start -- [--against=v0.1.0] [--rounds=21]
// The CPU time that a fresh process takes to import latchkey, compared with another commit. Each import runs in its own process, one after
// another.
const option = (name: string, fallback: string): string =>
  process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3) ?? fallback
const kilo = (bytes: number): string => (bytes / 1000).toFixed(1)
const against = option('against', 'HEAD')
const rounds = Number(option('rounds', '21'))

const CHILD = `
const before = process.cpuUsage()
for (const url of process.argv.slice(1)) await import(url)
const { user, system } = process.cpuUsage(before)
console.log((user + system) / 1000)
`
const SETS = [
  ['latchkey', ['index']],
  ['latchkey and latchkey/express', ['index', 'express']],
  ['latchkey, latchkey/hono and latchkey/stores/postgres', ['index', 'hono', 'postgres']],
] as const
/**
 * The cost that no code in latchkey can avoid: Node's own work for an empty module, and for the platform modules that a verification needs.
 */
const FLOOR = [
  ['an empty module', ''],
  ['`node:crypto`, and one hash', "process.getBuiltinModule('node:crypto').hash?.('sha256', '', 'hex')"],
] as const

const cache = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url))
mkdirSync(cache, { recursive: true })
const folder = mkdtempSync(join(cache, 'latchkey-start-'))
try {
  const builds: readonly Built[] = [await buildCommit(join(folder, 'against'), against), await buildPublished(join(folder, 'here'))]
  const rows = SETS.map(([name, entries]) => {
    const [then = [], now = []] = measure(builds, entries)
    const ratio = quantile(
      now.map((ms, round) => ms / (then[round] ?? Number.NaN)),
      0.5,
    )
    return [name, quantile(then, 0.5).toFixed(0), quantile(now, 0.5).toFixed(0), `${ratio.toFixed(2)} ×`]
  })
  console.log(
    `Node ${process.version}, load ${loadavg()
      .map((load) => load.toFixed(1))
      .join(' ')}, ${rounds} processes each, in turn\n`,
  )
  const floor = FLOOR.map(([name, text], at): readonly [string, Built] => {
    const place = join(folder, `floor-${at}`)
    mkdirSync(place)
    writeFileSync(join(place, 'index.mjs'), text)
    return [name, { folder: place, outputs: {} }]
  })
  const spent = measure(
    floor.map(([, built]) => built),
    ['index'],
  )
  console.log(table(['a fresh process imports', `CPU ms at ${against} (median)`, 'CPU ms here (median)', 'ratio (median of pairs)'], rows))
  console.log(`\nThe same, without latchkey\n`)
  console.log(
    table(
      ['a fresh process imports', 'CPU ms (median)'],
      floor.map(([name], at) => [name, quantile(spent[at] ?? [], 0.5).toFixed(1)]),
    ),
  )
  const { parts, bytes, compressed } = await sizeOfCore()
  console.log(
    `\n\`import "latchkey"\` loads ${kilo(bytes)} kB of minified code immediately, ${kilo(compressed)} kB compressed by Brotli:\n`,
  )
  const largest = [...parts].sort(([, one], [, other]) => other - one).filter(([, size]) => size > 0)
  console.log(
    table(
      ['part', 'kB, minified'],
      largest.map(([part, size]) => [`\`${part}\``, kilo(size)]),
    ),
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function measure(builds: readonly Built[], entries: readonly string[]): number[][] {
  const samples = builds.map((): number[] => [])
  for (let round = -1; round < rounds; round += 1) {
    for (const [at, built] of builds.entries()) {
      const urls = entries.map((entry) => pathToFileURL(join(built.folder, `${entry}.mjs`)).href)
      const ms = Number(execFileSync(process.execPath, ['--input-type=module', '-e', CHILD, ...urls], { encoding: 'utf8' }))
      // The first round reads the files from disk.
      if (round >= 0) samples[at]?.push(ms)
    }
  }
  return samples
}

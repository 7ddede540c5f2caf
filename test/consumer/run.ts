import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBench, pack, type Suite } from './lib/bench.js'
import { bare } from './suites/bare.js'
import { bundlers } from './suites/bundlers.js'
import { commandLine } from './suites/command-line.js'
import { copies } from './suites/copies.js'
import { jest } from './suites/jest.js'
import { nestjs } from './suites/nest.js'
import { next } from './suites/next.js'
import { openapi } from './suites/openapi.js'
import { quickStart } from './suites/quick-start.js'
import { recipes } from './suites/recipes.js'
import { runtimes } from './suites/runtimes.js'
import { testing } from './suites/testing.js'
import { types } from './suites/types.js'
import { workers } from './suites/workers.js'

// Packs the package as for publishing, installs the tarball in empty projects, and uses it as its users do. `run.ts` runs CI's sample,
// `run.ts --all` everything, and `run.ts jest next` only the named suites. The longest suite comes first, so no processor idles at the end
// while it finishes.
const SUITES: readonly Suite[] = [
  next,
  quickStart,
  commandLine,
  types,
  copies,
  bare,
  jest,
  testing,
  recipes,
  nestjs,
  bundlers,
  workers,
  runtimes,
  openapi,
]

/** While one suite waits for npm, another uses the processor. */
const AT_ONCE = 2

const all = process.argv.includes('--all')
const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const unknown = named.filter((name) => SUITES.every((suite) => suite.name !== name))
if (unknown.length > 0) throw new Error(`no such suite: ${unknown.join(', ')}; there are ${SUITES.map(({ name }) => name).join(', ')}`)

const work = await mkdtemp(join(tmpdir(), 'latchkey-consumer-'))
const bench = createBench(work, process.env.LATCHKEY_TARBALL ?? (await pack(work)), all)
try {
  const waiting = SUITES.filter(({ name, sample }) => (named.length > 0 ? named.includes(name) : all || sample))
  const runNext = async (): Promise<void> => {
    for (let suite = waiting.shift(); suite !== undefined; suite = waiting.shift()) {
      const { name, run } = suite
      await bench.check(`${name}: setup and run`, () => run(bench))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, runNext))
} finally {
  if (!process.argv.includes('--keep')) await rm(work, { recursive: true, force: true })
  else console.log(`kept ${work}`)
}
const { passed, failed } = bench.counts()
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Coverage, coreTests, coverageOf, passes } from './core-tests.js'
import { DECISION_MUTANTS } from './decision-mutants.js'
import { GUARD_MUTANTS } from './guard-mutants.js'
import { MUTANTS, type Mutant } from './mutants.js'

/**
 * Spoils the core in one small way after another, in a copy of the project, and says which ways no test of the core alone notices. Which tests are asked
 * about a mutant is measured: those that run its line.
 *
 * `npx tsx test/tools/mutation.ts [part of a file's name, or "decision"]`
 */
const COPIED = ['src', 'adapters', 'test', 'docs', 'package.json', 'tsconfig.json', 'vitest.config.ts']
/** Tests that are asked first, in one run: those that killed the most so far. */
const FIRST = 3

function copyProject(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'latchkey-mutation-')))
  for (const name of COPIED) cpSync(name, join(folder, name), { recursive: true, filter: (path) => !path.includes('node_modules') })
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  return folder
}

function mutate(source: string, { find, become }: Mutant): string {
  const parts = source.split(find)
  if (parts.length < 2) throw new Error(`does not stand in the file: ${find}`)
  const [first, ...rest] = parts
  return `${first}${become}${rest.join(find)}`
}

/** The lines that a mutant changes. */
function linesOf(source: string, { find }: Mutant): readonly number[] {
  const first = source.slice(0, source.indexOf(find)).split('\n').length
  return find.split('\n').map((_, at) => first + at)
}

const kills = new Map<string, number>()

/** Does a test notice? */
function isKilled(folder: string, tests: readonly string[]): boolean {
  const ranked = [...tests].sort((a, b) => (kills.get(b) ?? 0) - (kills.get(a) ?? 0))
  for (const test of ranked.slice(0, FIRST)) {
    if (passes(folder, [test])) continue
    kills.set(test, (kills.get(test) ?? 0) + 1)
    return true
  }
  const rest = ranked.slice(FIRST)
  return rest.length > 0 && !passes(folder, rest)
}

const wanted = process.argv[2] ?? ''
const all = wanted === 'decision' ? { ...DECISION_MUTANTS, ...GUARD_MUTANTS } : { ...DECISION_MUTANTS, ...GUARD_MUTANTS, ...MUTANTS }
const chosen = Object.entries(all).filter(([file]) => wanted === 'decision' || file.includes(wanted))
const files = chosen.map(([file]) => file)
const folder = copyProject()
const survivors: string[] = []
let total = 0
try {
  const covered: (readonly [test: string, Coverage])[] = []
  for (const test of coreTests()) {
    const began = Date.now()
    covered.push([test, coverageOf(folder, test, files)])
    if (process.env.DEBUG_COV) console.log(test, Date.now() - began)
  }
  console.log(`${covered.length} test files of the core, ${files.length} files with mutants`)
  for (const [file, mutants] of chosen) {
    const path = join(folder, file)
    const source = readFileSync(path, 'utf8')
    for (const mutant of mutants) {
      total += 1
      const name = `${file}: ${mutant.find.split('\n')[0]} → ${mutant.become.split('\n')[0] || '(nothing)'}`
      const lines = linesOf(source, mutant)
      const tests = covered.filter(([, coverage]) => lines.some((line) => coverage.get(file)?.has(line))).map(([test]) => test)
      writeFileSync(path, mutate(source, mutant))
      const killed = isKilled(folder, tests)
      if (!killed) survivors.push(name)
      console.log(`${killed ? 'killed  ' : 'SURVIVED'} ${name}`)
    }
    writeFileSync(path, source)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${total - survivors.length} of ${total} killed`)
process.exitCode = survivors.length > 0 ? 1 : 0

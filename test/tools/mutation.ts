import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Coverage, coreTests, coverageOf, passes } from './core-tests.js'
import { DECISION_MUTANTS } from './decision-mutants.js'
import { GUARD_MUTANTS } from './guard-mutants.js'
import { MUTANTS, type Mutant } from './mutants.js'

/**
 * Breaks the core in one small way after another, in a copy of the project for each processor, and reports the mutants that no core test detects. Coverage
 * decides which tests run for a mutant: those that run its line.
 *
 * `npx tsx test/tools/mutation.ts [parts of file names, or "decision"]`
 */
const COPIED = ['src', 'adapters', 'test', 'docs', 'package.json', 'tsconfig.json', 'vitest.config.ts']
/** How many tests run first, in a separate run. */
const FIRST = 2

function copyProject(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'latchkey-mutation-')))
  for (const name of COPIED) cpSync(name, join(folder, name), { recursive: true, filter: (path) => !path.includes('node_modules') })
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  return folder
}

function mutate(source: string, { find, become }: Mutant): string {
  const parts = source.split(find)
  if (parts.length !== 2) throw new Error(`occurs in the file ${parts.length - 1} times, not once: ${find}`)
  return parts.join(become)
}

/** The lines that a mutant changes. */
function linesOf(source: string, { find }: Mutant): readonly number[] {
  const first = source.slice(0, source.indexOf(find)).split('\n').length
  return find.split('\n').map((_, at) => first + at)
}

/** How likely a test is to detect a mutant. The test that mirrors the file comes first, then the test of the whole decision. */
function nearness(file: string, test: string): number {
  const name = file.replace(/^.*\//, '').replace('.ts', '')
  return test.endsWith(`/${name}.test.ts`) ? 2 : test === 'test/verify/decision.test.ts' ? 1 : 0
}

/** Whether any of the tests detects the mutant. */
async function isKilled(folder: string, file: string, tests: readonly string[]): Promise<boolean> {
  const ranked = [...tests].sort((a, b) => nearness(file, b) - nearness(file, a))
  for (const some of [ranked.slice(0, FIRST), ranked.slice(FIRST)]) {
    if (some.length > 0 && !(await passes(folder, some))) return true
  }
  return false
}

/** Runs the tasks one by one, each in the next free folder. */
async function inFolders<Task>(tasks: readonly Task[], work: (folder: string, task: Task) => Promise<void>): Promise<void> {
  const waiting = tasks.values()
  await Promise.all(
    folders.map(async (folder) => {
      for (const task of waiting) await work(folder, task)
    }),
  )
}

const wanted = process.argv.slice(2)
const ofDecision = wanted[0] === 'decision'
const decision = { ...DECISION_MUTANTS, ...GUARD_MUTANTS }
const all = ofDecision ? decision : { ...decision, ...MUTANTS }
const chosen = Object.entries(all).filter(([file]) => ofDecision || wanted.length === 0 || wanted.some((part) => file.includes(part)))
const files = chosen.map(([file]) => file)
const folders = Array.from({ length: availableParallelism() }, copyProject)
const survivors: string[] = []
/** Tests that fail without any mutant. They detect nothing, so a mutant that only they would detect survives. */
const failing: string[] = []
let total = 0
try {
  const covered: (readonly [test: string, Coverage])[] = []
  const tests = coreTests()
  await inFolders(tests, async (folder, test) => {
    const coverage = await coverageOf(folder, test, files)
    if (coverage === undefined) failing.push(test)
    else covered.push([test, coverage])
    if (covered.length % 10 === 0) console.log(`coverage: ${covered.length} of ${tests.length} test files`)
  })
  console.log(`${covered.length} test files of the core, ${files.length} files with mutants`)
  const tasks = chosen.flatMap(([file, mutants]) => mutants.map((mutant) => ({ file, mutant })))
  await inFolders(tasks, async (folder, { file, mutant }) => {
    const path = join(folder, file)
    const source = readFileSync(path, 'utf8')
    const name = `${file}: ${mutant.find.split('\n')[0]} → ${mutant.become.split('\n')[0] || '(nothing)'}`
    const lines = linesOf(source, mutant)
    const running = covered.filter(([, coverage]) => lines.some((line) => coverage.get(file)?.has(line))).map(([test]) => test)
    writeFileSync(path, mutate(source, mutant))
    const killed = await isKilled(folder, file, running)
    writeFileSync(path, source)
    total += 1
    if (!killed) survivors.push(name)
    console.log(`${killed ? 'killed  ' : 'SURVIVED'} ${name}`)
  })
} finally {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
}
if (failing.length > 0) console.log(`left out because they fail without any mutant: ${failing.join(', ')}`)
console.log(`${total - survivors.length} of ${total} killed`)
process.exitCode = survivors.length + failing.length > 0 ? 1 : 0

import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { coreTests, TestRunner } from './core-tests.js'
import { DECISION_MUTANTS } from './decision-mutants.js'
import { GUARD_MUTANTS } from './guard-mutants.js'
import { MUTANTS, type Mutant } from './mutants.js'

/**
 * Breaks the core in one small way after another, in a copy of the project for each processor, and reports the mutants that no core test detects. Every test
 * of the core runs for a mutant until one fails, the likeliest first.
 *
 * `npx tsx test/tools/mutation.ts [parts of file names, or "decision"]`
 */
const COPIED = ['src', 'adapters', 'test', 'docs', 'package.json', 'tsconfig.json', 'vitest.config.ts']
/** How many test files run first, in a separate run, and how many times more run in each further run. */
const FIRST = 2
const MORE = 5

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

/** How likely a test is to detect a mutant: first the test that mirrors the file, then that of the whole decision, then those of the same folder. */
function nearness(file: string, test: string): number {
  const [folder, name] = file.replace('.ts', '').split('/').slice(-2)
  if (test.endsWith(`/${name}.test.ts`)) return 3
  if (test === 'test/verify/decision.test.ts') return 2
  return test.startsWith(`test/${folder}/`) ? 1 : 0
}

/** Whether any of the tests detects the mutant. */
async function isKilled(runner: TestRunner, file: string, tests: readonly string[]): Promise<boolean> {
  const ranked = [...tests].sort((a, b) => nearness(file, b) - nearness(file, a))
  let changed: string | undefined = file
  for (let from = 0, count = FIRST; from < ranked.length; from += count, count *= MORE) {
    if ((await runner.failures({ tests: ranked.slice(from, from + count), changed })).length > 0) return true
    changed = undefined
  }
  return false
}

/** Runs the tasks one by one, each in the next free folder. */
async function inFolders<Task>(
  tasks: readonly Task[],
  options: readonly string[],
  work: (place: Place, task: Task) => Promise<void>,
): Promise<void> {
  const waiting = tasks.values()
  await Promise.all(
    folders.map(async (folder) => {
      const runner = new TestRunner(folder, options)
      for (const task of waiting) await work({ folder, runner }, task)
      runner.stop()
    }),
  )
}

type Place = { readonly folder: string; readonly runner: TestRunner }

const wanted = process.argv.slice(2)
const ofDecision = wanted[0] === 'decision'
const decision = { ...DECISION_MUTANTS, ...GUARD_MUTANTS }
const all = ofDecision ? decision : { ...decision, ...MUTANTS }
const chosen = Object.entries(all).filter(([file]) => ofDecision || wanted.length === 0 || wanted.some((part) => file.includes(part)))
const folders = Array.from({ length: availableParallelism() }, copyProject)
const survivors: string[] = []
/** Tests that fail without any mutant. They detect nothing, so a mutant that only they would detect survives. */
const failing: string[] = []
let total = 0
try {
  const tests = coreTests()
  const parts = folders.map((_, at) => tests.filter((_test, index) => index % folders.length === at))
  await inFolders(parts, [], async ({ runner }, part) => {
    // A busy machine can fail a test once, so a failure counts only when it is repeated.
    const failed = await runner.failures({ tests: part, changed: undefined })
    if (failed.length > 0) failing.push(...(await runner.failures({ tests: failed, changed: undefined })))
  })
  const passing = tests.filter((test) => !failing.includes(test))
  const tasks = chosen.flatMap(([file, mutants]) => mutants.map((mutant) => ({ file, mutant })))
  console.log(`${passing.length} of ${tests.length} test files of the core pass; ${tasks.length} mutants of ${chosen.length} files`)
  await inFolders(tasks, ['--bail'], async ({ folder, runner }, { file, mutant }) => {
    const path = join(folder, file)
    const source = readFileSync(path, 'utf8')
    const name = `${file}: ${mutant.find.split('\n')[0]} → ${mutant.become.split('\n')[0] || '(nothing)'}`
    writeFileSync(path, mutate(source, mutant))
    const killed = await isKilled(runner, file, passing)
    writeFileSync(path, source)
    await runner.failures({ tests: [], changed: file })
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

import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { MUTANTS, type Mutant } from './mutants.js'

/**
 * Spoils the core in one small way after another, in a copy of the project, and says which ways no test notices.
 *
 * `npx tsx test/tools/mutation.ts [part of a file's name]`
 */
const TESTS: readonly (readonly [file: RegExp, tests: readonly string[]])[] = [
  [/cache\/|barrier/, ['test/cache/', 'test/latchkey/heap']],
  [/change\.ts/, ['test/cache/races', 'test/operations/']],
  [/status/, ['test/policy/status', 'test/latchkey/corrupt']],
  [/verify/, ['test/cache/owners', 'test/latchkey/', 'test/operations/', 'test/records/']],
  [/records\//, ['test/records/']],
]

const testsOf = (file: string): readonly string[] => TESTS.find(([pattern]) => pattern.test(file))?.[1] ?? ['test/']
const COPIED = ['src', 'adapters', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts']

function copyProject(): string {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-mutation-'))
  for (const name of COPIED) cpSync(name, join(folder, name), { recursive: true, filter: (path) => !path.includes('node_modules') })
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  return folder
}

function passes(folder: string, tests: readonly string[]): boolean {
  // One worker for all files: each mutant costs one start, not one for each file.
  const how = ['--bail', '1', '--reporter', 'dot', '--no-isolate', '--pool', 'threads', '--no-file-parallelism']
  const { status } = spawnSync('node', ['node_modules/vitest/vitest.mjs', 'run', ...how, ...tests], {
    cwd: folder,
    env: { ...process.env, LATCHKEY_SCHEDULES: '300' },
    stdio: 'ignore',
    timeout: 120_000,
  })
  return status === 0
}

function mutate(source: string, { find, become }: Mutant): string {
  const parts = source.split(find)
  if (parts.length < 2) throw new Error(`does not stand in the file: ${find}`)
  const [first, ...rest] = parts
  return `${first}${become}${rest.join(find)}`
}

const wanted = process.argv[2] ?? ''
const folder = copyProject()
const survivors: string[] = []
let total = 0
try {
  for (const [file, mutants] of Object.entries(MUTANTS)) {
    if (!file.includes(wanted)) continue
    const path = join(folder, file)
    const source = readFileSync(path, 'utf8')
    if (!passes(folder, testsOf(file))) throw new Error(`the tests of ${file} fail without any mutant`)
    for (const mutant of mutants) {
      total += 1
      const name = `${file}: ${mutant.find.split('\n')[0]} → ${mutant.become.split('\n')[0] || '(nothing)'}`
      writeFileSync(path, mutate(source, mutant))
      const survived = passes(folder, testsOf(file))
      if (survived) survivors.push(name)
      console.log(`${survived ? 'SURVIVED' : 'killed  '} ${name}`)
    }
    writeFileSync(path, source)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${total - survivors.length} of ${total} killed`)
process.exitCode = survivors.length > 0 ? 1 : 0

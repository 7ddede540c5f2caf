import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** Folders with tests that drive only the core: `latchkey()` with the memory store, or one module. */
const FOLDERS = ['verify', 'latchkey', 'policy', 'token', 'cache', 'verbs', 'rate-limit', 'activity', 'model', 'store', 'http', 'imports']
/** Any adapter except the memory store, or a separate process, which coverage does not see. */
const BEYOND_THE_CORE = /latchkey\/(?:express|fastify|hono|koa|nest|web)|stores\/(?!memory)|servers\.js|\/crash\/|child_process/

/** The lines of each file that a test ran. */
export type Coverage = ReadonlyMap<string, ReadonlySet<number>>

/** The tests of the core alone. */
export function coreTests(): readonly string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(`test/${folder}`, { recursive: true, encoding: 'utf8' }).map((name) => `test/${folder}/${name}`),
  )
    .filter(
      (file) => file.endsWith('.test.ts') && !file.endsWith('/every-store.test.ts') && !BEYOND_THE_CORE.test(readFileSync(file, 'utf8')),
    )
    .sort()
}

/** Runs tests in one worker, and returns `true` if all pass. */
export async function passes(folder: string, tests: readonly string[]): Promise<boolean> {
  return (await run(folder, tests)).passed
}

type Run = { readonly passed: boolean; readonly output: string }

function run(folder: string, tests: readonly string[], more: readonly string[] = []): Promise<Run> {
  const how = ['--bail', '1', '--reporter', 'dot', '--no-isolate', '--pool', 'threads', '--no-file-parallelism']
  const options = { cwd: folder, env: { ...process.env, LATCHKEY_SCHEDULES: '300' }, timeout: 300_000, maxBuffer: 64e6 }
  return new Promise((resolve) => {
    execFile('node', ['node_modules/vitest/vitest.mjs', 'run', ...how, ...more, ...tests], options, (error, stdout, stderr) =>
      resolve({ passed: error === null, output: `${stdout}${stderr}` }),
    )
  })
}

/**
 * Runs one test file alone, and returns which lines of `files` it ran. A busy machine can fail a test once, so a failure counts only when it is repeated.
 *
 * @returns `undefined` if it fails twice, because its later results about mutants would be meaningless
 */
export async function coverageOf(folder: string, test: string, files: readonly string[]): Promise<Coverage | undefined> {
  const reports = join(folder, 'coverage')
  const more = ['--coverage', '--coverage.reporter=json', '--coverage.clean=false', `--coverage.reportsDirectory=${reports}`]
  rmSync(reports, { recursive: true, force: true })
  const once = (): Promise<Run> => run(folder, [test], [...more, ...files.map((file) => `--coverage.include=${file}`)])
  const first = await once()
  if (!first.passed) {
    console.log(`${test} failed without any mutant, and is run again:\n${first.output}`)
    if (!(await once()).passed) return undefined
  }
  const report: unknown = JSON.parse(readFileSync(join(reports, 'coverage-final.json'), 'utf8'))
  return new Map(Object.entries(Object(report)).map(([path, file]) => [path.slice(folder.length + 1), linesRun(file as FileCoverage)]))
}

type FileCoverage = {
  readonly statementMap: { readonly [id: string]: { readonly start: { readonly line: number }; readonly end: { readonly line: number } } }
  readonly s: { readonly [id: string]: number }
}

function linesRun({ statementMap, s }: FileCoverage): ReadonlySet<number> {
  const lines = new Set<number>()
  for (const [id, { start, end }] of Object.entries(statementMap)) {
    if ((s[id] ?? 0) === 0) continue
    for (let line = start.line; line <= end.line; line += 1) lines.add(line)
  }
  return lines
}

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'

/** Folders with tests that drive only the core: `latchkey()` with the memory store, or one module. */
const FOLDERS = ['verify', 'latchkey', 'policy', 'token', 'cache', 'verbs', 'rate-limit', 'activity', 'model', 'store', 'http', 'imports']
/** Any adapter except the memory store, or a separate process. */
const BEYOND_THE_CORE = /latchkey\/(?:express|fastify|hono|koa|nest|web)|stores\/(?!memory)|servers\.js|\/crash\/|child_process/
/** Tests that take longer have hung. All of them together take a few minutes. */
const HUNG_MS = 30 * 60_000

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

/** What a runner is asked to run. `changed`: a file that has changed since its last run. */
export type Run = { readonly tests: readonly string[]; readonly changed: string | undefined }

/** Runs tests of one copy of the project, again and again in one process, because most of the time of a short run is its start. */
export class TestRunner {
  readonly #folder: string
  readonly #options: readonly string[]
  #child: ReturnType<typeof fork> | undefined

  /** `options`: `--bail` ends each run at the first failure. */
  constructor(folder: string, options: readonly string[]) {
    this.#folder = folder
    this.#options = options
  }

  /** Returns the tests that failed. Tests that hang, or that end their process, all count as failed. */
  async failures(run: Run): Promise<readonly string[]> {
    const child = this.#child ?? this.#start()
    child.send(run)
    const done = new AbortController()
    const signal = AbortSignal.any([done.signal, AbortSignal.timeout(HUNG_MS)])
    const heard = [once(child, 'message', { signal }).then(([failed]: unknown[]) => failed), once(child, 'exit', { signal })]
    const answer: unknown = await Promise.any(heard).catch(() => undefined)
    done.abort()
    if (Array.isArray(answer) && answer.every((test) => typeof test === 'string')) return answer
    this.stop()
    return run.tests
  }

  stop(): void {
    this.#child?.kill('SIGKILL')
    this.#child = undefined
  }

  #start(): ReturnType<typeof fork> {
    const env = { ...process.env, LATCHKEY_SCHEDULES: '300' }
    const runner = new URL('core-runner.ts', import.meta.url)
    this.#child = fork(runner, this.#options, {
      cwd: this.#folder,
      env,
      execArgv: ['--import', import.meta.resolve('tsx')],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    return this.#child
  }
}

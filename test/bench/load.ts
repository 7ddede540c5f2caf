import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { peer } from './peer.js'
import type { Door } from './servers.js'

/** The load generator's API. */
export type Cannon = (options: object) => Promise<{ readonly non2xx: number; readonly errors: number; readonly duration: number }>

/** How many connections send requests at the same time. */
export const CONNECTIONS = 16

/** A server in a separate process, on a separate core if the system supports it. */
export class LoadedServer {
  readonly doors: readonly Door[]
  readonly #child: ChildProcess
  readonly #cannon: Cannon

  private constructor(child: ChildProcess, doors: readonly Door[], cannon: Cannon) {
    this.#child = child
    this.doors = doors
    this.#cannon = cannon
  }

  static async start(framework: string): Promise<LoadedServer> {
    const { default: cannon } = await peer<{ default: Cannon }>('autocannon')
    const child = fork(process.argv[1] ?? '', ['server', framework], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const [{ doors }] = (await once(child, 'message')) as [{ doors: readonly Door[] }]
    pin(child.pid, 0)
    pin(process.pid, 1)
    return new LoadedServer(child, doors, cannon)
  }

  /** Sends this many requests to a variant. Returns the server's CPU time per request in microseconds, and the requests per second. */
  async load({ url, credential }: Door, amount: number): Promise<{ cpuMicros: number; perSecond: number }> {
    const before = await this.#cpu()
    const began = performance.now()
    const { non2xx, errors } = await this.#cannon({
      url,
      connections: CONNECTIONS,
      amount,
      sampleInt: 10,
      headers: { authorization: credential },
    })
    const seconds = (performance.now() - began) / 1000
    const after = await this.#cpu()
    if (non2xx > 0 || errors > 0) throw new Error(`${url} answered ${non2xx} requests with an error, and failed ${errors}`)
    return { cpuMicros: (after - before) / amount, perSecond: amount / seconds }
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill()
    await ended
  }

  async #cpu(): Promise<number> {
    const answered = once(this.#child, 'message') as Promise<[{ cpu: NodeJS.CpuUsage }]>
    this.#child.send('cpu')
    const [{ cpu }] = await answered
    return cpu.user + cpu.system
  }
}

/** Keeps a process on one core if the system supports it. */
export function pin(pid: number | undefined, core: number): void {
  try {
    execFileSync('taskset', ['-a', '-p', '-c', String(core), String(pid)], { stdio: 'ignore' })
  } catch {
    // This system cannot pin processes; the scheduler decides.
  }
}

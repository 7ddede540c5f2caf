import { type ChildProcess, fork } from 'node:child_process'
import type { Command, Made, Reply, Span, Watched } from './protocol.js'
import type { StoreProxy } from './proxy.js'

type Waiting = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }

/** A node of the cluster, seen from the test: its process, and the proxy between it and the database. */
export class ClusterNode {
  readonly proxy: StoreProxy
  readonly #child: ChildProcess
  readonly #waiting: Map<number, Waiting> = new Map()
  #seq = 0

  constructor(program: string, proxy: StoreProxy) {
    this.proxy = proxy
    this.#child = fork(program, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] })
    this.#child.on('message', ({ seq, value, error }: Reply) => {
      const waiting = this.#waiting.get(seq)
      this.#waiting.delete(seq)
      if (error === undefined) waiting?.resolve(value)
      else waiting?.reject(new Error(error))
    })
    this.#child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the node has ended'))
    })
  }

  ask(command: Command): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#seq += 1
      this.#waiting.set(this.#seq, { resolve, reject })
      this.#child.send({ seq: this.#seq, command }, (error) => {
        if (error !== null) reject(error)
      })
    })
  }

  async create(count: number): Promise<readonly Made[]> {
    return (await this.ask({ do: 'create', count })) as readonly Made[]
  }

  async revoke(id: string, waitForNodes = false): Promise<Span> {
    return (await this.ask({ do: 'revoke', id, waitForNodes })) as Span
  }

  async revokeAll(tenantId: string): Promise<Span> {
    return (await this.ask({ do: 'revokeAll', tenantId })) as Span
  }

  /** Starts asking about a token; resolves once it is answered from memory. */
  async watch(token: string): Promise<void> {
    await this.ask({ do: 'watch', token })
    await this.ask({ do: 'settle', token })
  }

  /** Resolves once the watched token is refused, or no longer watched. */
  async refused(token: string): Promise<void> {
    await this.ask({ do: 'refused', token })
  }

  async watched(token: string): Promise<Watched> {
    return (await this.ask({ do: 'watched', token })) as Watched
  }

  /** Moves the clock that the node tells the time by. */
  async stepClock(ms: number): Promise<void> {
    await this.ask({ do: 'step', ms })
  }

  /** Stops the process where it stands, as a debugger or an overloaded host does. */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  async close(): Promise<void> {
    this.thaw()
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const patience = setTimeout(() => this.#child.kill('SIGKILL'), 3000)
      await this.ask({ do: 'close' }).catch(() => undefined)
      this.#child.kill('SIGKILL')
      await ended
      clearTimeout(patience)
    }
    await this.proxy.close()
  }
}

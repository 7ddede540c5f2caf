import { type ChildProcess, fork } from 'node:child_process'

type Waiting = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }

/** A request to a process, and its answer. */
export type Request<Command> = { readonly seq: number; readonly command: Command }
export type Reply = { readonly seq: number; readonly value?: unknown; readonly error?: string }

/** A child process that sends one reply per request, and can be frozen or killed. */
export class Child<Command> {
  readonly #child: ChildProcess
  readonly #waiting: Map<number, Waiting> = new Map()
  #seq = 0

  constructor(program: string, hear: (message: unknown) => void = () => {}) {
    this.#child = fork(program, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] })
    this.#child.on('message', (message: Reply) => {
      const waiting = this.#waiting.get(message.seq)
      if (waiting === undefined) return hear(message)
      this.#waiting.delete(message.seq)
      if (message.error === undefined) waiting.resolve(message.value)
      else waiting.reject(new Error(message.error))
    })
    this.#child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the node has ended'))
      this.#waiting.clear()
    })
  }

  get #ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  ask(command: Command): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(new Error('the node has ended'))
      this.#seq += 1
      this.#waiting.set(this.#seq, { resolve, reject })
      this.#child.send({ seq: this.#seq, command }, (error) => {
        if (error !== null) reject(error)
      })
    })
  }

  /** Suspends the process, as a debugger or an overloaded host does. */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  /** Kills the process in the middle of its work. */
  async kill(): Promise<void> {
    if (this.#ended) return
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await ended
  }

  /** Lets the process shut down, and kills it if that takes too long. */
  async close(goodbye: Command): Promise<void> {
    this.thaw()
    const patience = setTimeout(() => void this.kill(), 3000)
    await this.ask(goodbye).catch(() => undefined)
    clearTimeout(patience)
    await this.kill()
  }
}

/** In the child: answers its parent's requests until the parent is gone. */
export const answerParent = <Command>(perform: (command: Command) => Promise<unknown>): void => {
  const reply = (message: Reply): void => {
    process.send?.(message)
  }
  process.on('message', ({ seq, command }: Request<Command>) => {
    perform(command).then(
      (value) => reply({ seq, value }),
      (error: unknown) => reply({ seq, error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }),
    )
  })
  process.on('disconnect', () => process.exit())
}

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle } from '../../../support/bundle.js'
import type { HolderOptions, HolderSays, Line, ServerAsk, ServerOptions, ServerSays } from './protocol.js'

/** The combined results of all holders' requests. */
export type Figures = { sent: number; succeeded: number; failed: string[]; errors: string[]; latencies: number[]; used: Set<string> }

/** A holder process. */
export type Holder = {
  /** Resolves on the next message of this kind. */
  says(what: HolderSays['says']): Promise<void>
  /** Suspends the process, like a machine that sleeps, until `wake()`. */
  suspend(): void
  wake(): void
  /** Kills the process like `kill -9`. */
  kill(): Promise<void>
  /** Lets the process finish its requests and exit. */
  stop(): Promise<void>
}

/** A server process and the holders that share one file. */
export type Stage = {
  readonly origin: string
  readonly file: string
  readonly figures: Figures
  start(options: Omit<HolderOptions, 'origin' | 'file'>): Holder
  /** Lets the next rotation happen but drops its response. Resolves when the rotation has happened. */
  loseNextAnswer(): Promise<void>
  line(): Promise<Line>
  close(): Promise<void>
}

let programs: Promise<readonly [string, string]> | undefined

/** Starts a server and writes a first token to the file. */
export async function startStage(): Promise<Stage> {
  programs ??= Promise.all([bundle(new URL('server.ts', import.meta.url)), bundle(new URL('holder.ts', import.meta.url))])
  const [serverProgram, holderProgram] = await programs
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-load-'))
  const children = new Set<ChildProcess>()
  const run = (program: string, given: object): ChildProcess => {
    const child = fork(program, [JSON.stringify(given)], { execArgv: [] })
    children.add(child)
    child.once('exit', () => children.delete(child))
    return child
  }
  const close = async (): Promise<void> => {
    await Promise.all([...children].map((child) => ended(child, () => child.kill('SIGKILL'))))
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const server = run(serverProgram, { database: join(folder, 'tokens.db') } satisfies ServerOptions)
    const { origin, token } = await next<ServerSays, 'ready'>(server, 'ready')
    const file = join(folder, 'token')
    await writeFile(file, token)
    const figures: Figures = { sent: 0, succeeded: 0, failed: [], errors: [], latencies: [], used: new Set() }
    const ask = (what: ServerAsk['ask']): void => void server.send({ ask: what })
    return {
      origin,
      file,
      figures,
      start: (how) => holderOf(run(holderProgram, { origin, file, ...how }), figures),
      async loseNextAnswer() {
        const held = next<ServerSays, 'held'>(server, 'held')
        ask('hold')
        await held
      },
      async line() {
        const told = next<ServerSays, 'line'>(server, 'line')
        ask('line')
        return (await told).line
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function holderOf(child: ChildProcess, figures: Figures): Holder {
  child.on('message', (message: HolderSays) => {
    if (message.says !== 'progress') return
    figures.sent += message.sent
    figures.succeeded += message.succeeded
    figures.failed.push(...message.failed)
    figures.errors.push(...message.errors)
    figures.latencies.push(...message.latencies)
    for (const id of message.used) figures.used.add(id)
  })
  return {
    says: async (what) => void (await next<HolderSays, typeof what>(child, what)),
    suspend: () => void child.kill('SIGSTOP'),
    wake: () => void child.kill('SIGCONT'),
    kill: () => ended(child, () => child.kill('SIGKILL')),
    stop: () => ended(child, () => child.send('stop')),
  }
}

/** Resolves with the next message of a kind; rejects if the process exits first. */
async function next<M extends { readonly says: string }, K extends M['says']>(
  child: ChildProcess,
  kind: K,
): Promise<Extract<M, { says: K }>> {
  return new Promise((resolve, reject) => {
    const hear = (message: M): void => {
      if (message.says !== kind) return
      child.off('message', hear)
      child.off('exit', end)
      resolve(message as Extract<M, { says: K }>)
    }
    const end = (code: number | null): void => reject(new Error(`the process ended with ${code} and never sent ${kind}`))
    child.on('message', hear)
    child.once('exit', end)
  })
}

async function ended(child: ChildProcess, act: () => unknown): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  act()
  await exit
}

/** Lists the invariants that do not hold at the end. */
export function complaints({ figures, line }: { readonly figures: Figures; readonly line: Line }): readonly string[] {
  return [
    ...figures.failed.slice(0, 5).map((failure) => `a request failed: ${failure}`),
    ...(figures.succeeded === figures.sent ? [] : [`${figures.sent - figures.succeeded} of ${figures.sent} requests did not succeed`]),
    ...line.faults,
  ]
}

/** Formats the figures on one line. */
export function tell(figures: Figures, line: Line, seconds: number): string {
  const sorted = figures.latencies.toSorted((a, b) => a - b)
  const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1)
  return [
    `${figures.sent} requests in ${seconds.toFixed(1)} s (${Math.round(figures.sent / seconds)} a second)`,
    `${figures.sent - figures.succeeded} failed`,
    `${line.tokens - 1} rotations, ${line.active} tokens active at the end`,
    `latency ${at(0.5)} ms median, ${at(0.99)} ms p99, ${at(1)} ms at most`,
    `answers to rotations ${JSON.stringify(line.rotations)}`,
    `errors reported: ${figures.errors.length}`,
  ].join('; ')
}

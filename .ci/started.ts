import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

export const root: string = fileURLToPath(new URL('..', import.meta.url))

/** A port that was free a moment ago. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port'))))
    })
  })

/** A running program: its output so far, and how it ends. */
export type Started = {
  /** Waits until the program's output matches. Fails if the program ends first, or if this takes too long. */
  says(pattern: RegExp): Promise<string>
  /** Waits for the program to end, and returns its exit code and all of its output. */
  ended(): Promise<{ readonly code: number | null; readonly output: string }>
  /** Sends SIGINT to the whole process group, as a terminal does on Ctrl-C. */
  interrupt(): void
  kill(): void
}

const PATIENCE_MS = 30_000

/** Starts a program in its own process group. */
export const start = (command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Started => {
  const child: ChildProcess = spawn(command, args, {
    cwd: root,
    detached: true,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const listeners = new Set<() => void>()
  const add = (text: Buffer): void => {
    output += text
    for (const listener of listeners) listener()
  }
  child.stdout?.on('data', add)
  child.stderr?.on('data', add)
  const end = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const signal = (name: NodeJS.Signals): void => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, name)
  }
  return {
    says(pattern) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`did not print ${pattern}:\n${output}`)), PATIENCE_MS)
        const look = (): void => {
          if (!pattern.test(output)) return
          clearTimeout(timer)
          listeners.delete(look)
          resolve(output)
        }
        listeners.add(look)
        look()
        end.then((code) => {
          clearTimeout(timer)
          reject(new Error(`ended with ${code} before it printed ${pattern}:\n${output}`))
        }, reject)
      })
    },
    async ended() {
      const timer = setTimeout(() => signal('SIGKILL'), PATIENCE_MS)
      const code = await end
      clearTimeout(timer)
      return { code, output }
    },
    interrupt: () => signal('SIGINT'),
    kill: () => signal('SIGKILL'),
  }
}

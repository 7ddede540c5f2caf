import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** What a finished command said. */
export type Finished = { readonly code: number; readonly output: string }

/** Runs a command to its end, both its outputs in one text. */
export const run = (command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<Finished> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (text) => {
      output += text
    })
    child.stderr.on('data', (text) => {
      output += text
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 1, output }))
  })

/** Runs a command that has to succeed. */
export const must = async (command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<string> => {
  const { code, output } = await run(command, args, cwd, env)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${output}`)
  return output
}

const TOKEN = /\b[a-z][a-z0-9_]*_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}\b/
const LISTENING = /^listening on (\d+)$/m
const START_MS = 20_000

/** A server program that has printed a token and listens. */
export type Running = { readonly token: string; readonly port: number; stop(): Promise<void> }

const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : new Promise((resolve) => child.once('exit', () => resolve()))

/** Ends a process that was started here in a group of its own, with what it started itself, as `npx` does. */
export const stop = async (child: ChildProcess): Promise<void> => {
  const signal = (name: NodeJS.Signals): void => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, name)
  }
  signal('SIGTERM')
  const timer = setTimeout(() => signal('SIGKILL'), 5_000)
  await ended(child)
  clearTimeout(timer)
}

/** Starts a server program as its reader would, except that its port is a free one, and waits for the token that it prints. */
export const serve = async (command: string, cwd: string): Promise<Running> => {
  const [program = '', ...args] = command.split(' ')
  const env = { ...process.env, NODE_OPTIONS: `--import=${pathToFileURL(join(cwd, 'free-port.mjs')).href}` }
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let output = ''
  const ready = new Promise<{ token: string; port: number }>((resolve, reject) => {
    const look = (text: Buffer): void => {
      output += text
      const [token] = TOKEN.exec(output) ?? []
      const port = LISTENING.exec(output)?.[1]
      if (token !== undefined && port !== undefined) resolve({ token, port: Number(port) })
    }
    child.stdout.on('data', look)
    child.stderr.on('data', look)
    child.once('exit', (code) => reject(new Error(`${command} ended with ${code}:\n${output}`)))
    setTimeout(() => reject(new Error(`${command} printed no token or did not listen:\n${output}`)), START_MS).unref()
  })
  try {
    return { ...(await ready), stop: () => stop(child) }
  } catch (error) {
    await stop(child)
    throw error
  }
}

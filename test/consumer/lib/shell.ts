import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The exit code and output of a finished command. */
export type Finished = { readonly code: number; readonly output: string }

/** Runs a command to completion and combines its standard output and error. */
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

/** Runs a command that must succeed. */
export const must = async (command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<string> => {
  const { code, output } = await run(command, args, cwd, env)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${output}`)
  return output
}

const TOKEN = /\b[a-z][a-z0-9_]*_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}\b/
const LISTENING = /^listening on (\d+)$/m
const START_MS = 60_000

/** A server program that has printed a token and is listening. */
export type Running = { readonly token: string; readonly port: number; stop(): Promise<void> }

const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : new Promise((resolve) => child.once('exit', () => resolve()))

/** Stops a process that was started here in its own process group, along with its children, such as those of `npx`. */
export const stop = async (child: ChildProcess): Promise<void> => {
  const signal = (name: NodeJS.Signals): void => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, name)
  }
  signal('SIGTERM')
  const timer = setTimeout(() => signal('SIGKILL'), 5_000)
  await ended(child)
  clearTimeout(timer)
}

/** Starts a server program as a reader would, but on a free port, and waits for the token it prints. */
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

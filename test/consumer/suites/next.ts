import { spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../../.ci/started.js'
import type { Suite } from '../lib/bench.js'
import { must, stop } from '../lib/shell.js'

const NEXT = 'node_modules/next/dist/bin/next'
const PATIENCE_MS = 60_000

const statusOf = async (url: string, init?: RequestInit): Promise<number> => {
  const response = await fetch(url, init)
  await response.arrayBuffer()
  return response.status
}

const listens = async (url: string, alive: () => boolean): Promise<void> => {
  const deadline = Date.now() + PATIENCE_MS
  while (alive() && Date.now() < deadline) {
    try {
      await statusOf(url)
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
  throw new Error('next start did not listen')
}

const serves = async (folder: string): Promise<void> => {
  const port = await freePort()
  const env = { ...process.env, TOKENS_DB: join(folder, 'tokens.db'), NEXT_TELEMETRY_DISABLED: '1' }
  const child = spawn(process.execPath, [NEXT, 'start', '-p', String(port)], { cwd: folder, env, stdio: 'ignore', detached: true })
  const url = `http://127.0.0.1:${port}/api`
  try {
    await listens(`${url}/stock`, () => child.exitCode === null)
    const made = await fetch(`${url}/tokens`, { method: 'POST' })
    if (made.status !== 200) throw new Error(`creating a token answered ${made.status}: ${await made.text()}`)
    const { token } = (await made.json()) as { readonly token: string }
    const headers = { authorization: `Bearer ${token}` }
    const got = [
      await statusOf(`${url}/stock`),
      await statusOf(`${url}/stock`, { headers }),
      await statusOf(`${url}/stock`, { headers, method: 'PUT' }),
    ]
    if (got.join() !== '401,200,403') throw new Error(`no token, the token, a scope that it lacks: ${got.join()}, not 401,200,403`)
  } finally {
    await stop(child)
  }
}

/** Next.js, which bundles the server's code too: route handlers over SQLite. */
export const next: Suite = {
  name: 'next',
  sample: false,
  async run(bench) {
    const packages = ['latchkey', 'next@16', 'react@19', 'react-dom@19', 'kysely@0.28', 'libsql']
    const folder = await bench.project({ name: 'next', packages, fixtures: ['next'] })
    for (const bundler of ['--turbopack', '--webpack']) {
      await bench.check(`Next.js guards a route handler over SQLite, built with ${bundler.slice(2)}`, async () => {
        await rm(join(folder, '.next'), { recursive: true, force: true })
        await must(process.execPath, [NEXT, 'build', bundler], folder, {
          NEXT_TELEMETRY_DISABLED: '1',
          TOKENS_DB: join(folder, 'tokens.db'),
        })
        await serves(folder)
      })
    }
  },
}

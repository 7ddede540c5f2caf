import { spawn } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { freePort } from '../../../.ci/started.js'
import type { Suite } from '../lib/bench.js'
import { namedBlocks } from '../lib/named-blocks.js'
import { must, stop } from '../lib/shell.js'

const blocks = namedBlocks(await readFile(new URL('../../../docs/frameworks/next.md', import.meta.url), 'utf8'))

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

/** Waits until a token is refused, because the instances of `proxy.ts` and of the handlers learn of a revocation from each other. */
const refuses = async (url: string, headers: Record<string, string>): Promise<void> => {
  const deadline = Date.now() + PATIENCE_MS
  while ((await statusOf(url, { headers })) !== 401) {
    if (Date.now() > deadline) throw new Error('a revoked token is still accepted')
  }
}

const serves = async (folder: string): Promise<void> => {
  const port = await freePort()
  const env = { ...process.env, TOKENS_DB: join(folder, 'tokens.db'), NEXT_TELEMETRY_DISABLED: '1' }
  const child = spawn(process.execPath, [NEXT, 'start', '-p', String(port)], { cwd: folder, env, stdio: 'ignore', detached: true })
  const url = `http://127.0.0.1:${port}`
  try {
    await listens(`${url}/api/forgotten`, () => child.exitCode === null)
    const made = await fetch(`${url}/new-token`, { method: 'POST' })
    if (made.status !== 200) throw new Error(`creating a token answered ${made.status}: ${await made.text()}`)
    const { token, record } = (await made.json()) as { readonly token: string; readonly record: { readonly id: string } }
    const headers = { authorization: `Bearer ${token}` }
    const admin = { 'x-user': 'ada', 'content-type': 'application/json' }
    const got = {
      'no token': await statusOf(`${url}/api/stock/7`),
      'the token': await statusOf(`${url}/api/stock/7`, { headers }),
      'a scope that it lacks': await statusOf(`${url}/api/stock/7`, { headers, method: 'PUT' }),
      'no token, and a handler without a guard': await statusOf(`${url}/api/forgotten`),
      'nobody, about tokens': await statusOf(`${url}/admin/tokens`),
      'an administrator, about tokens': await statusOf(`${url}/admin/tokens`, { headers: admin }),
      'an administrator, who revokes': await statusOf(`${url}/admin/tokens/${record.id}/revoke`, {
        headers: admin,
        method: 'POST',
        body: '{}',
      }),
    }
    if (Object.values(got).join() !== '401,200,403,401,401,200,200') throw new Error(JSON.stringify(got))
    await refuses(`${url}/api/stock/7`, headers)
  } finally {
    await stop(child)
  }
}

/** Next.js, which also bundles server code: builds and runs the application on its docs page. */
export const next: Suite = {
  name: 'next',
  sample: false,
  async run(bench) {
    const packages = ['latchkey', 'next@16', 'react@19', 'react-dom@19', 'kysely@0.28', 'libsql']
    const typed = ['typescript@~6.0', '@types/node@20', '@types/react@19']
    const folder = await bench.project({ name: 'next', packages: [...packages, ...typed], fixtures: ['next'] })
    for (const { file, text } of blocks) {
      await mkdir(dirname(join(folder, file)), { recursive: true })
      await writeFile(join(folder, file), text)
    }
    for (const bundler of ['--turbopack', '--webpack']) {
      await bench.check(`the application on the Next.js page guards its routes when built with ${bundler.slice(2)}`, async () => {
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

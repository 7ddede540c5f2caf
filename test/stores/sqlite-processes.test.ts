import { spawn } from 'node:child_process'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bundled } from '../support/bundle.js'
import { ownFolder } from './sql/databases.js'
import { event, token } from './sql/samples.js'

const CHILD = new URL('./sql/child.ts', import.meta.url)

type Child = { readonly ready: Promise<void>; readonly exit: Promise<number | string>; kill(): void }

const start = async (path: string, name: string, count: number): Promise<Child> => {
  const child = spawn(process.execPath, [await bundled(CHILD), path, name, String(count)], { stdio: ['ignore', 'pipe', 'inherit'] })
  return {
    ready: new Promise((resolve) => child.stdout.once('data', () => resolve())),
    exit: new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal ?? 'gone'))),
    kill: () => void child.kill('SIGKILL'),
  }
}

describe('a SQLite file that several processes share', () => {
  let folder: Awaited<ReturnType<typeof ownFolder>>
  const children: Child[] = []

  beforeEach(async () => {
    folder = await ownFolder()
  })
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill()
      await child.exit
    }
    await folder.remove()
  })

  it('sets up a shared SQLite file once when several processes start at the same time, and loses no commit', async () => {
    const path = folder.path('tokens.db')
    for (const name of ['a', 'b', 'c', 'd']) children.push(await start(path, name, 50))
    const store = sqliteStore({ path, busyTimeout: 20 })
    await store.migrate?.()
    expect(await Promise.all(children.map((child) => child.exit))).toEqual([0, 0, 0, 0])
    expect(await store.list({ prefix: 'acme', now: 0, limit: 1000 })).toHaveLength(200)
    const events = await store.events({ prefix: 'acme', limit: 1000 })
    expect(events).toHaveLength(200)
    const page = await store.changes('0', 1000)
    expect(new Set(page.ids).size).toBe(200)
    expect(page.cursor).toBe('400')
    await store.close?.()
  })

  it('keeps acknowledged changes, and leaves no lock behind, when a process is killed while it writes', async () => {
    const path = folder.path('tokens.db')
    const child = await start(path, 'k', 100_000)
    children.push(child)
    await child.ready
    const store = sqliteStore({ path, busyTimeout: 20 })
    await store.commit({ inserts: [token({ id: 'mine' })], events: [event()] })
    child.kill()
    await child.exit
    expect(await store.commit({ inserts: [token()], events: [event()] })).toEqual({ ok: true })
    expect(await store.find(['mine'])).toHaveLength(1)
    const tokens = await store.list({ prefix: 'acme', now: 0, limit: 1000 })
    const events = await store.events({ prefix: 'acme', limit: 1000 })
    expect(tokens.length).toBe(events.length)
    await store.close?.()
  })
})

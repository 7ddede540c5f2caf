import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Latchkey } from 'latchkey'
import { afterEach, describe, expect, it } from 'vitest'
import { ownDatabase, ownFolder, ownSchema } from '../stores/sql/databases.js'
import { newKeyPrefix, removeKeys, withRedis } from '../support/redis.js'
import { type ServiceName, service } from '../support/services.js'
import { openAt, type Place } from './crash/open.js'

const CHILD = fileURLToPath(new URL('./crash/child.ts', import.meta.url))
const PATIENCE_MS = 120_000

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function placeOf(kind: Place['kind'], url: string, path: string): Promise<Place> {
  if (kind === 'sqlite') return { kind, at: path, name: '' }
  if (kind === 'redis') {
    const name = newKeyPrefix()
    cleanups.push(() => withRedis(url, (client) => removeKeys(client, name)))
    return { kind, at: url, name }
  }
  const place = kind === 'postgres' ? await ownSchema(url) : await ownDatabase(url)
  cleanups.push(() => place.remove())
  return { kind, at: place.url, name: place.schema }
}

async function start(place: Place, file: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, JSON.stringify(place), file], { stdio: ['ignore', 'pipe', 'inherit'] })
  cleanups.push(() => kill(child))
  await once(child.stdout, 'data')
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

type Line = { readonly by: string; readonly id: string }

async function linesOf(file: string): Promise<readonly Line[]> {
  const text = await readFile(file, 'utf8')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [by = '', id = ''] = line.split(' ')
      return { by, id }
    })
}

async function linesWhen(file: string, enough: (lines: readonly Line[]) => boolean): Promise<readonly Line[]> {
  for (;;) {
    const lines = await linesOf(file)
    if (enough(lines)) return lines
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

async function trail(tokens: Latchkey): Promise<readonly string[]> {
  const ids: string[] = []
  let after: string | undefined
  do {
    const page = await tokens.system.events({ order: 'oldest', limit: 1000, after })
    ids.push(...page.items.map(({ id }) => id))
    after = page.nextCursor
  } while (after !== undefined)
  return ids
}

const KINDS: readonly Place['kind'][] = ['sqlite', 'postgres', 'mysql', 'redis']
const skips = new Map(
  await Promise.all(KINDS.map(async (kind) => [kind, kind === 'sqlite' ? undefined : await service(kind as ServiceName)] as const)),
)

describe('a consumer whose process is killed in the middle', () => {
  it.each(KINDS)(
    'misses no event in %s: another process goes on in order, and what comes again has the same id',
    async (kind) => {
      const answers = skips.get(kind)
      if (answers?.skip !== undefined) return
      const folder = await ownFolder()
      cleanups.push(() => folder.remove())
      const place = await placeOf(kind, answers?.url ?? '', folder.path('tokens.db'))
      const file = folder.path('seen')
      await writeFile(file, '')
      const tokens = openAt(place)
      cleanups.push(() => tokens.close())
      let writing = true
      const writer = (async () => {
        for (let turn = 0; turn < 2000 && writing; turn += 1) await tokens.system.create({ name: `Token ${turn}`, scopes: ['stock:read'] })
      })()
      const first = await start(place, file)
      await linesWhen(file, (lines) => lines.length >= 40)
      await kill(first)
      const second = await start(place, file)
      await linesWhen(file, (lines) => lines.some(({ by }) => by === String(second.pid)))
      writing = false
      await writer
      const expected = await trail(tokens)
      const lines = await linesWhen(file, (found) => new Set(found.map(({ id }) => id)).size >= expected.length)
      // Each in the order of the store, and the first sight of each event too.
      expect([...new Set(lines.map(({ id }) => id))]).toEqual(expected)
      for (const child of [first, second]) {
        const own = lines.filter(({ by }) => by === String(child.pid)).map(({ id }) => expected.indexOf(id))
        expect(own).toEqual(own.toSorted((a, b) => a - b))
        expect(new Set(own).size).toBe(own.length)
      }
      await kill(second)
    },
    PATIENCE_MS,
  )
})

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fewFiles, replaceFiles } from '../tools/few-files.js'

const BUILT = {
  'index.js':
    "import { next } from './state.js'; import { base } from './base.js'; export const use = async () => [next(), base, await (await import('./late.js')).late()]",
  'state.js': "import { one } from './one.js'; let count = 0; export const next = () => { count += one; return count }",
  'one.js': 'export const one = 1',
  'late.js': "import { next } from './state.js'; export const late = () => next()",
  'base.js': "import { deep } from './deep.js'; export const base = deep",
  'deep.js': "export const deep = 'base'",
  'client.js': "import { base } from './base.js'; export const holder = base",
  'client/node.js': "import { deep } from '../deep.js'; export const node = deep",
  'express.js': "import { next } from './state.js'; import { port } from './port.js'; export const express = () => [next(), port]",
  'koa.js': "import { port } from './port.js'; export const koa = port",
  'fastify.js': "import { port } from './port.js'; export const fastify = port",
  'hono.js': "import { port } from './port.js'; export const hono = port",
  'web.js': "import { port } from './port.js'; export const web = port",
  'port.js': "import { wall } from './wall.js'; export const port = wall",
  'stores/sqlite.js': "import { row } from '../row.js'; import { table } from '../table.js'; export const sqlite = [row, table]",
  'stores/postgres.js': "import { row } from '../row.js'; import { table } from '../table.js'; export const postgres = [row, table]",
  'stores/mysql.js': "import { row } from '../row.js'; import { table } from '../table.js'; export const mysql = [row, table]",
  'stores/memory.js': "import { row } from '../row.js'; export const memory = row",
  'row.js': "export const row = 'row'",
  'table.js': "export const table = () => import('./driver.js')",
  'driver.js': "export const driver = 'driver'",
  'wall.js': 'export const wall = 80',
} as const
const ENTRIES = [
  'index',
  'client',
  'client/node',
  'express',
  'koa',
  'fastify',
  'hono',
  'web',
  'stores/sqlite',
  'stores/postgres',
  'stores/mysql',
  'stores/memory',
]

describe('the files of a build', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'latchkey-files-'))
    for (const [name, code] of Object.entries({ ...BUILT, 'package.json': '{ "type": "module" }' })) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), code)
    }
    const built = new Map(ENTRIES.map((name) => [name, join(folder, `${name}.js`)]))
    await replaceFiles(folder, 'js', await fewFiles(built, 'js'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  /** The files that an import of an entry reads immediately, with their code. */
  async function readBy(name: string): Promise<ReadonlyMap<string, string>> {
    const read = new Map<string, string>()
    const visit = async (path: string): Promise<void> => {
      if (read.has(path)) return
      const code = await readFile(path, 'utf8')
      read.set(path, code)
      for (const [, imported = ''] of code.matchAll(/^(?:import|export) .*?"(\.[^"]+)";?$/gm)) await visit(join(dirname(path), imported))
    }
    await visit(join(folder, `${name}.js`))
    return read
  }

  it('the latchkey entry loads only one file that clients do not also load', async () => {
    const read = await readBy('index')
    expect([...read.keys()].map((path) => basename(path).replace(/-[\w-]{8}\.js$/, '')).sort()).toEqual(['core', 'holder', 'index.js'])
  })

  it('a client loads nothing from the core', async () => {
    for (const name of ['client', 'client/node']) {
      const code = [...(await readBy(name)).values()].join()
      expect(code).toContain('"base"')
      expect(code).not.toContain('count += ')
    }
  })

  it('all adapters share one file with their common code', async () => {
    const [one, other] = await Promise.all(['koa', 'web'].map(readBy))
    const shared = [...(one?.keys() ?? [])].filter((path) => other?.has(path))
    expect(shared).toEqual([expect.stringMatching(/\/http-[^/]+\.js$/)])
    expect(one?.size).toBe(2)
  })

  it('an entry contains no lazy import of another entry, because a bundler would need the packages of both entries', async () => {
    const code = [...(await readBy('stores/memory')).values()].join()
    expect(code).toContain('"row"')
    expect(code).not.toContain('import(')
    expect([...(await readBy('stores/mysql')).values()].join()).toContain('import(')
  })

  it('entries and modules that are loaded later share their state', async () => {
    const { use } = await import(join(folder, 'index.js'))
    const { express } = await import(join(folder, 'express.js'))
    expect(await use()).toEqual([1, 'base', 2])
    expect(express()).toEqual([3, 80])
  })

  it('a build removes the files of an earlier build', async () => {
    await expect(readFile(join(folder, 'state.js'))).rejects.toThrow('ENOENT')
  })
})

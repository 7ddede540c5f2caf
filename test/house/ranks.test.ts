import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { importsOf, PLACES, rankOf, violationsOf } from '../tools/ranks.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

const filesOf = async (folder: string): Promise<readonly string[]> =>
  (await readdir(`${root}/${folder}`, { recursive: true }))
    .filter((path) => /\.tsx?$/.test(path))
    .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)

const sources = await Promise.all(
  [...(await filesOf('src')), ...(await filesOf('adapters'))].map(async (path) => ({
    path,
    text: await readFile(`${root}/${path}`, 'utf8'),
  })),
)

describe('the layout', () => {
  it('every folder of the layout exists, so an empty scan cannot pass', () => {
    const places = new Set(sources.map(({ path }) => rankOf(path)))
    expect(places.size).toBe(PLACES.length)
  })

  it('each file imports only from its own layer, lower layers, and the packages allowed for its layer', () => {
    expect(sources.flatMap(({ path, text }) => violationsOf(path, text))).toEqual([])
  })

  it('every source file has at most 300 lines', () => {
    expect(sources.filter(({ text }) => text.split('\n').length > 301).map(({ path }) => path)).toEqual([])
  })

  it('every source file has only named exports', () => {
    expect(sources.filter(({ text }) => /^export default\b|^export \*/m.test(text)).map(({ path }) => path)).toEqual([])
  })
})

describe('the scan of imports', () => {
  it('the import scan finds every form of import', () => {
    const text = [
      `import { a } from './a.js'`,
      `import type { B } from './b.js'`,
      `export { c } from './c.js'`,
      `import './d.js'`,
      `const e = import('./e.js')`,
      `type F = import('./f.js').F`,
      `type G = typeof import('node:crypto')`,
    ].join('\n')
    expect(importsOf(text)).toEqual(['./a.js', './b.js', './c.js', './d.js', './e.js', './f.js'])
  })

  it.each([
    ['src/errors.ts', '../src/token/parse.js'],
    ['src/token/parse.ts', '../cache/entry.js'],
    ['src/policy/scope.ts', '../options.js'],
    ['src/verbs/create.ts', '../latchkey.js'],
    ['src/cache/entry.ts', '../http/problem.js'],
    ['src/cache/loader.ts', 'node:crypto'],
    ['src/latchkey.ts', './http/authenticate.js'],
    ['src/http/authenticate.ts', '../management/routes.js'],
    ['src/http/authenticate.ts', 'express'],
    ['src/http/authenticate.ts', 'node:http'],
    ['src/management/routes.ts', '../index.js'],
    ['src/management/routes.ts', 'kysely'],
    ['src/index.ts', '../adapters/frameworks/express.js'],
    ['src/verbs/create.ts', 'latchkey'],
    ['src/verbs/create.ts', '../errors.ts'],
    ['src/stray.ts', './errors.js'],
    ['adapters/frameworks/express.ts', 'koa'],
    ['adapters/frameworks/express.ts', 'latchkey'],
    ['adapters/frameworks/express.ts', '../../test/support/services.js'],
    ['adapters/stores/redis.ts', 'pg'],
  ])('the import scan does not allow %s to import %s', (path, specifier) => {
    expect(violationsOf(path, `import { thing } from '${specifier}'`)).toHaveLength(1)
  })

  it.each([
    ['src/token/digest.ts', '@noble/hashes/sha2.js'],
    ['src/http/authenticate.ts', '../latchkey.js'],
    ['src/management/routes.ts', 'hono/cors'],
    ['src/testing/http-contract.ts', 'node:net'],
    ['adapters/frameworks/express.ts', '../../src/http/authenticate.js'],
    ['adapters/stores/sqlite.ts', './sql/store.js'],
    ['adapters/stores/mysql.ts', 'mysql2/promise'],
  ])('the import scan allows %s to import %s', (path, specifier) => {
    expect(violationsOf(path, `import type { Thing } from '${specifier}'`)).toEqual([])
  })
})

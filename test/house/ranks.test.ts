import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { importsOf, rankOf, violationsOf } from '../tools/ranks.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

const filesOf = async (folder: string): Promise<readonly string[]> =>
  (await readdir(`${root}/${folder}`, { recursive: true }))
    .filter((path) => path.endsWith('.ts'))
    .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)

const sources = await Promise.all(
  [...(await filesOf('src')), ...(await filesOf('adapters'))].map(async (path) => ({
    path,
    text: await readFile(`${root}/${path}`, 'utf8'),
  })),
)

describe('the layout', () => {
  it('has every layer on disk, so that an empty scan cannot pass', () => {
    const ranks = new Set(sources.map(({ path }) => rankOf(path)))
    expect([...ranks].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  it.each(sources)('$path imports its own rank or lower, and only the packages of its place', ({ path, text }) => {
    expect(violationsOf(path, text)).toEqual([])
  })

  it.each(sources)('$path stays under 300 lines', ({ text }) => {
    expect(text.split('\n').length).toBeLessThanOrEqual(301)
  })

  it.each(sources)('$path has named exports only', ({ text }) => {
    expect(text).not.toMatch(/^export default\b|^export \*/m)
  })
})

describe('the scan of imports', () => {
  it('sees every form of import', () => {
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
    ['src/token/parse.ts', '../records/entry.js'],
    ['src/policy/scope.ts', '../options.js'],
    ['src/operations/create.ts', '../latchkey.js'],
    ['src/records/entry.ts', '../http/problem.js'],
    ['src/cache/loader.ts', 'node:crypto'],
    ['src/latchkey.ts', './http/authenticate.js'],
    ['src/http/authenticate.ts', '../management/routes.js'],
    ['src/http/authenticate.ts', 'express'],
    ['src/http/authenticate.ts', 'node:http'],
    ['src/management/routes.ts', '../index.js'],
    ['src/management/routes.ts', 'kysely'],
    ['src/index.ts', '../adapters/express.js'],
    ['src/operations/create.ts', 'latchkey'],
    ['src/operations/create.ts', '../errors.ts'],
    ['src/stray.ts', './errors.js'],
    ['adapters/express.ts', 'koa'],
    ['adapters/express.ts', 'latchkey'],
    ['adapters/express.ts', '../test/support/services.js'],
    ['adapters/stores/redis.ts', 'pg'],
  ])('refuses that %s imports %s', (path, specifier) => {
    expect(violationsOf(path, `import { thing } from '${specifier}'`)).toHaveLength(1)
  })

  it.each([
    ['src/token/digest.ts', '@noble/hashes/sha2.js'],
    ['src/http/authenticate.ts', '../latchkey.js'],
    ['src/management/routes.ts', 'hono/cors'],
    ['src/testing/http-contract.ts', 'node:net'],
    ['adapters/express.ts', '../src/http/authenticate.js'],
    ['adapters/stores/sqlite.ts', './sql/store.js'],
    ['adapters/stores/mysql.ts', 'mysql2/promise'],
  ])('allows that %s imports %s', (path, specifier) => {
    expect(violationsOf(path, `import type { Thing } from '${specifier}'`)).toEqual([])
  })
})

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { memoryStore } from 'latchkey/stores/memory'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Built, buildStart, loadedBy } from '../bench/start/build.js'
import { instance, mint, SCOPES } from './harness.js'

const STORES = ['memory', 'sqlite', 'postgres', 'mysql', 'redis']
const FRAMEWORKS = ['express', 'fastify', 'koa', 'hono', 'web']

// Every new node, Lambda and test process pays for eager imports.
describe('modules loaded by an import', () => {
  const cache = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url))
  let folder = ''
  let built: Built

  beforeAll(async () => {
    mkdirSync(cache, { recursive: true })
    folder = mkdtempSync(join(cache, 'latchkey-start-'))
    built = await buildStart(folder)
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('importing latchkey loads neither the verbs nor their input schemas', () => {
    const { packages, sources } = loadedBy(built, 'index')
    expect(packages).toEqual([])
    expect(sources.filter((path) => /management|dashboard|verbs\/(?:create|rotate|list|retain|notify)\.ts/.test(path))).toEqual([])
    expect(sources.length).toBeLessThan(185)
  })

  it.each([...STORES, ...FRAMEWORKS])('importing %s loads no input schema, no API route and no driver', (entry) => {
    const { packages, sources } = loadedBy(built, 'index', entry)
    // The framework itself is loaded anyway.
    expect(packages.filter((name) => !name.startsWith('hono'))).toEqual([])
    expect(sources.filter((path) => /management\/(?:app|routes)|dashboard\/index/.test(path))).toEqual([])
  })

  it.each(['index', ...STORES, ...FRAMEWORKS])(
    'importing %s formats no numbers, which would make the engine load locale data',
    async (entry) => {
      const refuse = 'Number.prototype.toLocaleString = () => { throw new Error("written at the start") }'
      const script = `${refuse}; await import('./${entry}.mjs')`
      await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: folder })
    },
  )

  it('warm verifications load no schema module, and the first verb does', async () => {
    const store = memoryStore()
    const { token, record } = await mint(instance({ store }))
    const [stored] = await store.find([record.id])
    const file = join(folder, 'child.mjs')
    writeFileSync(
      file,
      `import { register } from 'node:module'
      import { MessageChannel } from 'node:worker_threads'
      const { port1, port2 } = new MessageChannel()
      const loaded = []
      port1.on('message', (url) => loaded.push(url)).unref()
      const hook = 'let port; export const initialize = (data) => { port = data }; export const load = (url, context, next) => { port.postMessage(url); return next(url, context) }'
      register('data:text/javascript,' + encodeURIComponent(hook), { data: port2, transferList: [port2] })
      // Reports about a module arrive in order, but later.
      const schemas = async (mark) => {
        await import('data:text/javascript,//' + mark)
        while (!loaded.some((url) => url.endsWith(mark))) await new Promise((resolve) => setImmediate(resolve))
        return loaded.filter((url) => url.includes('/zod/')).length
      }
      const { latchkey } = await import('./index.mjs')
      const { memoryStore } = await import('./memory.mjs')
      const store = { ...memoryStore(), find: async () => [${JSON.stringify(stored)}] }
      const tokens = latchkey({ prefix: 'acme_test', store, scopes: ${JSON.stringify(SCOPES)} })
      const verified = [await tokens.verify(${JSON.stringify(token)}), await tokens.verify(${JSON.stringify(token)})].map(({ ok }) => ok)
      const warm = await schemas('warm')
      await tokens.system.list()
      console.log(JSON.stringify({ verified, modules: loaded.length > 5, warm, verb: (await schemas('verb')) > 0 }))
      await tokens.close()`,
    )
    const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', file])
    expect(JSON.parse(stdout)).toEqual({ verified: [true, true], modules: true, warm: 0, verb: true })
  })
})

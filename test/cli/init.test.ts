import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import Fastify, { type FastifyPluginAsync } from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import type { Latchkey } from 'latchkey'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FRAMEWORKS, type Framework, STORES } from '../../src/cli/lib/templates.js'
import { bundle } from '../support/bundle.js'
import { openShell, type Shell } from './support.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

let shell: Shell
let servers: Server[] = []
beforeEach(async () => {
  shell = await openShell()
  shell.remove('latchkey.config.mjs')
})
afterEach(async () => {
  for (const server of servers) server.close()
  servers = []
  await shell.close()
})

const project = (manifest: object): string => shell.write('package.json', JSON.stringify({ name: '@acme/shop-api', ...manifest }))
const files = (): readonly string[] => readdirSync(shell.folder).filter((name) => name.startsWith('latchkey.'))

/** The listener of an application that mounts the route as the comment in its module describes. */
const MOUNTED: { readonly [Name in Framework]: (api: never) => Promise<Parameters<typeof createServer>[1]> } = {
  express: async (api) => express().use('/api', api),
  koa: async (api: { routes(): Koa.Middleware }) => new Koa().use(api.routes()).callback(),
  hono: async (api: Hono) => getRequestListener(new Hono().route('/api', api).fetch),
  fastify: async (api: FastifyPluginAsync) => {
    const app = Fastify()
    await app.register(api, { prefix: '/api' })
    await app.ready()
    return (req, res) => app.routing(req, res)
  },
}

describe('init', () => {
  it.each(FRAMEWORKS)('init writes a route for %s that accepts only requests with a token', async (framework) => {
    project({ dependencies: { [framework]: '*' } })
    expect((await shell.run('init')).code).toBe(0)
    expect(files()).toEqual(['latchkey.config.mjs', 'latchkey.routes.mjs'])
    const routes = join(shell.folder, 'latchkey.routes.mjs')
    // The store's path is relative to the application's working directory.
    const config = join(shell.folder, 'latchkey.config.mjs')
    writeFileSync(config, readFileSync(config, 'utf8').replace("'tokens.db'", JSON.stringify(join(shell.folder, 'made.db'))))
    const built = await bundle(pathToFileURL(routes), join(ROOT, 'node_modules/.cache/latchkey', framework), {
      config: pathToFileURL(config),
    })
    const { api } = await import(pathToFileURL(built).href)
    const { tokens }: { tokens: Latchkey } = await import(new URL('config.mjs', pathToFileURL(built)).href)
    const server = createServer(await MOUNTED[framework](api as never)).listen(0)
    servers.push(server)
    await new Promise((done) => server.once('listening', done))
    const { port } = server.address() as { port: number }
    const { token } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })
    const { token: weak } = await tokens.system.create({ name: 'weak', scopes: ['inventory:write'] })
    const ask = async (token?: string) => {
      const answer = await fetch(
        `http://127.0.0.1:${port}/api/stock`,
        token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
      )
      return [answer.status, answer.status === 200 ? await answer.json() : undefined]
    }
    expect([await ask(), await ask(weak), await ask(token)]).toEqual([
      [401, undefined],
      [403, undefined],
      [200, { caller: 'ERP' }],
    ])
    await tokens.close()
  })

  // `tsc -p test/types` compiles the files that this test compares with.
  it.each([
    ...FRAMEWORKS.map((framework) => [framework, 'sqlite'] as const),
    ...Object.keys(STORES).map((store) => ['express', store] as const),
  ])('init writes the TypeScript in test/types/init for %s on %s', async (framework, store) => {
    project({ devDependencies: { typescript: '*' } })
    const { code, stdout, stderr } = await shell.run('init', '--framework', framework, '--store', store, '--prefix', 'acme_test', '--json')
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ files: ['latchkey.config.ts', 'latchkey.routes.ts'], framework, store, prefix: 'acme_test' })
    for (const file of files()) {
      const written = readFileSync(join(shell.folder, file), 'utf8')
      await expect(written).toMatchFileSnapshot(join(ROOT, 'test/types/init', `${framework}-${store}`, file))
    }
  })

  it('init derives the store, the prefix and the language from the project and lists what to install', async () => {
    project({ dependencies: { express: '5', pg: '8', latchkey: '1' }, devDependencies: { typescript: '6', jiti: '2' } })
    const { code, stdout } = await shell.run('init', '--json')
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      {
        files: ['latchkey.config.ts', 'latchkey.routes.ts'],
        framework: 'express',
        store: 'postgres',
        prefix: 'shop_api_live',
        install: ['kysely'],
      },
    ])
  })

  // As left by `npm install` in an empty folder.
  it('init uses a default prefix for a project without a name', async () => {
    shell.write('package.json', JSON.stringify({ dependencies: { latchkey: '1' } }))
    expect(JSON.parse((await shell.run('init', '--json')).stdout)).toMatchObject({ prefix: 'app_live' })
  })

  it('init overwrites nothing', async () => {
    project({ dependencies: { hono: '4' } })
    const kept = shell.write('latchkey.routes.mjs', 'mine')
    expect(await shell.run('init')).toMatchObject({
      code: 1,
      stderr: 'latchkey: latchkey.routes.mjs already exists; nothing was written\n',
    })
    expect([files(), readFileSync(kept, 'utf8')]).toEqual([['latchkey.routes.mjs'], 'mine'])
  })

  it('init writes only the configuration for an unsupported framework, and nothing without a package.json', async () => {
    expect(await shell.run('init')).toMatchObject({ code: 1, stderr: expect.stringContaining('package.json cannot be read') })
    project({ name: '日本', dependencies: { '@nestjs/core': '12' } })
    const { code, stderr } = await shell.run('init')
    expect([code, stderr]).toEqual([0, expect.stringContaining('No route was written: see node_modules/latchkey/docs/frameworks/nest.md')])
    expect(readFileSync(join(shell.folder, 'latchkey.config.mjs'), 'utf8')).toContain("prefix: 'app_live'")
  })

  it.each([
    ['@nestjs/core', 'nest'],
    ['next', 'next'],
  ])('init names the docs page for the routes of %s', async (name, page) => {
    project({ dependencies: { [name]: '16' } })
    expect(await shell.run('init')).toMatchObject({ code: 0, stderr: expect.stringContaining(`docs/frameworks/${page}.md`) })
    expect(readFileSync(new URL(`../../docs/frameworks/${page}.md`, import.meta.url), 'utf8')).toContain("from 'latchkey/")
  })

  it("init re-exports the application's existing instance", async () => {
    project({ dependencies: { express: '5', latchkey: '1' } })
    shell.write('src/tokens.js', "import { latchkey } from 'latchkey'\nexport const tokens = latchkey({})\n")
    const { code, stdout } = await shell.run('init', '--json')
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { framework: 'express', instance: './src/tokens.js', install: [] }])
    expect(readFileSync(join(shell.folder, 'latchkey.config.mjs'), 'utf8')).toBe("export { tokens } from './src/tokens.js'\n")
  })

  it('init rejects an invalid prefix', async () => {
    project({})
    expect((await shell.run('init', '--prefix', "x', evil: '")).code).toBe(2)
    expect(files()).toEqual([])
  })
})

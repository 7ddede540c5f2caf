import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
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

  it.each([
    ['src/server.js', 'mjs'],
    ['eslint.config.js', 'ts'],
    ['src/server.ts', 'ts'],
  ])('init in a project with the package typescript, no tsconfig.json and the file %s writes .%s files', async (file, ending) => {
    mkdirSync(join(shell.folder, 'src'))
    shell.write(file, '')
    project({ dependencies: { express: '5' }, devDependencies: { typescript: '6' } })
    expect(JSON.parse((await shell.run('init', '--json')).stdout)).toMatchObject({
      files: [`latchkey.config.${ending}`, `latchkey.routes.${ending}`],
    })
  })

  it('init says how to install what the server needs, and what only the command line needs', async () => {
    shell.write('tokens.ts', "import { latchkey } from 'latchkey'\nexport const tokens = latchkey({ prefix: 'acme_live' })")
    project({ dependencies: { koa: '3' }, devDependencies: { typescript: '6' } })
    const { stderr } = await shell.run('init')
    expect(stderr).toContain('\nNext: npm install latchkey @koa/router && npm install --save-dev jiti\n')
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

  const QUICK_START = (() => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
    return /Save this as `server\.js`:\s+```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  })()

  it("init next to the README's quick start writes nothing, and says where to move the instance", async () => {
    project({ dependencies: { express: '5', latchkey: '1' } })
    shell.write('server.js', QUICK_START)
    for (const json of [[], ['--json']]) {
      const { code, stdout, stderr } = await shell.run('init', ...json)
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(
        /^latchkey: server\.js creates an instance but does not export it, [^\n]+ into tokens\.js, [^\n]+ Nothing was written\n$/,
      )
    }
    expect(files()).toEqual([])
    // As the message says.
    const [instance = ''] = /^const tokens = [\s\S]*?^\}\)\n/m.exec(QUICK_START) ?? []
    shell.write('tokens.js', `import { latchkey } from 'latchkey'\n\nexport ${instance}`)
    shell.write(
      'server.js',
      QUICK_START.replace(instance, '').replace("import { latchkey } from 'latchkey'", "import { tokens } from './tokens.js'"),
    )
    expect(JSON.parse((await shell.run('init', '--json')).stdout)).toMatchObject({ instance: './tokens.js' })
  })

  it('init writes a separate instance only if a prefix or a store is named, and says so', async () => {
    project({ dependencies: { express: '5', latchkey: '1' } })
    shell.write('server.js', QUICK_START)
    const { code, stdout, stderr } = await shell.run('init', '--prefix', 'other_live', '--json')
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { prefix: 'other_live', others: ['server.js'] }])
    expect(stderr).toBe('Note: this is a separate instance. Unless its prefix and store match, server.js will refuse its tokens.\n')
  })

  it.each([
    ['src/server.ts', "import { latchkey } from 'latchkey'\nconst t = latchkey<S>({})\n", 'does not export it, ', 'src/tokens.ts'],
    [
      'app.mjs',
      "import { latchkey } from 'latchkey'\nexport const tokens = latchkey({})\napp.listen(3000)\n",
      'starts a server',
      'tokens.mjs',
    ],
    ['app.cjs', "const { latchkey } = require('latchkey')\nconst tokens = latchkey({})\n", 'does not export it, ', 'tokens.cjs'],
  ])('init writes nothing if it cannot import the instance in %s', async (file, text, why, own) => {
    project({})
    shell.write(file, text)
    const { code, stderr } = await shell.run('init')
    expect([code, files()]).toEqual([1, []])
    for (const part of [`${file} creates an instance but `, why, `into ${own}, `]) expect(stderr).toContain(part)
  })

  it.each([
    ['src/auth/index.ts', 'export const auth = latchkey({})', "{ auth as tokens } from './src/auth/index.js'"],
    ['keys.mjs', 'const tokens = latchkey({})\nexport { tokens }', "{ tokens } from './keys.mjs'"],
    ['keys.js', 'export default latchkey({})', "{ default as tokens } from './keys.js'"],
    ['keys.js', 'const tokens: Latchkey = latchkey({})\nexport default tokens', "{ default as tokens } from './keys.js'"],
    ['keys.js', 'const tokens = latchkey({})\nexport { other, tokens as auth }', "{ auth as tokens } from './keys.js'"],
    ['lib/tokens.ts', 'function make() { return latchkey({}) }\nexport const tokens = make()', "{ tokens } from './lib/tokens.js'"],
  ])('init re-exports the instance in %s: %s', async (file, text, exported) => {
    project({})
    shell.write(file, `import { latchkey } from 'latchkey'\n${text}\n`)
    expect(await shell.run('init')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('latchkey.config.mjs re-exports the instance in ./'),
    })
    expect(readFileSync(join(shell.folder, 'latchkey.config.mjs'), 'utf8')).toBe(`export ${exported}\n`)
  })

  const REQUIRED = "const { latchkey } = require('latchkey')\n"
  it.each([
    ['src/tokens.js', `${REQUIRED}const tokens = latchkey({})\nmodule.exports = { tokens }`, '.tokens'],
    ['keys.cjs', `${REQUIRED}const tokens = latchkey({})\nmodule.exports = { redact, tokens }`, '.tokens'],
    ['keys.js', `${REQUIRED}const tokens = latchkey({})\nmodule.exports = { auth: tokens, tokens: other }`, '.auth'],
    ['keys.js', `${REQUIRED}const auth = latchkey({})\nmodule.exports = auth`, ''],
    ['keys.js', `${REQUIRED}const t = latchkey({})\nexports.auth = t`, '.auth'],
    ['keys.js', `${REQUIRED}exports.tokens = latchkey({})`, '.tokens'],
    ['keys.js', `${REQUIRED}exports.auth = latchkey({})`, '.auth'],
    ['keys.js', `${REQUIRED}module.exports = { tokens: latchkey({}) }`, '.tokens'],
    ['keys.js', `${REQUIRED}module.exports = {\n  limits: { a: 1 },\n  'auth': latchkey({}),\n}`, '.auth'],
    ['keys.js', `${REQUIRED}module.exports.auth = latchkey({})`, '.auth'],
    ['keys.js', `${REQUIRED}module.exports = latchkey({})`, ''],
    ['keys.js', `${REQUIRED}const make = () => latchkey({})\nmodule.exports = { tokens: make() }`, '.tokens'],
    ['keys.js', "const lib = require('latchkey')\nexports.tokens = lib.latchkey({})", '.tokens'],
    ['keys.js', "module.exports.tokens = require('latchkey').latchkey({})", '.tokens'],
  ])('init requires the instance of the CommonJS module %s: %s', async (file, text, property) => {
    project({ dependencies: { koa: '3' } })
    shell.write(file, `${text}\n`)
    expect(await shell.run('init')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`latchkey.config.cjs re-exports the instance in ./${file}`),
    })
    expect(files()).toEqual(['latchkey.config.cjs', 'latchkey.routes.cjs'])
    expect(readFileSync(join(shell.folder, 'latchkey.config.cjs'), 'utf8')).toBe(
      `module.exports = { tokens: require('./${file}')${property} }\n`,
    )
  })

  it.each([
    [
      'src/tokens.js',
      'Object.assign(exports, { tokens: latchkey({}) })',
      "latchkey.config.cjs, such as module.exports = { tokens: require('./src/tokens.js').tokens };",
    ],
    ['src/tokens.js', 'const tokens = latchkey({})\nmodule.exports = { id: tokens.id, make(tokens) {} }', 'latchkey.config.cjs, such as'],
  ])('init says how to write the configuration by hand if it does not recognize the export in %s: %s', async (file, text, how) => {
    project({})
    shell.write(file, `${REQUIRED}${text}\n`)
    const { code, stderr } = await shell.run('init')
    expect([code, files()]).toEqual([1, []])
    expect(stderr).toContain(`if it does export it, write ${how}`)
  })

  it('init does not write a configuration that would take precedence over an existing one', async () => {
    project({})
    shell.write('latchkey.config.cjs', 'mine')
    expect(await shell.run('init')).toMatchObject({
      code: 1,
      stderr: 'latchkey: latchkey.config.cjs already exists; nothing was written\n',
    })
    expect(files()).toEqual(['latchkey.config.cjs'])
  })

  it('init asks which instance to use if several modules export one, and prefers tokens', async () => {
    project({})
    for (const name of ['a', 'b']) shell.write(`${name}.js`, "import { latchkey } from 'latchkey'\nexport const tokens = latchkey({})\n")
    expect(await shell.run('init')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        "a.js and b.js each export an instance: write latchkey.config.mjs with the one that you want to use, such as export { tokens } from './a.js'",
      ),
    })
    shell.write('tokens.js', "import { latchkey } from 'latchkey'\nexport const tokens = latchkey({})\n")
    expect(JSON.parse((await shell.run('init', '--json')).stdout)).toMatchObject({ instance: './tokens.js' })
  })

  it('init ignores tests, built files, comments and modules that only use an instance', async () => {
    project({})
    const call = "import { latchkey } from 'latchkey'\nconst tokens = latchkey({})\n"
    for (const file of ['test/a.js', 'dist/a.js', 'node_modules/x/a.js', 'src/a.test.ts']) shell.write(file, call)
    shell.write('notes.js', "// const tokens = latchkey({}) from 'latchkey'\nimport { redact } from 'latchkey'\n")
    shell.write('use.js', "import { authenticate } from 'latchkey/express'\n")
    expect(JSON.parse((await shell.run('init', '--json')).stdout)).toMatchObject({ prefix: 'shop_api_live' })
  })

  it('init rejects an invalid prefix', async () => {
    project({})
    expect((await shell.run('init', '--prefix', "x', evil: '")).code).toBe(2)
    expect(files()).toEqual([])
  })
})

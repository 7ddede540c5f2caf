import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transformSync } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { FRAMEWORKS, type Framework } from '../../src/cli/lib/templates.js'
import { bundle } from '../support/bundle.js'
import { execute, openShell, type Shell } from './support.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const source = (path: string): URL => new URL(`../../${path}.ts`, import.meta.url)

let shell: Shell
beforeAll(async () => {
  shell = await openShell()
  await installPackage()
})
afterAll(() => shell.close())

/** Installs the package with its two builds, which do not trust each other. */
async function installPackage(): Promise<void> {
  const entries = {
    sqlite: 'adapters/stores/sqlite',
    ...Object.fromEntries(FRAMEWORKS.map((name) => [name, `adapters/frameworks/${name}`])),
  }
  const beside = Object.fromEntries(Object.entries(entries).map(([name, path]) => [name, source(path)]))
  const built = dirname(await bundle(source('src/index'), undefined, beside))
  for (const file of readdirSync(built)) {
    const { code } = transformSync(readFileSync(join(built, file), 'utf8'), { format: 'cjs', platform: 'node', logLevel: 'error' })
    writeFileSync(join(built, file.replace(/\.mjs$/, '.cjs')), code.replace(/\.mjs"\)/g, '.cjs")'))
  }
  const both = (name: string): object => ({ import: `./${name}.mjs`, require: `./${name}.cjs` })
  const exported = {
    '.': both('index'),
    './stores/sqlite': both('sqlite'),
    ...Object.fromEntries(FRAMEWORKS.map((name) => [`./${name}`, both(name)])),
  }
  writeFileSync(join(built, 'package.json'), JSON.stringify({ name: 'latchkey', exports: exported }))
  mkdirSync(join(shell.folder, 'node_modules', '@koa'), { recursive: true })
  symlinkSync(built, join(shell.folder, 'node_modules/latchkey'))
  for (const name of [...FRAMEWORKS, '@koa/router', '@hono']) {
    const place = join(shell.folder, 'node_modules', name)
    symlinkSync(join(ROOT, 'node_modules', name), place)
  }
}

/** The application mounts the route as the comment in its module describes. */
const MOUNTED: { readonly [Name in Framework]: string } = {
  express: "const handle = require('express')().use('/api', api)",
  koa: "const Koa = require('koa'); const handle = new Koa().use(api.routes()).callback()",
  hono: "const { Hono } = require('hono'); const handle = require('@hono/node-server').getRequestListener(new Hono().route('/api', api).fetch)",
  fastify: `const app = require('fastify')(); app.register(api, { prefix: '/api' })
const handle = async (req, res) => { await app.ready(); app.routing(req, res) }`,
}

const appOf = (framework: Framework): string => `const { api } = require('./latchkey.routes.cjs')
const { tokens } = require('./src/tokens.js')
${MOUNTED[framework]}
const server = require('node:http').createServer(handle).listen(0, async () => {
  const { token } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })
  const { token: weak } = await tokens.system.create({ name: 'weak', scopes: ['inventory:write'] })
  const got = []
  for (const authorization of [undefined, 'Bearer ' + weak, 'Bearer ' + token]) {
    const url = 'http://127.0.0.1:' + server.address().port + '/api/stock'
    const answer = await fetch(url, authorization && { headers: { authorization } })
    got.push(answer.status === 200 ? await answer.json() : answer.status)
  }
  console.log(JSON.stringify(got))
  process.exit()
})
`

it.each(FRAMEWORKS)(
  'the route that init writes for a CommonJS application on %s can be mounted next to its instance',
  async (framework) => {
    for (const name of readdirSync(shell.folder).filter((name) => name.startsWith('latchkey.'))) shell.remove(name)
    shell.write('package.json', JSON.stringify({ name: 'shop', type: 'commonjs', dependencies: { [framework]: '*' } }))
    shell.write(
      'src/tokens.js',
      `const { latchkey } = require('latchkey')
const { sqliteStore } = require('latchkey/stores/sqlite')

const tokens = latchkey({ prefix: 'acme_live', store: sqliteStore('$folder/tokens.db'), scopes: { 'inventory:read': '', 'inventory:write': '' } })
module.exports = { tokens }
`,
    )
    const made = await shell.run('init', '--json')
    expect(made.code, made.stderr).toBe(0)
    expect(JSON.parse(made.stdout)).toMatchObject({ files: ['latchkey.config.cjs', 'latchkey.routes.cjs'], instance: './src/tokens.js' })
    const app = basename(shell.write('app.js', appOf(framework)))
    const { stdout, stderr } = await execute(process.execPath, [app], shell.folder)
    expect(stdout, stderr).toBe('[401,403,{"caller":"ERP"}]\n')
    const listed = await shell.run('list', '--name', 'ERP', '--json')
    expect(listed.code, listed.stderr).toBe(0)
    expect(JSON.parse(listed.stdout).items.length).toBeGreaterThan(0)
  },
)

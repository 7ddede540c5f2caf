/** The frameworks for which `init` can write a guarded route. */
export const FRAMEWORKS = ['express', 'fastify', 'koa', 'hono'] as const
export type Framework = (typeof FRAMEWORKS)[number]

/** The stores that `init` can configure, with the packages that each needs. */
export const STORES = {
  sqlite: { call: "sqliteStore('tokens.db')", packages: ['kysely', 'libsql'] },
  postgres: { call: 'postgresStore({ url: process.env.DATABASE_URL })', packages: ['kysely', 'pg'] },
  mysql: { call: 'mysqlStore({ url: process.env.DATABASE_URL })', packages: ['kysely', 'mysql2'] },
  redis: { call: "redisStore({ url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' })", packages: ['ioredis'] },
} as const
export type StoreName = keyof typeof STORES

/** Returns the text of a `latchkey.config` for an application that has an instance. */
export function reexportText(module: string, exported: string, commonJs?: boolean): string {
  if (commonJs) return `module.exports = { tokens: require('${module}')${exported === 'default' ? '' : `.${exported}`} }\n`
  return `export { ${exported === 'tokens' ? '' : `${exported} as `}tokens } from '${module}'\n`
}

/** Returns the text of `latchkey.config`. */
export function configText(store: StoreName, prefix: string): string {
  return `import { latchkey } from 'latchkey'
import { ${store}Store } from 'latchkey/stores/${store}'

export const tokens = latchkey({
  prefix: '${prefix}',
  store: ${STORES[store].call},
  scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' },
})
`
}

type Route = { readonly imports: string; readonly body: string }

/** `typed` marks text that only TypeScript files contain. */
const ROUTES: { readonly [Name in Framework]: (typed: (text: string) => string) => Route } = {
  express: () => ({
    imports: "import express from 'express'",
    body: `// Mount it in your application: app.use('/api', api)
export const api = express.Router()
api.use(authenticate(tokens))
api.get('/stock', requireScopes('inventory:read'), (req, res) => {
  res.json({ caller: req.principal?.name })
})`,
  }),
  fastify: (typed) => ({
    imports: typed("import type { FastifyInstance } from 'fastify'"),
    body: `// Register it in your application: await app.register(api, { prefix: '/api' })
export async function api(app${typed(': FastifyInstance')})${typed(': Promise<void>')} {
  await app.register(authenticate, { tokens })
  app.get('/stock', { onRequest: requireScopes('inventory:read') }, async (request) => ({ caller: request.principal?.name }))
}`,
  }),
  koa: () => ({
    imports: "import Router from '@koa/router'",
    body: `// Use it in your application: app.use(api.routes())
export const api = new Router()
api.use(authenticate(tokens))
api.get('/api/stock', requireScopes('inventory:read'), (ctx) => {
  ctx.body = { caller: ctx.state.principal?.name }
})`,
  }),
  hono: () => ({
    imports: "import { Hono } from 'hono'",
    body: `// Mount it in your application: app.route('/api', api)
export const api = new Hono()
api.use(authenticate(tokens))
api.get('/stock', requireScopes('inventory:read'), (c) => c.json({ caller: c.var.principal?.name }))`,
  }),
}

/** The endings of the files that are written: TypeScript, an ES module, or CommonJS. */
export type Ending = 'ts' | 'mjs' | 'cjs'

/** Returns the text of a module with one guarded route. */
export function routeText(framework: Framework, ending: Ending): string {
  const { imports, body } = ROUTES[framework]((text) => (ending === 'ts' ? text : ''))
  const lines = [
    imports,
    `import { authenticate, requireScopes } from 'latchkey/${framework}'`,
    `import { tokens } from './latchkey.config.${ending === 'ts' ? 'js' : ending}'`,
  ]
  const text = `${lines.filter((line) => line !== '').join('\n')}\n\n${body}\n`
  return ending === 'cjs' ? asCommonJs(text) : text
}

/** The module has to load latchkey as the module of its instance does, because the two builds of the package do not trust each other. */
function asCommonJs(text: string): string {
  const required = text.replace(/^import (.+) from ('.+')$/gm, 'const $1 = require($2)').replace(/^export /gm, '')
  return `${required}\nmodule.exports = { api }\n`
}

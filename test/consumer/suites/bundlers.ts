import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import pg from 'pg'
import { withRedis } from '../../support/redis.js'
import { service } from '../../support/services.js'
import { type Bench, install, type Suite } from '../lib/bench.js'
import { must } from '../lib/shell.js'

// With ES modules as the target, bundled CommonJS code still calls `require`.
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"
const ESBUILD = ['--bundle', '--platform=node', '--log-level=warning', '--external:pg-native']

/** The drivers that bundlers can bundle. SQLite drivers are native and stay outside every bundle. */
const DRIVERS = ['pg', 'mysql2', 'ioredis']

type Servers = { readonly POSTGRES_URL: string; readonly MYSQL_URL: string; readonly REDIS_URL: string }

const serversOf = async (): Promise<Servers> => {
  const [postgres, mysql, redis] = await Promise.all([service('postgres'), service('mysql'), service('redis')])
  if (postgres.url === undefined || mysql.url === undefined || redis.url === undefined) {
    throw new Error('these checks need Postgres, MySQL and Redis')
  }
  return { POSTGRES_URL: postgres.url, MYSQL_URL: mysql.url, REDIS_URL: redis.url }
}

const removeRows = async ({ POSTGRES_URL, MYSQL_URL, REDIS_URL }: Servers, prefix: string): Promise<void> => {
  const client = new pg.Client(POSTGRES_URL)
  await client.connect()
  const { rows } = await client.query('select tablename from pg_tables where starts_with(tablename, $1)', [prefix])
  for (const { tablename } of rows) await client.query(`drop table "${tablename}" cascade`)
  await client.end()
  const mysql = await createConnection(MYSQL_URL)
  const [tables] = await mysql.query<RowDataPacket[]>(
    'select table_name as name from information_schema.tables where left(table_name, ?) = ?',
    [prefix.length, prefix],
  )
  for (const { name } of tables) await mysql.query(`drop table \`${name}\``)
  await mysql.end()
  await withRedis(REDIS_URL, async (redis) => {
    const keys = await redis.keys(`*${prefix}*`)
    if (keys.length > 0) await redis.del(...keys)
  })
}

/** Runs a bundle where no package can be found, and removes what it wrote. */
const livesAlone = async (folder: string, file: string, servers: Servers, drivers: readonly string[]): Promise<void> => {
  const alone = await mkdtemp(join(tmpdir(), 'latchkey-alone-'))
  const prefix = `bundled_${process.pid}_${Date.now()}_`
  try {
    await cp(folder, alone, { recursive: true })
    await must(process.execPath, [file, ...drivers], alone, { ...servers, TABLE_PREFIX: prefix })
  } finally {
    if (drivers.length > 0) await removeRows(servers, prefix)
    await rm(alone, { recursive: true, force: true })
  }
}

/** Runs every bundler in a project that has these drivers. */
const bundle = async (bench: Bench, folder: string, servers: Servers, drivers: readonly string[]): Promise<void> => {
  const with_ = drivers.length === 0 ? 'without any driver' : `with ${drivers.join(', ')}`
  const out = (name: string): string => join(folder, 'out', name)
  const builds = (...args: readonly string[]): Promise<string> => must(process.execPath, args, folder)
  // A native program at the path where npm puts it.
  const esbuild = (...args: readonly string[]): Promise<string> =>
    must(join(folder, 'node_modules/.bin/esbuild'), [...ESBUILD, ...args], folder)
  const lives = (name: string, file: string, wanted = drivers): Promise<void> => livesAlone(out(name), file, servers, wanted)

  await rm(join(folder, 'out'), { recursive: true, force: true })
  await bench.check(`esbuild bundles import as an ES module, ${with_}`, async () => {
    await esbuild('--format=esm', `--banner:js=${REQUIRE}`, '--outfile=out/esm/app.mjs', 'app.mjs')
    await lives('esm', 'app.mjs')
  })
  await bench.check(`esbuild bundles require as CommonJS, ${with_}`, async () => {
    const said = await esbuild('--format=cjs', '--outfile=out/cjs/app.cjs', 'app.cjs')
    if (said.trim() !== '') throw new Error(`esbuild warns: ${said}`)
    await lives('cjs', 'app.cjs')
  })
  await bench.check(`webpack bundles import and require, ${with_}`, async () => {
    await builds('node_modules/webpack/bin/webpack.js')
    await lives('webpack-mjs', 'app.cjs')
    await lives('webpack-cjs', 'app.cjs')
  })
  await bench.check(`@vercel/nft traces the files, ${with_}`, async () => {
    await mkdir(out('traced'), { recursive: true })
    await builds('trace.mjs', out('traced'))
    await writeFile(join(out('traced'), 'package.json'), '{"type":"module"}')
    await lives('traced', 'app.mjs')
  })
  if (drivers.length === 0) return
  await bench.check('an esbuild bundle finds node-redis when ioredis is missing', async () => {
    await install(folder, ['redis'])
    await esbuild('--format=esm', `--banner:js=${REQUIRE}`, '--external:ioredis', '--outfile=out/redis/app.mjs', 'app.mjs')
    await lives('redis', 'app.mjs', ['redis'])
  })
}

/** Checks that bundlers find a project's drivers, tolerate missing ones, and produce bundles that run without any package. */
export const bundlers: Suite = {
  name: 'bundlers',
  sample: true,
  async run(bench) {
    const servers = await serversOf()
    const packages = ['latchkey', 'kysely@0.28', 'esbuild@0.28', 'webpack@5', 'webpack-cli@7', '@vercel/nft@1']
    const folder = await bench.project({ name: 'bundlers', packages, fixtures: ['bundlers'] })
    await bundle(bench, folder, servers, [])
    await install(folder, DRIVERS)
    await bundle(bench, folder, servers, DRIVERS)
  },
}

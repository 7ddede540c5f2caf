import { cp, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { service } from '../../support/services.js'
import type { Suite } from '../lib/bench.js'
import { must, run } from '../lib/shell.js'

// With ES modules as the target, what is CommonJS inside still says `require`.
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"
const ESBUILD = ['--bundle', '--platform=node', '--log-level=warning', '--external:pg-native']

/** Runs a result where no package can be found, and removes the tables that it made. */
const livesAlone = async (folder: string, file: string, url: string): Promise<void> => {
  const alone = await mkdtemp(join(tmpdir(), 'latchkey-alone-'))
  await cp(folder, alone, { recursive: true })
  const { code, output } = await run(process.execPath, [file], alone, { POSTGRES_URL: url })
  const prefix = /lived over (\w+)/.exec(output)?.[1]
  if (prefix !== undefined) await dropTables(url, prefix)
  if (code !== 0 || prefix === undefined) throw new Error(output)
}

const dropTables = async (url: string, prefix: string): Promise<void> => {
  const client = new pg.Client(url)
  await client.connect()
  const { rows } = await client.query('select tablename from pg_tables where starts_with(tablename, $1)', [prefix])
  for (const { tablename } of rows) await client.query(`drop table "${tablename}" cascade`)
  await client.end()
}

/** Bundlers find the driver that a project has, forgive those that it lacks, and what they make runs where there is nothing else. */
export const bundlers: Suite = {
  name: 'bundlers',
  sample: true,
  async run(bench) {
    const { url } = await service('postgres')
    if (url === undefined) throw new Error('these checks need Postgres')
    const packages = ['latchkey', 'kysely@0.28', 'pg', 'esbuild@0.28', 'webpack@5', 'webpack-cli@7', '@vercel/nft@1']
    const folder = await bench.project({ name: 'bundlers', packages, fixtures: ['bundlers'] })
    const out = (name: string): string => join(folder, 'out', name)
    const builds = (...args: readonly string[]): Promise<string> => must(process.execPath, args, folder)
    // A native program, which stands where npm puts it.
    const esbuild = (...args: readonly string[]): Promise<string> =>
      must(join(folder, 'node_modules/.bin/esbuild'), [...ESBUILD, ...args], folder)

    await bench.check('esbuild makes an ES module of import', async () => {
      await esbuild('--format=esm', `--banner:js=${REQUIRE}`, '--outfile=out/esm/app.mjs', 'app.mjs')
      await livesAlone(out('esm'), 'app.mjs', url)
    })
    await bench.check('esbuild makes CommonJS of require', async () => {
      const said = await esbuild('--format=cjs', '--outfile=out/cjs/app.cjs', 'app.cjs')
      if (said.trim() !== '') throw new Error(`it warns: ${said}`)
      await livesAlone(out('cjs'), 'app.cjs', url)
    })
    await bench.check('webpack makes a program of import, and one of require', async () => {
      await builds('node_modules/webpack/bin/webpack.js')
      await livesAlone(out('webpack-mjs'), 'app.cjs', url)
      await livesAlone(out('webpack-cjs'), 'app.cjs', url)
    })
    await bench.check('@vercel/nft finds the files of the driver', async () => {
      await mkdir(out('traced'), { recursive: true })
      await builds('trace.mjs', out('traced'))
      await writeFile(join(out('traced'), 'package.json'), '{"type":"module"}')
      await livesAlone(out('traced'), 'app.mjs', url)
    })
  },
}

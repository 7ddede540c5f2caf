/**
 * How long `latchkey import` takes for a large table, and how much memory: `npm run bench:import`, or `npm run bench:import -- --rows 100000 --store
 * postgres`.
 *
 * The first run is killed halfway; the second reads the same file from the beginning. Times are wall time on one machine that also runs the server.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { openShell, SCOPES, type Shell, start } from '../cli/support.js'
import { ownSchema } from '../stores/sql/databases.js'
import { service } from '../support/services.js'
import { table } from './paired.js'

const { values } = parseArgs({ options: { rows: { type: 'string', default: '1000000' }, store: { type: 'string', default: 'sqlite' } } })
const total = Number(values.rows)
const KEY = 'q9Zf2mT7xLw4Rb8uYc1Vn6Kd3Hs5Gj0P'
const PROGRESS = /^(\d+) rows/

const oldToken = (index: number): string => `sk_${index.toString(16).padStart(32, '0')}`

function* lines(): Generator<string> {
  yield 'label,owner,hash\n'
  for (let index = 0; index < total; index += 1) {
    yield `Key ${index},owner ${index % 5_000},${createHash('sha256').update(oldToken(index)).digest('hex')}\n`
  }
}

/**
 * Runs the import, and kills it after `until` rows if `until` is set. Returns its report, the seconds it took, and the most memory it used,
 * in MB.
 */
async function run(shell: Shell, until: number = Number.POSITIVE_INFINITY): Promise<{ report: string; seconds: number; memory: number }> {
  const begun = performance.now()
  const child = start(shell, ['import', 'keys.csv', '--format', 'sha256', '--map', 'map.mjs', '--json'])
  if (child.stdout === null || child.stderr === null) throw new Error('the command has no output')
  let report = ''
  let memory = 0
  child.stdout.on('data', (piece: Buffer) => {
    report += String(piece)
  })
  const told = createInterface(child.stderr)
  told.on('line', (line) => {
    const held = /^memory (\d+)$/.exec(line)?.[1]
    if (held !== undefined) memory = Math.max(memory, Number(held))
    const rows = PROGRESS.exec(line)?.[1]
    if (rows !== undefined && Number(rows) >= until) child.kill('SIGKILL')
    else if (rows === undefined && held === undefined) console.error(line)
  })
  await once(child, 'exit')
  return { report, seconds: (performance.now() - begun) / 1_000, memory: memory / 1_048_576 }
}

const shell = await openShell()
const place = values.store === 'postgres' ? await ownSchema((await service('postgres')).url ?? '') : undefined
const store =
  place === undefined ? "sqliteStore('$folder/import.db')" : `postgresStore(${JSON.stringify({ url: place.url, schema: place.schema })})`
try {
  console.log(
    `Node ${process.version}, ${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown CPU'}; ${total.toLocaleString('en')} rows into ${values.store}.`,
  )
  await pipeline(lines, createWriteStream(join(shell.folder, 'keys.csv')))
  shell.write(
    'latchkey.config.mjs',
    `import { latchkey } from '$index'
import { sha256Tokens } from '$import'
import { sqliteStore } from '$sqlite'
import { postgresStore } from '$postgres'
setInterval(() => console.error('memory ' + process.memoryUsage.rss()), 200).unref()
export const tokens = latchkey({
  prefix: 'acme_live',
  store: ${store},
  scopes: ${JSON.stringify(SCOPES)},
  imports: { key: '${KEY}', formats: [sha256Tokens({ prefix: 'sk_', length: 35 })] },
})
`,
  )
  shell.write('map.mjs', "export const map = (row) => ({ name: row.label, ownerId: row.owner, scopes: ['inventory:read'] })\n")
  const rows: string[][] = []
  for (const [name, until] of [
    ['killed halfway', total / 2],
    ['again, from the beginning', undefined],
    ['once more', undefined],
  ] as const) {
    const { report, seconds, memory } = await run(shell, until)
    const { imported, existing } = report === '' ? { imported: '', existing: '' } : JSON.parse(report)
    rows.push([name, imported.toLocaleString('en'), existing.toLocaleString('en'), `${seconds.toFixed(0)} s`, `${memory.toFixed(0)} MB`])
    console.log(rows.at(-1)?.join(', '))
  }
  console.log(`\n${table(['run', 'imported', 'imported before', 'time', 'memory'], rows)}`)
} finally {
  await place?.remove()
  await shell.close()
}

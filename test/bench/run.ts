import { execFileSync, fork } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bundle } from '../support/bundle.js'
import { type Measured, page } from './page.js'
import { buildRequests } from './requests/build.js'
import type { Dated, Result } from './result.js'
import { show } from './show.js'

// npm run bench -- [--quick] [--only=verify,http] [--write]
const FOLDER = fileURLToPath(new URL('.', import.meta.url))
const PAGE = fileURLToPath(new URL('../../docs/performance.md', import.meta.url))
/** The latest results of each section, for the page. */
const KEPT = `${FOLDER}results.json`
const SECTIONS = [
  'verify',
  'peers',
  'misses',
  'size',
  'requests',
  'http',
  'throughput',
  'revocation',
  'usage',
  'memory',
  'telemetry',
  'events',
] as const

const has = (name: string): boolean => process.argv.includes(`--${name}`)
const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice('--only='.length)
const chosen = only === undefined ? SECTIONS : SECTIONS.filter((name) => only.split(',').includes(name))

if (!existsSync(`${FOLDER}node_modules/autocannon`)) {
  console.log('installing packages that only the benchmark needs …')
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: FOLDER, stdio: 'inherit' })
}
const program = await bundle(new URL('./program.ts', import.meta.url), `${FOLDER}node_modules/.cache`)
const builds = chosen.some((name) => name === 'requests') ? await buildRequests(`${FOLDER}node_modules/.cache/requests`) : {}
const worker = await bundle(new URL('../cluster/worker.ts', import.meta.url), `${FOLDER}node_modules/.cache`)
// Sections can be measured one by one. Results of earlier runs stay on the page with their date.
const results: { [section: string]: Dated } = has('write') && existsSync(KEPT) ? JSON.parse(readFileSync(KEPT, 'utf8')) : {}

for (const name of chosen) {
  try {
    const result = await runSection(name)
    results[name] = { ...result, on: new Date().toISOString().slice(0, 10) }
    console.log(show(result))
    if (!has('write') || has('quick')) continue
    writeFileSync(KEPT, `${JSON.stringify(results, null, 1)}\n`)
    writeFileSync(PAGE, page(SECTIONS.flatMap(measured)))
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
}
function measured(name: string): Measured[] {
  const result = results[name]
  return result === undefined ? [] : [{ name, result }]
}

function runSection(name: string): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = fork(program, [name, has('quick') ? 'quick' : 'full', worker, JSON.stringify(builds)], { execArgv: ['--expose-gc'] })
    let result: Result | undefined
    child.on('message', (message) => {
      result = message as Result
    })
    child.on('error', reject)
    child.on('exit', (code) => (result === undefined ? reject(new Error(`ended with ${code} and no result`)) : resolve(result)))
  })
}

import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { INSTRUMENTS } from '../../src/extensions/otel/observe.js'
import { CONSUMER_INSTRUMENTS } from '../../src/extensions/otel/observe-consumers.js'

const FOLDER = fileURLToPath(new URL('../../examples/prometheus/', import.meta.url))

const promtool = [
  process.env.LATCHKEY_TEST_PROMTOOL ?? '',
  ...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'promtool')),
].find((place) => place !== '' && existsSync(place))
const skip = promtool === undefined ? 'promtool is not installed: install prometheus, or set LATCHKEY_TEST_PROMTOOL' : undefined
if (skip !== undefined) console.log(`the example for Prometheus is not checked: ${skip}`)

/** A metric's names as exporters for Prometheus write them, with and without the unit. */
const exported = (name: string): readonly string[] => {
  const plain = name.replaceAll('.', '_')
  return [plain, `${plain}_total`, `${plain}_seconds`]
}

describe('the Prometheus example', () => {
  it('the Prometheus example uses only metrics and labels that latchkey/otel provides', () => {
    const known = new Set([...Object.keys(INSTRUMENTS), ...Object.keys(CONSUMER_INSTRUMENTS), 'latchkey.store.duration'].flatMap(exported))
    const rules = readFileSync(join(FOLDER, 'latchkey.rules.yml'), 'utf8')
    const labels = new Set(['latchkey_prefix', 'latchkey_outcome', 'latchkey_code', 'latchkey_fault_where', 'latchkey_consumer_name'])
    const named = [...rules.matchAll(/latchkey_[a-z_]+/g)].map(([name]) => name)
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((name) => !known.has(name) && !labels.has(name))).toEqual([])
  })

  it.skipIf(skip !== undefined)('the Prometheus example has rules that promtool accepts and that fire when they should', async () => {
    const run = (...args: readonly string[]) => promisify(execFile)(promtool ?? '', [...args], { cwd: FOLDER })
    expect((await run('check', 'config', 'prometheus.yml')).stdout).toContain('SUCCESS')
    expect((await run('check', 'rules', 'latchkey.rules.yml')).stdout).toContain('9 rules found')
    expect((await run('test', 'rules', 'latchkey.rules.test.yml')).stdout).toContain('SUCCESS')
  })

  it.runIf(process.env.LATCHKEY_REQUIRE_SERVICES === '1')(
    'the Prometheus example is checked with promtool when services are required',
    () => {
      expect(skip).toBeUndefined()
    },
  )
})

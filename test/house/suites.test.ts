import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { ALONE } from '../tools/suites.js'

const SCRIPTS = ['test', 'test:long']

/** The files that a script of package.json runs, as listed by its runner. */
function filesOf(script: string): string[] {
  const [, projects] = /^vitest run( .+)$/.exec(JSON.parse(readFileSync('package.json', 'utf8')).scripts[script]) ?? []
  const asked = ['node_modules/vitest/vitest.mjs', 'list', '--filesOnly', '--json', ...(projects ?? '').trim().split(' ')]
  const { stdout, stderr, status } = spawnSync(process.execPath, asked, { encoding: 'utf8' })
  expect(status, stderr).toBe(0)
  return JSON.parse(stdout).map(({ file }: { file: string }) => file.slice(process.cwd().length + 1))
}

const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .map((name) => `test/${name}`)
  .filter((name) => name.endsWith('.test.ts') && !name.startsWith('test/consumer/fixtures/') && !name.includes('node_modules/'))

it('npm test and npm run test:long together run every test file exactly once', { timeout: 120_000 }, () => {
  const run = SCRIPTS.flatMap(filesOf)
  expect(run.length).toBeGreaterThan(0)
  expect(run.sort()).toEqual(files.sort())
})

it('.ci/run runs both test scripts', () => {
  const ran = [...readFileSync('.ci/run', 'utf8').matchAll(/^ {2}tests (\S+)$/gm)].map(([, script]) => script)
  expect(ran).toEqual(SCRIPTS)
})

it('a test file that mocks a module runs in its own process', () => {
  const mocking = files.filter((file) => /^\s*(?:await )?vi\.(?:mock|doMock|resetModules)\(/m.test(readFileSync(file, 'utf8')))
  expect(mocking.length).toBeGreaterThan(0)
  expect(mocking.filter((file) => !ALONE.includes(file))).toEqual([])
})

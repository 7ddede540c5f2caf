import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Runs the property tests repeatedly, each time with new random inputs: `npm run test:explore [rounds]`. A failure prints its seed. */
const rounds = Number(process.argv[2] ?? 10)
if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error(`rounds: must be a whole number of 1 or more, not ${process.argv[2]}`)

const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .map((file) => join('test', file))
  .filter((file) => file.endsWith('.test.ts') && readFileSync(file, 'utf8').includes('support/property.js'))
let failed = 0
for (let round = 1; round <= rounds; round += 1) {
  const { status } = spawnSync('npx', ['vitest', 'run', '--reporter=dot', ...files], {
    stdio: 'inherit',
    env: { ...process.env, LATCHKEY_SEED: 'random' },
  })
  if (status !== 0) failed += 1
  console.log(`round ${round} of ${rounds}: ${status === 0 ? 'passed' : 'FAILED'}`)
}
console.log(`${rounds - failed} passed, ${failed} failed, in ${files.length} files`)
process.exitCode = failed === 0 ? 0 : 1

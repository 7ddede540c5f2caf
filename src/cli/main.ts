#!/usr/bin/env node
import process from 'node:process'
import { Lifetime } from './lib/lifetime.js'
import { run } from './run.js'

const lifetime = new Lifetime()
const SIGNALS = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const

// A second signal ends the process immediately.
for (const [signal, code] of SIGNALS) {
  process.once(signal, () => void lifetime.end().finally(() => process.exit(code)))
}
const code = await run(
  process.argv.slice(2),
  { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, cwd: process.cwd() },
  lifetime,
)
// Resources that the configuration opened itself, such as a pool, would keep the process alive.
process.exit(code)

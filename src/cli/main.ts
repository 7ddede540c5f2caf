#!/usr/bin/env node
import { writeSync } from 'node:fs'
import process from 'node:process'
import { oneLine } from './lib/fault.js'
import { createInterrupt } from './lib/interrupt.js'
import { Lifetime } from './lib/lifetime.js'
import { run } from './run.js'

const lifetime = new Lifetime()
const interrupt = createInterrupt(lifetime, {
  exit: (code) => process.exit(code),
  tell: (sentence) => {
    try {
      // Streams may write asynchronously, and the process may end first.
      writeSync(process.stderr.fd, `latchkey: ${oneLine(sentence)}\n`)
    } catch {
      // The other end was closed, so no message can be written.
    }
  },
})
process.on('SIGINT', () => interrupt(130))
process.on('SIGTERM', () => interrupt(143))

const code = await run(
  process.argv.slice(2),
  { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, cwd: process.cwd() },
  lifetime,
)
// Resources that the configuration opened itself, such as a pool, would keep the process alive.
process.exit(code)

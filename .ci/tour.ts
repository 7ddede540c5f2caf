import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort, type Started, start } from './started.js'

// Follows the example like a reader: pastes each line that it prints into a shell, and compares the result with what the line promises.
// `tsx .ci/tour.ts npm start` runs the example from the sources, `tsx .ci/tour.ts tsx --tsconfig …` with the built package.
const [, , command = 'npm', ...args] = process.argv
const shell = promisify(execFile)

const folder = await mkdtemp(join(tmpdir(), 'latchkey-example-'))
const port = await freePort()
const env = { PORT: String(port), TOKENS_DB: join(folder, 'tokens.db') }
const running: Started[] = []
const launch = (): Started => {
  const started = start(command, args, env)
  running.push(started)
  return started
}

const expect = (what: string, holds: boolean, seen: string): void => {
  if (!holds) throw new Error(`${what}: check failed. Output:\n${seen}`)
  console.log(`ok    ${what}`)
}

const status = async (token: string): Promise<number> => {
  const response = await fetch(`http://127.0.0.1:${port}/api/stock`, { headers: { authorization: `Bearer ${token}` } })
  await response.arrayBuffer()
  return response.status
}

const paste = async (printed: string): Promise<string> => {
  const assignment = /^TOKEN=\S+$/m.exec(printed)?.[0] ?? ''
  const calls = printed.split('\n').filter((line) => line.startsWith('curl '))
  let successor = ''
  let shown = 0
  for (const line of calls) {
    const { stdout } = await shell('bash', ['-c', `${assignment}\n${line}`])
    successor = /"token":"([^"]+)"/.exec(stdout)?.[1] ?? successor
    const outcome = /# → (\d{3})/.exec(line)?.[1]
    if (outcome === undefined) continue
    shown += 1
    expect(line.slice(line.indexOf("n' ") + 3).replace(/\s+# →/, ' →'), stdout.trimEnd().endsWith(`→ ${outcome}`), stdout)
  }
  expect('at least five lines show their outcome', shown >= 5, printed)
  return successor
}

try {
  const first = launch()
  const printed = await first.says(/Ctrl-C stops/)
  const successor = await paste(printed)
  expect('the successor of the revoked token works', (await status(successor)) === 200, successor.slice(0, 14))

  const second = launch()
  const refused = await second.ended()
  expect('a taken port gets a clear message', refused.code !== 0 && refused.output.includes(`Port ${port} is taken`), refused.output)

  first.interrupt()
  const stopped = await first.ended()
  expect('Ctrl-C stops the example cleanly', stopped.output.includes('Stopped'), stopped.output)

  const again = launch()
  await again.says(/Ctrl-C stops/)
  expect('the tokens are kept across a restart', (await status(successor)) === 200, '')
  const revoked = /^TOKEN=(\S+)$/m.exec(printed)?.[1] ?? ''
  expect('the revoked token stays revoked', (await status(revoked)) === 401, '')
  again.interrupt()
  await again.ended()
} finally {
  for (const started of running) started.kill()
  await rm(folder, { recursive: true, force: true })
}

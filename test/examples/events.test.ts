import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'

const EXAMPLE = fileURLToPath(new URL('../../examples/events.ts', import.meta.url))

let example: ChildProcess | undefined

afterEach(async () => {
  if (example === undefined || example.exitCode !== null || example.signalCode !== null) return
  const ended = once(example, 'exit')
  example.kill('SIGKILL')
  await ended
})

/** Starts the example and returns the URLs and the token that it prints. */
async function start(): Promise<{ stream: string; token: string; revoke: string }> {
  example = spawn(process.execPath, ['--import', 'tsx', EXAMPLE], { stdio: ['ignore', 'pipe', 'inherit'] })
  let told = ''
  for await (const line of createInterface({ input: example.stdout! })) {
    told += `${line}\n`
    const [, token, stream] = /Bearer (\w+)' (\S+)/.exec(told) ?? []
    const [, revoke] = /-X POST (\S+)/.exec(told) ?? []
    if (token !== undefined && stream !== undefined && revoke !== undefined) return { stream, token, revoke }
  }
  throw new Error(`the example ended:\n${told}`)
}

it('the event stream example ends a stream with the reason when its token is revoked', { timeout: 120_000 }, async () => {
  const { stream, token, revoke } = await start()
  expect((await fetch(stream)).status).toBe(401)
  const response = await fetch(stream, { headers: { authorization: `Bearer ${token}` } })
  expect(response.status).toBe(200)
  let received = ''
  const decoder = new TextDecoder()
  for await (const piece of response.body!) {
    received += decoder.decode(piece, { stream: true })
    // Once the stream runs, the token is revoked. The server then ends the stream, not the client.
    if (received.includes('event: stock') && !received.includes('revoked')) {
      expect((await fetch(revoke, { method: 'POST' })).status).toBe(200)
      received += 'revoked\n'
    }
  }
  expect(received).toMatch(/revoked\n[\s\S]*event: end\ndata: {"code":"token_revoked"}\n\n$/)
  expect((await fetch(stream, { headers: { authorization: `Bearer ${token}` } })).status).toBe(401)
})

it('the event stream example stops on SIGTERM and ends its open stream', { timeout: 120_000 }, async () => {
  const { stream, token } = await start()
  const response = await fetch(stream, { headers: { authorization: `Bearer ${token}` } })
  const ended = once(example!, 'exit')
  example!.kill('SIGTERM')
  expect(await response.text()).toContain('"code":"closed"')
  expect((await ended)[0]).toBe(0)
})

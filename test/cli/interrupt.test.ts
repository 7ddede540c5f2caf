import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createInterrupt } from '../../src/cli/lib/interrupt.js'
import { Lifetime } from '../../src/cli/lib/lifetime.js'
import { mint } from '../../src/cli/lib/minted.js'
import type { Session } from '../../src/cli/lib/session.js'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const MINTED = { token: 'acme_live_4kQ0tXb2LrVn8ZcD_secret', record: { id: '4kQ0tXb2LrVn8ZcD' } } as never
const endless = (): Promise<never> => new Promise(() => undefined)

function setUp(answer: () => Promise<void>) {
  const lifetime = new Lifetime()
  const exits: number[] = []
  const told: string[] = []
  const interrupt = createInterrupt(lifetime, { exit: (code) => exits.push(code), tell: (sentence) => told.push(sentence) })
  const session = { answer, streams: { stdout: new PassThrough() }, untilShown: lifetime.untilShown.bind(lifetime) } as unknown as Session
  return { lifetime, exits, told, interrupt, session }
}

const SPEC = { doubt: 'a token may have been created', sentenceOf: () => 'Created.' }

it('if the store is silent, an interrupted command exits with 3 and reports that a token may have been created', async () => {
  const { exits, told, interrupt, session } = setUp(endless)
  void mint(session, { ...SPEC, create: endless })
  interrupt(130)
  await vi.advanceTimersByTimeAsync(9_000)
  expect(exits).toEqual([])
  await vi.advanceTimersByTimeAsync(2_000)
  expect([exits, told.at(-1)]).toEqual([[3], 'a token may have been created'])
})

it('if the output never accepts the token, an interrupted command exits with 1 and names the ID', async () => {
  const { exits, told, interrupt, session } = setUp(endless)
  void mint(session, { ...SPEC, create: () => Promise.resolve(MINTED) })
  interrupt(143)
  await vi.advanceTimersByTimeAsync(11_000)
  expect([exits, told.at(-1)]).toEqual([
    [1],
    'token 4kQ0tXb2LrVn8ZcD was created, but may not have been shown: revoke it unless you have it',
  ])
})

it('a signal after the token is shown ends the process as usual', async () => {
  const { exits, told, interrupt, session } = setUp(() => Promise.resolve())
  await mint(session, { ...SPEC, create: () => Promise.resolve(MINTED) })
  interrupt(130)
  await vi.advanceTimersByTimeAsync(0)
  expect([exits, told]).toEqual([[130], []])
})

it('a second signal ends a command that is slow to close, but a duplicate of the first signal does not', async () => {
  const { lifetime, exits, interrupt } = setUp(endless)
  lifetime.onEnd(endless)
  interrupt(130)
  interrupt(130)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(exits).toEqual([])
  interrupt(143)
  expect(exits).toEqual([143])
})

import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type ListenClient, listen } from '../../adapters/stores/sql/dialects/postgres-listen.js'

const silent = (): Promise<never> => new Promise(() => {})

/** Never sends a notification, so none can prove that the connection works. */
const unsent = async (): Promise<never> => {
  throw new Error('no connection')
}

const clientThat = (answers: Partial<ListenClient>): ListenClient => ({
  connect: async () => undefined,
  query: async () => undefined,
  on: () => undefined,
  removeListener: () => undefined,
  end: vi.fn(async () => undefined),
  ...answers,
})

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it.each([
  ['accepts the connection', { connect: silent }],
  ['accepts the connection and the login', { query: silent }],
])('reports a Postgres server that %s and then goes silent, and listens again on another connection', async (_what, answers) => {
  const clients = [clientThat(answers), clientThat({})]
  const made = [...clients]
  const hearer = { wake: vi.fn(), lost: vi.fn() }
  const listening = listen('tokens', hearer, () => made.shift() as ListenClient, unsent)
  await vi.advanceTimersByTimeAsync(9_000)
  expect(hearer.lost).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(2_000)
  expect(hearer.lost).toHaveBeenCalledOnce()
  expect(clients[0]?.end).toHaveBeenCalled()
  expect(made).toEqual([])
  expect(hearer.wake).toHaveBeenCalledOnce()
  const stop = await listening
  await stop()
  expect(clients[1]?.end).toHaveBeenCalled()
})

it('stopping a listener ends a connection that is still being reopened', async () => {
  const lostBy: (() => void)[] = []
  const first = clientThat({ on: (event, listener) => event === 'error' && lostBy.push(listener as () => void) })
  const second = clientThat({ query: silent })
  const made = [first, second]
  const stop = await listen('tokens', { wake: () => undefined }, () => made.shift() as ListenClient, unsent)
  lostBy[0]?.()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(made).toEqual([])
  await stop()
  expect(second.end).toHaveBeenCalled()
})

import type { AuditEvent, FaultReport, Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import type { ConsumerState, TokenStore } from '../../src/store/port.js'
import { instance, mint, refusal, type Scope, trail, until } from '../latchkey/harness.js'

const LONG = 60_000

/** The events that a handler received, in order. */
function recorder() {
  const seen: AuditEvent[] = []
  return { seen, ids: () => seen.map(({ id }) => id), handler: (event: AuditEvent) => void seen.push(event) }
}

async function names(tokens: Latchkey<Scope>, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await mint(tokens, { name: `Token ${index}` })
}

async function siemOf(store: TokenStore): Promise<ConsumerState | undefined> {
  return (await store.consumers('acme_test')).find(({ name }) => name === 'siem')
}

/** An object that throws on every access. */
function dead(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

describe('a consumer of audit events', () => {
  it('a consumer receives every event in order, including those from before it started', async () => {
    const tokens = instance()
    await names(tokens, 3)
    const { handler, ids } = recorder()
    tokens.system.consume('siem', handler)
    await until(() => ids().length === 3)
    await names(tokens, 250)
    await until(() => ids().length === 253)
    expect(ids()).toEqual(await trail(tokens))
  })

  it('a consumer starts with new events if asked to, but only on its first run', async () => {
    const store = memoryStore()
    const tokens = instance({ store })
    await names(tokens, 3)
    const first = recorder()
    const consumer = tokens.system.consume('siem', first.handler, { from: 'now' })
    await until(async () => (await siemOf(store)) !== undefined)
    await names(tokens, 1)
    await until(() => first.seen.length === 1)
    await consumer.stop()
    await names(tokens, 2)
    const second = recorder()
    tokens.system.consume('siem', second.handler, { from: 'now' })
    await until(() => second.seen.length === 2)
    expect([...first.ids(), ...second.ids()]).toEqual((await trail(tokens)).slice(3))
  })

  it('a consumer continues where the previous consumer with the same name stopped', async () => {
    const tokens = instance()
    await names(tokens, 5)
    const [first, second, other] = [recorder(), recorder(), recorder()]
    const consumer = tokens.system.consume('siem', first.handler)
    await until(() => first.seen.length === 5)
    await consumer.stop()
    await names(tokens, 2)
    tokens.system.consume('siem', second.handler)
    tokens.system.consume('billing', other.handler)
    await until(() => second.seen.length === 2 && other.seen.length === 7)
    expect([...first.ids(), ...second.ids()]).toEqual(await trail(tokens))
  })

  it('a consumer receives a failed event again before any later one, and each failure is reported', async () => {
    const faults: FaultReport[] = []
    const tokens = instance({ onError: (fault) => faults.push(fault), logger: false })
    await names(tokens, 3)
    const calls: string[] = []
    let failures = 2
    tokens.system.consume('siem', async ({ id }) => {
      calls.push(id)
      if (calls.length > 1 && failures-- > 0) throw new Error('the receiver is down')
    })
    await until(() => calls.length === 5)
    const [one, two, three] = await trail(tokens)
    expect(calls).toEqual([one, two, two, two, three])
    expect(faults.map(({ where, error }) => [where, (error.cause as Error).message])).toEqual(
      Array(2).fill(['consumer', 'the receiver is down']),
    )
  })

  it('a consumer receives an event again even if the value that its handler threw cannot be inspected', async () => {
    const faults: FaultReport[] = []
    const tokens = instance({ onError: (fault) => faults.push(fault), logger: false })
    await names(tokens, 2)
    let failures = 1
    const { seen, handler } = recorder()
    tokens.system.consume('siem', (event) => {
      if (failures-- > 0) throw dead()
      handler(event)
    })
    await until(() => seen.length === 2)
    expect(faults.map(({ where }) => where)).toEqual(['consumer'])
  })

  it('a hanging consumer handler is reported, and its event is retried', async () => {
    const faults: FaultReport[] = []
    const tokens = instance({ onError: (fault) => faults.push(fault), logger: false })
    await names(tokens, 2)
    const calls: string[] = []
    let gaveUp: unknown
    tokens.system.consume(
      'siem',
      ({ id }, { signal }) => {
        calls.push(id)
        if (calls.length > 1) return undefined
        return new Promise(() => signal.addEventListener('abort', () => (gaveUp = signal.reason)))
      },
      { timeout: 1 },
    )
    await until(() => calls.length === 3)
    const [one, two] = await trail(tokens)
    expect(calls).toEqual([one, one, two])
    expect(String(gaveUp)).toContain('took too long')
    expect(faults).toMatchObject([{ where: 'consumer', error: { message: 'the handler took longer than 1 s' } }])
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    [
      'throws undefined',
      () => {
        throw undefined
      },
    ],
    ['returns a rejection', () => Promise.reject(new Error('no'))],
    [
      'throws a value that cannot be inspected',
      () => {
        throw dead()
      },
    ],
    [
      'returns a thenable that throws',
      () =>
        Object.defineProperty({}, 'then', {
          get: () => {
            throw new Error('no')
          },
        }),
    ],
  ])("requests and changes succeed while a consumer's handler %s", async (_, handler) => {
    const tokens = instance()
    tokens.system.consume('siem', handler)
    const { token, record } = await mint(tokens)
    expect(await tokens.verify(token)).toMatchObject({ ok: true })
    await tokens.system.revoke(record.id)
    expect(await tokens.verify(token)).toMatchObject({ ok: false, code: 'token_revoked' })
    await tokens.close()
  })

  it(
    'a consumer runs on one of several nodes, and moves to another when that node stops',
    async () => {
      const store = memoryStore()
      const nodes = [instance({ store }), instance({ store }), instance({ store })] as const
      let [busy, most] = [0, 0]
      const seen: string[] = []
      const by: number[] = []
      const consumers = nodes.map((node, index) =>
        node.system.consume('siem', async ({ id }) => {
          busy += 1
          most = Math.max(most, busy)
          await new Promise((resolve) => setTimeout(resolve, 1))
          seen.push(id)
          by.push(index)
          busy -= 1
        }),
      )
      await names(nodes[0], 20)
      await until(() => seen.length === 20)
      const [holder = 0] = by
      expect(new Set(by)).toEqual(new Set([holder]))
      await consumers[holder]?.stop()
      await names(nodes[0], 20)
      await until(() => seen.length === 40)
      expect(by.slice(20)).not.toContain(holder)
      expect(most).toBe(1)
      expect(seen).toEqual(await trail(nodes[0]))
    },
    LONG,
  )

  it(
    'another node takes over a consumer when the node that runs it silently disappears',
    async () => {
      const store = memoryStore()
      const gone = faultyStore(store)
      const [first, second] = [recorder(), recorder()]
      const dying = instance({ store: gone as TokenStore, deadline: 0.2 })
      const alive = instance({ store })
      await names(alive, 3)
      dying.system.consume('siem', first.handler)
      await until(() => first.seen.length === 3)
      // The handled position is saved. From now on, this node cannot reach the store.
      await until(async () => ((await siemOf(store))?.position ?? 0) > 0)
      gone.behave(() => ({ do: 'hang' }))
      alive.system.consume('siem', second.handler)
      await names(alive, 2)
      for (let tries = 0; tries < 20 && second.seen.length < 2; tries += 1)
        await until(() => second.seen.length >= 2).catch(() => undefined)
      expect([...first.ids(), ...second.ids()]).toEqual(await trail(alive))
    },
    LONG,
  )

  it(
    'a consumer misses no event when store responses are lost, and receives events again only with the same ID',
    async () => {
      const honest = memoryStore()
      let turn = 0
      const store = faultyStore(honest, ({ method }) => {
        if (!['events', 'consumers', 'saveConsumer'].includes(method)) return undefined
        turn += 1
        return turn % 3 === 0 ? { do: 'fail-after', error: new Error('connection reset') } : undefined
      })
      const tokens = instance({ store: store as TokenStore })
      const { handler, ids } = recorder()
      tokens.system.consume('siem', handler)
      await names(tokens, 30)
      const expected = await trail(instance({ store: honest }))
      for (let tries = 0; tries < 10 && new Set(ids()).size < 30; tries += 1)
        await until(() => new Set(ids()).size >= 30).catch(() => undefined)
      expect([...new Set(ids())]).toEqual(expected)
    },
    LONG,
  )

  it('closing an instance stops its consumers, saves their progress, and calls no handler afterward', async () => {
    const store = memoryStore()
    const tokens = instance({ store })
    await names(tokens, 4)
    const { handler, seen } = recorder()
    tokens.system.consume('siem', handler)
    await until(() => seen.length === 4)
    await tokens.close()
    const state = await siemOf(store)
    expect(state).toMatchObject({ name: 'siem', position: 4 })
    expect(state).not.toHaveProperty('holder')
    await names(instance({ store }), 1)
    expect(seen).toHaveLength(4)
  })

  it('a consumer stops even if its handler hangs, or if the handler itself stops it', async () => {
    const tokens = instance({ deadline: 0.1 })
    await names(tokens, 1)
    let called = 0
    const consumer = tokens.system.consume('siem', async () => {
      called += 1
      await consumer.stop()
    })
    await until(() => called === 1)
    await consumer.stop()
    tokens.system.consume('hangs', () => {
      called += 1
      return new Promise(() => undefined)
    })
    await until(() => called === 2)
    await tokens.close()
  })

  it('consume() requires a valid name, a function, valid options, and an actor who sees every event', async () => {
    const tokens = instance()
    const consume = tokens.system.consume as (...args: unknown[]) => unknown
    const call = (...args: unknown[]): Promise<string> => refusal((async () => consume(...args))())
    const handler = (): void => undefined
    for (const name of [undefined, '', ' ', 'a b', 'x'.repeat(61), 'é', 7, {}, 'webhook:crm'])
      expect(await call(name, handler)).toBe('invalid_input name')
    for (const bad of [undefined, {}, 'siem']) expect(await call('siem', bad)).toBe('invalid_input handler')
    expect(await call('siem', handler, { from: 'then' })).toBe('invalid_input from')
    expect(await call('siem', handler, { timeout: 0 })).toBe('invalid_input timeout')
    expect(await call('siem', handler, { form: 'now' })).toBe('invalid_input form')
    for (const actor of [
      { id: 'ada', tenants: ['acme'], manages: 'all' },
      { id: 'u7', tenants: '*', manages: 'own' },
    ] as const) {
      expect(await refusal((async () => tokens.as(actor).consume('siem', handler))())).toBe('grant_denied actor')
    }
    await tokens.close()
    expect(await call('siem', handler)).toBe('closed undefined')
  })
})

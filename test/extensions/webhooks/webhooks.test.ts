import { inspect } from 'node:util'
import type { FaultReport, Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { type WebhookOptions, type Webhooks, webhooks } from 'latchkey/webhooks'
import { describe, expect, it } from 'vitest'
import { MOST_DEAD_LETTERS } from '../../../src/extensions/webhooks/endpoint.js'
import type { TokenStore } from '../../../src/store/port.js'
import { instance, mint, refusal, type Scope, trail, until } from '../../latchkey/harness.js'
import { receiver, slowReceiver, verified } from './receiver.js'

const KEY = 'q9Zf2mT7xLw4Rb8uYc1Vn6Kd3Hs5Gj0P'
const OTHER_KEY = 'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6'
const QUICK = { attempts: 3, first: 0.02 }

function start(tokens: Latchkey<Scope>, url: string, options: Partial<WebhookOptions> = {}): Webhooks {
  return webhooks(tokens, {
    webhookKey: KEY,
    endpoints: [{ id: 'crm', url, from: 'start' }],
    allowPrivate: ['127.0.0.1'],
    retry: QUICK,
    timeout: 0.3,
    ...options,
  })
}

function hearing(options: { store?: TokenStore } = {}) {
  const faults: FaultReport[] = []
  const lines: string[] = []
  const logger = { error: (line: string) => void lines.push(line) }
  const tokens = instance({ onError: (fault) => faults.push(fault), logger, ...options })
  return { tokens, lines, faults, told: (place: string) => faults.filter(({ where }) => where === place).map(({ error }) => error.message) }
}

describe('webhooks', () => {
  it('webhooks send every event in order, in a format that the reference library verifies', async () => {
    const tokens = instance()
    const { record } = await mint(tokens, { tenantId: 'acme' })
    await tokens.system.revoke(record.id, { reason: 'sold' })
    const crm = await receiver()
    const hooks = start(tokens, `${crm.url}?key=1`)
    await mint(tokens)
    // A slow answer causes another attempt with the same ID.
    const once = () => crm.seen.filter((_, at) => crm.ids().indexOf(crm.ids()[at] ?? '') === at)
    await until(() => once().length === 3)
    expect([...new Set(crm.ids())].join(' ')).toBe((await trail(tokens)).join(' '))
    const events = (await tokens.system.events({ order: 'oldest' })).items
    for (const [at, delivered] of once().entries()) {
      const event = JSON.parse(JSON.stringify(events[at]))
      expect(verified(hooks.secretOf('crm'), delivered)).toEqual({ type: event.action, timestamp: event.at, data: event })
      expect(delivered).toMatchObject({ path: '/hooks?key=1', headers: { 'content-type': 'application/json' } })
    }
    expect(() => verified(hooks.secretOf('crm'), { ...crm.seen[0]!, body: `${crm.seen[0]!.body} ` })).toThrow('No matching signature')
  })

  it('a new endpoint starts with new events by default and receives only its configured actions and tenant', async () => {
    const tokens = instance()
    await mint(tokens)
    const [all, some] = [await receiver(), await receiver()]
    webhooks(tokens, {
      webhookKey: KEY,
      allowPrivate: ['127.0.0.1'],
      endpoints: [
        { id: 'all', url: all.url },
        { id: 'some', url: some.url, actions: ['token.revoked', 'token.deactivated'], tenantId: 'acme' },
      ],
    })
    await tokens.health()
    await until(async () => (await tokens.health()).consumers.every(({ lagSeconds }) => lagSeconds === 0))
    const { record } = await mint(tokens, { tenantId: 'acme' })
    const other = await mint(tokens, { tenantId: 'other' })
    await tokens.system.revoke(other.record.id)
    await tokens.system.revoke(record.id)
    await until(() => all.seen.length === 4 && some.seen.length === 1)
    expect(all.ids()).toEqual((await trail(tokens)).slice(1))
    expect(JSON.parse(some.seen[0]!.body)).toMatchObject({ type: 'token.revoked', data: { tokenId: record.id } })
  })

  it('webhooks sign with every listed key, so receivers can switch secrets without a gap', async () => {
    const tokens = instance()
    const crm = await receiver()
    const before = start(tokens, crm.url)
    const old = before.secretOf('crm')
    await mint(tokens)
    await until(() => crm.seen.length === 1)
    await before.stop()
    const after = start(tokens, crm.url, { webhookKey: [OTHER_KEY, KEY] })
    await mint(tokens)
    await until(() => crm.seen.length === 2)
    const [, last] = crm.seen
    for (const secret of [after.secretOf('crm'), old]) expect(verified(secret, last!)).toMatchObject({ type: 'token.created' })
    expect(after.secretOf('crm')).not.toBe(old)
    expect(last!.headers['webhook-signature']!.split(' ')).toHaveLength(2)
  })

  it('every endpoint and prefix has its own secret, which is the same on every node', async () => {
    const secrets = new Set<string>()
    for (const prefix of ['acme_test', 'acme_live']) {
      const make = () =>
        webhooks(instance({ prefix }), {
          webhookKey: new TextEncoder().encode(KEY),
          endpoints: ['crm', 'siem'].map((id) => ({ id, url: 'https://crm.example.com/' })),
        })
      const [one, two] = [make(), make()]
      for (const id of ['crm', 'siem']) {
        expect(one.secretOf(id)).toBe(two.secretOf(id))
        expect(one.secretOf(id)).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
        secrets.add(one.secretOf(id))
      }
    }
    expect(secrets.size).toBe(4)
  })

  it.each([
    ['answers 500', (response) => response.writeHead(500).end('no'), 'status_500'],
    ['answers 404', (response) => response.writeHead(404).end(), 'status_404'],
    ['redirects', (response) => response.writeHead(307, { location: '/other' }).end(), 'redirected_307'],
    ['never answers', () => undefined, 'timeout'],
    ['closes early', (response) => response.destroy(), 'connection_closed'],
    ['sends garbage', (response) => response.socket?.end('what?\r\n\r\n'), 'answer_garbled'],
    ['switches protocols', (response) => response.writeHead(101, { upgrade: 'x', connection: 'upgrade' }).end(), 'status_101'],
    ['sends endless headers', (response) => response.socket?.write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}`), 'answer_garbled'],
  ] satisfies [string, (response: import('node:http').ServerResponse) => unknown, string][])(
    'webhooks resend an event with the same ID when the receiver %s, and hold back later events',
    async (_, answer, failure) => {
      const { tokens, told } = hearing()
      await mint(tokens)
      await mint(tokens)
      const crm = await receiver((__, response, turn) => (turn <= 2 ? answer(response) : response.writeHead(200).end('thanks')))
      start(tokens, crm.url)
      await until(() => crm.seen.length === 4)
      const [one, two] = await trail(tokens)
      expect(crm.ids()).toEqual([one, one, one, two])
      expect(crm.seen.map(({ path }) => path)).toEqual(Array(4).fill('/hooks'))
      expect(told('webhook')).toHaveLength(2)
      expect(told('webhook')[0]).toMatch(
        new RegExp(`^webhook crm \\(http://127.0.0.1:\\d+\\): ${failure}, attempt 1 of 3; next attempt in`),
      )
    },
  )

  it.each([
    ['an endless body', (response) => setInterval(() => response.write('x'.repeat(10_000)), 1).unref()],
    ['a body that never ends', (response) => response.write('x')],
    ['a body that breaks off', (response) => response.write('x', () => response.destroy())],
  ] satisfies [string, (response: import('node:http').ServerResponse) => unknown][])(
    'an event counts as delivered when the status arrives, whatever follows: %s',
    async (_, answer) => {
      const tokens = instance()
      await mint(tokens)
      await mint(tokens)
      const crm = await receiver((__, response) => {
        response.on('error', () => undefined)
        response.writeHead(200, { 'content-length': 1_000_000_000 })
        answer(response)
      })
      const hooks = start(tokens, crm.url)
      await until(() => crm.seen.length === 2)
      expect(crm.ids()).toEqual(await trail(tokens))
      expect(await hooks.deadLetters()).toEqual([])
    },
  )

  it('a dead endpoint delays only its own events', async () => {
    const tokens = instance()
    const [dead, alive] = [await receiver(() => undefined), await receiver()]
    start(tokens, '', {
      timeout: 60,
      endpoints: [
        { id: 'dead', url: dead.url, from: 'start' },
        { id: 'alive', url: alive.url, from: 'start' },
      ],
    })
    for (let turn = 0; turn < 5; turn += 1) await mint(tokens)
    await until(() => alive.seen.length === 5)
    expect(dead.seen.length).toBeLessThanOrEqual(1)
  })

  it('an event that fails every attempt becomes a reported dead letter, and delivery continues with the next event', async () => {
    const { tokens, told } = hearing()
    const [poison] = [await mint(tokens), await mint(tokens)]
    const crm = await receiver(({ body }, response) => response.writeHead(body.includes(poison.record.id) ? 422 : 200).end())
    const hooks = start(tokens, crm.url)
    await until(() => crm.seen.length === 4)
    const [one, two] = await trail(tokens)
    expect(crm.ids()).toEqual([one, one, one, two])
    const letters = await hooks.deadLetters()
    expect(letters).toMatchObject([{ endpoint: 'crm', eventId: one, attempts: 3, failure: 'status_422', event: { id: one } }])
    expect(Date.now() - letters[0]!.failedAt.getTime()).toBeLessThan(60_000)
    expect(told('deadLetter')).toEqual([expect.stringContaining(`event ${one} was abandoned after 3 attempts: status_422`)])
    expect((await tokens.health()).consumers).toMatchObject([{ name: 'webhook:crm', deadLetters: 1 }])
    await expect(hooks.deadLetters({ endpoint: 'other' })).rejects.toThrow('endpoint: must be the ID of one of the endpoints')
    for (const lost of [{ endpoints: 'crm' }, { endpoint: undefined }, { endpoint: 1 }]) {
      await expect(hooks.deadLetters(lost as never)).rejects.toMatchObject({ code: 'invalid_input' })
    }
  })

  it('a resent dead letter keeps its ID, gets a fresh signature, and leaves the list once it is delivered or discarded', async () => {
    const tokens = instance()
    await mint(tokens)
    await mint(tokens)
    const crm = await receiver((_, response) => response.writeHead(500).end())
    const hooks = start(tokens, crm.url)
    await until(async () => (await hooks.deadLetters()).length === 2)
    const [first, second] = await hooks.deadLetters()
    expect(await hooks.resend(first!)).toEqual({ delivered: false, failure: 'status_500' })
    expect(await hooks.deadLetters()).toHaveLength(2)
    crm.behave((_, response) => response.writeHead(200).end())
    expect(await hooks.resend(first!)).toEqual({ delivered: true })
    const last = crm.seen.at(-1)!
    expect(last.id).toBe(first!.eventId)
    expect(verified(hooks.secretOf('crm'), last)).toMatchObject({ data: { id: first!.eventId } })
    expect((await hooks.deadLetters()).map(({ eventId }) => eventId)).toEqual([second!.eventId])
    await hooks.discard(second!)
    expect(await hooks.deadLetters()).toEqual([])
    expect((await tokens.health()).consumers).toMatchObject([{ name: 'webhook:crm', deadLetters: 0 }])
    expect(await refusal(hooks.resend(first!))).toBe('invalid_input letter')
    expect(await refusal(hooks.discard(undefined as never))).toBe('invalid_input letter')
    await mint(tokens)
  })

  it('a dead letter whose event was removed stays listed and reports event_removed on resend', async () => {
    const store = memoryStore()
    const tokens = instance({ store })
    await mint(tokens)
    const crm = await receiver((_, response) => response.writeHead(500).end())
    const hooks = start(tokens, crm.url)
    await until(async () => (await hooks.deadLetters()).length === 1)
    await store.removeEvents('acme_test', await trail(tokens))
    const [letter] = await hooks.deadLetters()
    expect(letter).not.toHaveProperty('event')
    expect(await hooks.resend(letter!)).toEqual({ delivered: false, failure: 'event_removed' })
    await hooks.discard(letter!)
    expect(await hooks.deadLetters()).toEqual([])
  })

  it('an endpoint reassigned to another tenant gets no dead letters of the previous tenant', async () => {
    const { tokens } = hearing()
    await mint(tokens, { tenantId: 'acme' })
    const acme = await receiver((_, response) => response.writeHead(500).end())
    const before = start(tokens, acme.url, {
      retry: { attempts: 1 },
      endpoints: [{ id: 'crm', url: acme.url, from: 'start', tenantId: 'acme' }],
    })
    await until(async () => (await before.deadLetters()).length === 1)
    await before.stop()
    const globex = await receiver()
    const hooks = start(tokens, globex.url, { endpoints: [{ id: 'crm', url: globex.url, tenantId: 'globex' }] })
    const [letter] = await hooks.deadLetters()
    expect(await hooks.resend(letter!)).toEqual({ delivered: false, failure: 'not_for_endpoint' })
    expect(globex.seen).toEqual([])
    expect(await hooks.deadLetters()).toHaveLength(1)
  })

  it('an endpoint lists its newest dead letters up to a limit and reports each that it drops', async () => {
    const { tokens, told } = hearing()
    for (let turn = 0; turn < MOST_DEAD_LETTERS + 3; turn += 1) await mint(tokens)
    const crm = await receiver((_, response) => response.writeHead(500).end())
    const hooks = start(tokens, crm.url, { retry: { attempts: 1 } })
    const ids = await trail(tokens)
    await until(async () => (await hooks.deadLetters()).at(-1)?.eventId === ids.at(-1))
    expect((await hooks.deadLetters()).map(({ eventId }) => eventId)).toEqual(ids.slice(3))
    expect(told('deadLetter').filter((line) => line.includes('no longer listed'))).toHaveLength(3)
  })

  it('a list of dead letters contains at most about 2 MiB of events, and a letter listed without its event can be resent', async () => {
    const { tokens } = hearing()
    const warehouse = Array.from({ length: 1000 }, (_, at) => `${at}`.padEnd(40, 'w'))
    for (let turn = 0; turn < 60; turn += 1) await mint(tokens, { resources: { warehouse } })
    let status = 500
    const crm = await receiver((_, response) => response.writeHead(status).end())
    const hooks = start(tokens, crm.url, { retry: { attempts: 1 } })
    await until(async () => (await hooks.deadLetters()).length === 60)
    const letters = await hooks.deadLetters()
    expect(JSON.stringify(letters).length).toBeLessThan(2.2 * 1024 * 1024)
    expect(letters[0]?.event?.after?.resources).toEqual({ warehouse })
    const last = letters.at(-1)
    expect(last).toEqual({ endpoint: 'crm', eventId: expect.any(String), attempts: 1, failure: 'status_500', failedAt: expect.any(Date) })
    status = 204
    expect(await hooks.resend(last ?? letters[0]!)).toEqual({ delivered: true })
  })

  it('webhooks honor Retry-After up to the longest wait, and use the longest wait after a 410', async () => {
    const { tokens, told } = hearing()
    await mint(tokens)
    for (const [status, headers, wait] of [
      [503, { 'retry-after': '120' }, '120 s'],
      [429, { 'retry-after': new Date(Date.now() + 90_000).toUTCString() }, /(89|90) s/],
      [429, { 'retry-after': '999999999' }, '3600 s'],
      [500, { 'retry-after': 'soon' }, '1 s'],
      [410, {}, '3600 s'],
    ] as const) {
      const crm = await receiver((_, response) => response.writeHead(status, headers).end())
      const hooks = start(tokens, crm.url, {
        retry: { first: 1, longest: '1h' },
        endpoints: [{ id: `crm-${told('webhook').length}`, url: crm.url, from: 'start' }],
      })
      const before = told('webhook').length
      await until(() => told('webhook').length > before)
      expect(told('webhook').at(-1)).toMatch(wait)
      await hooks.stop()
    }
  })

  it('a webhook body is at most 64 KiB and lists the values left out; its other fields are those of the audit log', async () => {
    const tokens = instance()
    const crm = await receiver()
    const hooks = start(tokens, crm.url)
    const wide = (tag: string) => Array.from({ length: 1000 }, (_, at) => `${tag}-${at}`.padEnd(22, '東'))
    const { record } = await mint(tokens, { resources: { warehouse: wide('a') }, metadata: { note: '東'.repeat(5000) } })
    await tokens.system.update(record.id, { name: 'new', resources: { warehouse: wide('b') }, metadata: { note: '西'.repeat(5000) } })
    await until(() => crm.seen.length === 2)
    const [created, updated] = crm.seen
    for (const each of [created, updated]) expect(Buffer.byteLength(each!.body)).toBeLessThanOrEqual(64 * 1024)
    expect(verified(hooks.secretOf('crm'), created!)).toMatchObject({ data: { omitted: ['after.resources'], after: { metadata: {} } } })
    const { items } = await tokens.system.events({ order: 'oldest' })
    const { before = {}, after = {}, ...event } = JSON.parse(JSON.stringify(items[1]))
    const { resources: _, ...smallBefore } = before
    const { resources: __, ...smallAfter } = after
    const data = { ...event, before: smallBefore, after: smallAfter, omitted: ['before.resources', 'after.resources'] }
    expect(verified(hooks.secretOf('crm'), updated!)).toEqual({ type: 'token.updated', timestamp: event.at, data })
    // The audit log keeps all values.
    expect(before.resources.warehouse).toHaveLength(1000)
    expect(after.resources.warehouse).toHaveLength(1000)
  })

  it('a webhook leaves out no more values than necessary to stay within 64 KiB', async () => {
    const tokens = instance()
    const crm = await receiver()
    start(tokens, crm.url)
    const values = (tag: string) => Array.from({ length: 1000 }, (_, at) => `${tag}-${String(at).padStart(5, '0')}`.padEnd(58, 'x'))
    const { record } = await mint(tokens, { resources: { warehouse: values('a') } })
    await tokens.system.update(record.id, { resources: { warehouse: values('b') } })
    await until(() => crm.seen.length === 2)
    const [created, updated] = crm.seen.map(({ body }) => JSON.parse(body).data)
    expect(created.omitted).toBeUndefined()
    expect(updated.omitted).toEqual(['before.resources'])
    expect(updated.before).toEqual({})
    expect(updated.after.resources.warehouse.join()).toBe(values('b').join())
  })

  it.each([413, 422])('an event that the receiver refuses with %i delays later events for only three quick attempts', async (status) => {
    const { tokens, told } = hearing()
    const [poison] = [await mint(tokens), await mint(tokens)]
    const crm = await receiver(({ body }, response) => response.writeHead(body.includes(poison.record.id) ? status : 200).end())
    const hooks = start(tokens, crm.url, { retry: { attempts: 8, first: 0.02, longest: '6h' } })
    await until(() => crm.seen.length === 4)
    const [one, two] = await trail(tokens)
    expect(crm.ids()).toEqual([one, one, one, two])
    expect(await hooks.deadLetters()).toMatchObject([{ eventId: one, attempts: 3, failure: `status_${status}` }])
    expect(told('webhook')[0]).toContain(`status_${status}, attempt 1 of 3`)
  })

  it('a refused event gets no more attempts than the option allows', async () => {
    const { tokens } = hearing()
    await mint(tokens)
    const crm = await receiver((_, response) => response.writeHead(413).end())
    const hooks = start(tokens, crm.url, { retry: { attempts: 2, first: 0.02 } })
    await until(async () => (await hooks.deadLetters()).length === 1)
    expect(crm.seen).toHaveLength(2)
  })

  it.each([
    ['400, as for a wrong signature', 400, {}],
    ['413 with Retry-After', 413, { 'retry-after': '1' }],
  ] as const)('an event answered with %s gets every attempt, because the event may not be the cause', async (_, status, headers) => {
    const { tokens, told } = hearing()
    await mint(tokens)
    const crm = await receiver((__, response) => response.writeHead(status, headers).end())
    start(tokens, crm.url, { retry: { attempts: 8, first: 0.02, longest: 1 } })
    await until(() => told('webhook').length > 0)
    expect(told('webhook')[0]).toContain(`status_${status}, attempt 1 of 8`)
  })

  it.each([400, 403, 404, 409])(
    'an event that the receiver refuses with %i right after another was delivered delays later events for only five attempts',
    async (status) => {
      const { tokens, told } = hearing()
      const [, poison] = [await mint(tokens), await mint(tokens), await mint(tokens)]
      const crm = await receiver(({ body }, response) => response.writeHead(body.includes(poison.record.id) ? status : 200).end())
      const hooks = start(tokens, crm.url, { retry: { attempts: 8, first: 0.01, longest: 1 } })
      await until(() => crm.seen.length === 7)
      const [one, two, three] = await trail(tokens)
      expect(crm.ids()).toEqual([one, two, two, two, two, two, three])
      expect(await hooks.deadLetters()).toMatchObject([{ eventId: two, attempts: 5, failure: `status_${status}` }])
      expect(told('webhook')[0]).toContain(`status_${status}, attempt 1 of 5`)
    },
  )

  it('when a receiver begins to refuse every event with 400, one event becomes a dead letter early, and the next gets every attempt', async () => {
    const { tokens, told } = hearing()
    for (let at = 0; at < 3; at += 1) await mint(tokens)
    const crm = await receiver((_, response, at) => response.writeHead(at === 1 ? 200 : 400).end())
    const hooks = start(tokens, crm.url, { retry: { attempts: 8, first: 0.01, longest: 1 } })
    await until(() => told('webhook').length === 5)
    expect(told('webhook').at(-1)).toContain('status_400, attempt 1 of 8')
    expect(await hooks.deadLetters()).toMatchObject([{ eventId: (await trail(tokens))[1], attempts: 5 }])
  })

  it.each([
    ['500', [500]],
    ['401', [401]],
    ['503 and then 404', [503, 404]],
  ] as const)('an event answered with %s right after another was delivered gets every attempt', async (_, statuses) => {
    const { tokens, told } = hearing()
    for (let at = 0; at < 2; at += 1) await mint(tokens)
    const crm = await receiver((__, response, at) => response.writeHead(at === 1 ? 200 : (statuses[at - 2] ?? 500)).end())
    start(tokens, crm.url, { retry: { attempts: 8, first: 0.01, longest: 1 } })
    await until(() => told('webhook').length >= statuses.length)
    for (const [at, status] of statuses.entries()) expect(told('webhook')[at]).toContain(`status_${status}, attempt ${at + 1} of 8`)
  })

  it('the attempt count is kept across a restart, and attempts before the due time do not count', async () => {
    const store = memoryStore()
    const crm = await receiver((_, response) => response.writeHead(500).end())
    await mint(instance({ store }))
    const clock = { now: Date.now() }
    const told: string[] = []
    for (const due of [0, 0, 0, 4000, 0, 40_000]) {
      clock.now += due
      const tokens = instance({ store, clock: () => clock.now, onError: ({ error }) => told.push(error.message) })
      const before = told.length
      start(tokens, crm.url, { retry: { attempts: 4, first: 3 } })
      await until(() => told.length > before)
      await tokens.close()
    }
    expect(told.map((line) => /attempt \d of 4|not counted/.exec(line)?.[0])).toEqual([
      'attempt 1 of 4',
      'not counted',
      'not counted',
      'attempt 2 of 4',
      'not counted',
      'attempt 3 of 4',
    ])
  })

  it('webhooks run on one of several nodes, and move to another when that node stops', async () => {
    const store = memoryStore()
    const nodes = [hearing({ store }), hearing({ store })] as const
    const crm = await slowReceiver()
    const running = nodes.map(({ tokens }) => start(tokens, crm.url))
    for (let turn = 0; turn < 10; turn += 1) await mint(nodes[turn % 2]!.tokens)
    await until(() => crm.seen.length === 10)
    await running[0]!.stop()
    for (let turn = 0; turn < 10; turn += 1) await mint(nodes[0].tokens)
    await until(() => crm.seen.length === 20)
    expect(crm.mostAtOnce()).toBe(1)
    expect(crm.ids()).toEqual(await trail(nodes[0].tokens))
  })

  it('webhooks lose no event when store responses are lost', { timeout: 120_000 }, async () => {
    const honest = memoryStore()
    let turn = 0
    const store = faultyStore(honest, ({ method }) => {
      if (!['events', 'consumers', 'saveConsumer'].includes(method)) return undefined
      turn += 1
      return turn % 4 === 0 ? { do: 'fail-after', error: new Error('connection reset') } : undefined
    })
    const tokens = instance({ store: store as TokenStore })
    const crm = await receiver((_, response, at) => response.writeHead(at % 3 === 0 ? 500 : 200).end())
    start(tokens, crm.url, { retry: { attempts: 20, first: 0.02, longest: 1 } })
    for (let at = 0; at < 8; at += 1) await mint(instance({ store: honest }))
    const expected = await trail(instance({ store: honest }))
    for (let tries = 0; tries < 8 && new Set(crm.ids()).size < 8; tries += 1)
      await until(() => new Set(crm.ids()).size >= 8).catch(() => undefined)
    expect([...new Set(crm.ids())]).toEqual(expected)
  })

  it('webhooks stop with their instance and send nothing afterward', async () => {
    const tokens = instance()
    const crm = await receiver(() => undefined)
    const hooks = start(tokens, crm.url, { timeout: 60 })
    await mint(tokens)
    await until(() => crm.seen.length === 1)
    await tokens.close()
    expect(await refusal(hooks.deadLetters())).toBe('closed undefined')
    expect(await refusal(hooks.resend({ endpoint: 'crm', eventId: 'x' }))).toBe('closed undefined')
    expect(crm.seen).toHaveLength(1)
  })

  it('webhooks expose no key, no derived secret, and no more of a URL than its origin', async () => {
    const honest = memoryStore()
    const { tokens, faults, lines } = hearing({ store: honest })
    await mint(tokens)
    const crm = await receiver((_, response) => response.writeHead(500).end('the secret answer'))
    const hooks = start(tokens, `${crm.url}/path-secret?token=query-secret`, { retry: { attempts: 2, first: 0.02 } })
    await until(async () => (await hooks.deadLetters()).length === 1)
    const secret = hooks.secretOf('crm')
    const everything = inspect(
      [hooks, await hooks.deadLetters(), faults, lines, await honest.consumers('acme_test'), await tokens.health()],
      { depth: 20, showHidden: true },
    )
    for (const hidden of [KEY, secret, secret.slice('whsec_'.length), 'path-secret', 'query-secret', 'secret answer', '/hooks'])
      expect(everything).not.toContain(hidden)
    expect(lines.join()).toContain('LATCHKEY_WEBHOOK_FAILED')
    expect(lines.join()).toContain('LATCHKEY_DEAD_LETTER')
  })

  it('webhooks() refuses an endpoint that already runs on the instance, until the other webhooks are stopped', async () => {
    const tokens = instance()
    const [one, two] = [await receiver(), await receiver()]
    const first = start(tokens, one.url)
    expect(() => start(tokens, two.url)).toThrow(
      expect.objectContaining({
        code: 'invalid_input',
        message: 'endpoints.0.id: already runs on this instance: stop() the other webhooks() first',
      }),
    )
    // A refused call leaves nothing behind.
    expect(() => start(instance(), two.url)).not.toThrow()
    await first.stop()
    const again = start(tokens, two.url)
    await first.stop()
    expect(() => start(tokens, one.url)).toThrow('already runs on this instance')
    await again.stop()
  })

  it('webhooks() rejects invalid options without quoting a key or a URL', async () => {
    const tokens = instance()
    const good: WebhookOptions = { webhookKey: KEY, endpoints: [{ id: 'crm', url: 'https://crm.example.com/' }] }
    const [endpoint] = good.endpoints
    const call = (options: unknown): Promise<string> => refusal((async () => webhooks(tokens, options as WebhookOptions))())
    const of = (fields: object): unknown => ({ ...good, endpoints: [{ ...endpoint, ...fields }] })
    expect(await call({ ...good, webhookKey: undefined })).toBe('invalid_input webhookKey')
    for (const webhookKey of ['short', 'a'.repeat(64), new Uint8Array(64), [], [KEY, 'short'], 7])
      expect(await call({ ...good, webhookKey })).toContain('invalid_input webhookKey')
    const said = (webhookKey: unknown) => () => webhooks(tokens, { ...good, webhookKey } as never)
    for (const empty of ['', new Uint8Array()]) expect(said(empty)).toThrow(/^webhookKey: is empty: check where it comes from/)
    expect(said('a'.repeat(31))).toThrow(/^webhookKey: is too short: it must be at least 32 random bytes/)
    expect(said('ab'.repeat(32))).toThrow(/^webhookKey: has too few different bytes/)
    expect(said([KEY, 'ab'.repeat(32)])).toThrow(/^webhookKey\.1: has too/)
    for (const id of ['', 'a b', '.crm', 'x'.repeat(41), 'a:b', 7]) expect(await call(of({ id }))).toBe('invalid_input endpoints.0.id')
    for (const name of ['tenantId', 'actions']) expect(await call(of({ [name]: undefined }))).toBe(`invalid_input endpoints.0.${name}`)
    expect(await call(of({ actions: ['token.revokd'] }))).toBe('invalid_input endpoints.0.actions.0')
    expect(() => webhooks(tokens, of({ actions: ['token.revokd'] }) as WebhookOptions)).toThrow(/did you mean "token.revoked"\?$/)
    expect(await call(of({ url: 'https://user:secret@example.com/' }))).toBe('invalid_input endpoints.0.url')
    expect(await call({ ...good, endpoints: [endpoint, endpoint] })).toBe('invalid_input endpoints.1.id')
    expect(await call({ ...good, retry: { attempts: 0 } })).toBe('invalid_input retry.attempts')
    expect(await call({ ...good, allowPrivate: ['10.0.0.0/99'] })).toBe('invalid_input allowPrivate.0')
    const broken = '-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----'
    for (const ca of ['/etc/ssl/own-ca.pem', '', broken, 7]) expect(await call({ ...good, ca })).toBe('invalid_input ca')
    await expect((async () => webhooks(tokens, of({ url: 'nonsense secret' }) as WebhookOptions))()).rejects.not.toThrow(/secret/)
    await expect((async () => webhooks(tokens, { ...good, webhookKey: 'short-secret' }))()).rejects.not.toThrow(/short-secret/)
    await expect((async () => webhooks({} as never, good))()).rejects.toThrow('tokens')
    const hooks = webhooks(tokens, good)
    expect(() => hooks.secretOf('constructor')).toThrow('must be the ID of one of the endpoints')
  })
})

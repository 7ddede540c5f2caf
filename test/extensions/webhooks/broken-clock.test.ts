import { memoryStore } from 'latchkey/stores/memory'
import { webhooks } from 'latchkey/webhooks'
import { expect, it } from 'vitest'
import { internalsOf } from '../../../src/instance.js'
import { instance, mint, principalOf, refusal, until } from '../../latchkey/harness.js'
import { receiver } from './receiver.js'

const KEY = 'q9Zf2mT7xLw4Rb8uYc1Vn6Kd3Hs5Gj0P'

it.each([
  ['NaN', Number.NaN],
  ['nothing', undefined],
  ['infinity', Number.POSITIVE_INFINITY],
  ['a time before 1970', -1],
])('a webhook sends nothing while the clock returns %s, and sends everything afterward', async (_, wrong) => {
  const store = memoryStore()
  let now: unknown = Date.now()
  const places: string[] = []
  const tokens = instance({ store, clock: () => now as number, onError: ({ where, error }) => places.push(`${where}: ${error.message}`) })
  const { record } = await mint(tokens)
  now = wrong
  const crm = await receiver()
  webhooks(tokens, {
    webhookKey: KEY,
    endpoints: [{ id: 'crm', url: crm.url, from: 'start' }],
    allowPrivate: ['127.0.0.1'],
    retry: { attempts: 3, first: 0.02 },
    timeout: 0.3,
  })
  await until(() => places.some((place) => place.startsWith('consumer: ')))
  expect(crm.seen).toEqual([])
  expect(places.find((place) => place.startsWith('consumer: '))).toContain('the clock option returned an invalid time')
  now = Date.now()
  await until(() => crm.seen.length === 1)
  expect(JSON.parse(crm.seen[0]?.body ?? '')).toMatchObject({ data: { tokenId: record.id } })
  expect(crm.seen[0]?.headers['webhook-timestamp']).toMatch(/^\d{10}$/)
})

it('no ticket, explanation, usage report or lease uses the time of an invalid clock', async () => {
  const store = memoryStore()
  let now = Date.now()
  const tokens = instance({ store, clock: () => now })
  const { token, record } = await mint(tokens)
  const principal = await principalOf(tokens.verify(token))
  now = Number.NaN
  expect(await refusal(internalsOf(tokens).createTicket(principal))).toBe('store_unavailable undefined')
  expect(await refusal(tokens.system.explain(record.id))).toBe('store_unavailable undefined')
  expect(await refusal(tokens.system.usage(record.id))).toBe('store_unavailable undefined')
  const late = instance({ store, clock: () => now })
  await late.verify(token)
  expect((await store.leases(0)).every(({ expiresAt }) => Number.isFinite(expiresAt))).toBe(true)
})

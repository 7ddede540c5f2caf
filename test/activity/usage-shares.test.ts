import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { expect, it } from 'vitest'
import { UsageRecorder } from '../../src/activity/usage.js'
import type { Entry } from '../../src/cache/entry.js'
import type { UsageCount } from '../../src/model/usage.js'
import { GuardedStore } from '../../src/store/guarded-store.js'
import { until } from '../latchkey/harness.js'

/** A recorder on a store that rejects usage while `down` is set, and the counts that were written. */
function world(): { recorder: UsageRecorder; counts: UsageCount[]; switchTo(down: boolean): void } {
  const counts: UsageCount[] = []
  let isDown = false
  const store = interceptStore({ ...memoryStore(), usageRows: 10_000 }, async ({ method, args }, proceed) => {
    if (method !== 'recordUsage') return proceed()
    if (isDown) throw new Error('cannot write in a read-only transaction')
    counts.push(...(args[0] as { counts: readonly UsageCount[] }).counts)
    return true
  })
  const guarded = new GuardedStore(
    store,
    60_000,
    () => performance.now(),
    () => undefined,
  )
  const recorder = new UsageRecorder(
    guarded,
    () => 'node',
    Date.now,
    () => undefined,
  )
  return {
    recorder,
    counts,
    switchTo(down) {
      isDown = down
    },
  }
}

// The recorder uses only these fields.
const entryOf = (fields: { id: string; tenantId?: string; ownerId?: string }): Entry => fields as Entry

/** Uses each of many tokens once. */
function useEach(recorder: UsageRecorder, count: number, terms: { tenantId?: string; ownerId?: string }, outcome = 'allowed'): void {
  for (let at = 0; at < count; at += 1) {
    recorder.count(entryOf({ id: `many-${at}`, ...terms }), Date.now(), 'GET /x', outcome, '', '203.0.113.9')
  }
}

const usesOf = (counts: readonly UsageCount[], id: string): number =>
  counts.filter(({ tokenId }) => tokenId === id).reduce((sum, { count }) => sum + count, 0)

it.each([
  ['tenant', { tenantId: 'busy' }, { tenantId: 'good' }],
  ['owner without a tenant', { ownerId: 'busy' }, {}],
])('while usage cannot be written, the tokens of one %s leave room for uses of other tokens', async (_, busy, good) => {
  const { recorder, counts, switchTo } = world()
  switchTo(true)
  useEach(recorder, 100_000, busy)
  const dropped = recorder.dropped
  expect(dropped).toBeGreaterThan(0)
  for (let use = 0; use < 500; use += 1) recorder.count(entryOf({ id: 'victim', ...good }), Date.now(), 'GET /y', 'allowed', '', undefined)
  expect(recorder.dropped).toBe(dropped)
  switchTo(false)
  await recorder.flush()
  expect(usesOf(counts, 'victim')).toBe(500)
  expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(100_500 - dropped)
})

it('while usage cannot be written, the endpoints of one tenant leave room for the endpoints of other tenants', async () => {
  const { recorder, counts, switchTo } = world()
  switchTo(true)
  for (let token = 0; token < 1000; token += 1) {
    const entry = entryOf({ id: `many-${token}`, tenantId: 'busy' })
    for (let at = 0; at < 256; at += 1) recorder.count(entry, Date.now(), `GET /${at}`, 'allowed', '', undefined)
  }
  recorder.count(entryOf({ id: 'victim', tenantId: 'good' }), Date.now(), 'GET /y', 'allowed', '', undefined)
  switchTo(false)
  await recorder.flush()
  expect(counts.filter(({ tokenId }) => tokenId === 'victim')).toMatchObject([{ endpoint: 'GET /y', count: 1 }])
})

it('while usage cannot be written, uses with wrong secrets leave room for uses by token holders', async () => {
  const { recorder, counts, switchTo } = world()
  switchTo(true)
  useEach(recorder, 100_000, { tenantId: 'good' }, 'secret_mismatch')
  useEach(recorder, 100_000, {}, 'secret_mismatch')
  recorder.count(entryOf({ id: 'victim', tenantId: 'good' }), Date.now(), 'GET /y', 'allowed', '', undefined)
  switchTo(false)
  await recorder.flush()
  expect(usesOf(counts, 'victim')).toBe(1)
})

it('while usage can be written, no use of a tenant with a huge number of tokens is lost between two flushes', async () => {
  const { recorder, counts } = world()
  for (let at = 0; at < 60_000; at += 1) {
    recorder.count(entryOf({ id: `many-${at}`, tenantId: 'busy' }), Date.now(), 'GET /x', 'allowed', '', undefined)
    if (at % 5000 === 4999) await until(() => recorder.waiting < 10_000)
  }
  await recorder.flush()
  expect(recorder.dropped).toBe(0)
  expect(counts).toHaveLength(60_000)
})

import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { internalsOf } from '../../src/instance.js'
import { readOptions } from '../../src/options.js'
import { deferred } from '../../src/store/deferred.js'
import { generateId, mintToken } from '../../src/token/generate.js'
import { instance, mint, pause, until, verdict, warm } from '../latchkey/harness.js'

/** A revoked token in the cache of a node that cannot read the feed. `answer` replaces the store's answers to reads. */
async function start(answer: (rows: unknown) => unknown, { deadline = 20, isMoved = false } = {}) {
  const primary = memoryStore()
  let isFeedLost = false
  const store = interceptStore(primary, async ({ method }, proceed) => {
    if (method === 'changes' && isFeedLost) throw new Error('the feed cannot be read')
    if (method === 'readMove' && isFeedLost && isMoved) return { state: 'left' }
    const rows = await proceed()
    return method === 'find' && isFeedLost ? await answer(rows) : rows
  })
  const there = instance({ store: primary })
  const here = instance({ store, cache: { maxStaleness: 0.1, serveStaleFor: 300 }, deadline })
  const { token, record } = await mint(there)
  await warm(here, token)
  isFeedLost = true
  await until(async () => !(await here.health()).feed.ok)
  await there.system.revoke(record.id)
  return { here, token, id: record.id }
}

describe('serveStaleFor', () => {
  it('accepts a cached token while the store does not answer', async () => {
    const { here, token } = await start(() => {
      throw new Error('the connection was refused')
    })
    expect(await verdict(here.verify(token))).toBe('ok')
  })

  it('serves a token derived from a cached one, which has less time left, while the store hangs', async () => {
    const { here, id } = await start(() => new Promise(() => undefined), { deadline: 0.3 })
    const standing = internalsOf(here).standing(id, undefined, 250)
    expect(await standing).toHaveProperty('scopes')
  })

  it('accepts no cached token after the tokens were moved to another store', async () => {
    const { here, token } = await start((rows) => rows, { isMoved: true })
    await until(async () => (await verdict(here.verify(token))) !== 'ok')
    for (let use = 0; use < 3; use += 1) expect(await verdict(here.verify(token))).toBe('store_unavailable')
  })

  it("does not accept a revoked token because its caller's share of the reads is used up", async () => {
    const held = deferred<void>()
    const { here, token } = await start(async (rows) => {
      await held.promise
      return rows
    })
    const ip = '198.51.100.7'
    const { random, digesters } = readOptions({ prefix: 'acme_test', store: memoryStore(), scopes: { 'stock:read': 'See stock' } })
    const forged = Array.from({ length: 3000 }, () => mintToken('acme_test', generateId(random), digesters[0], random).token)
    const flood = forged.map((each) => verdict(here.verify(each, { ip })))
    const refused = verdict(here.verify(token, { ip }))
    expect(await Promise.race([refused, pause(500).then(() => 'waits')])).toBe('store_unavailable')
    held.resolve()
    expect(new Set(await Promise.all(flood))).toEqual(new Set(['token_unknown', 'store_unavailable']))
    // So many forged tokens have also used up what this address may guess.
    expect(await verdict(here.verify(token, { ip: '203.0.113.1' }))).toBe('token_revoked')
  })

  it.each([
    ['a damaged row', (rows: unknown) => (rows as readonly object[]).map((row) => ({ ...row, digest: 'x' }))],
    ['a row that was not requested', () => [{ id: '0'.repeat(16) }]],
    ['no list', () => 'rows'],
  ])('does not accept a cached token if the store answers with %s', async (_what, answer) => {
    const { here, token } = await start(answer)
    expect(await verdict(here.verify(token))).toBe('store_unavailable')
  })
})

import type { Actor, Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { instance, mint, pause, type Scope, verdict, warm } from '../latchkey/harness.js'

const BOSS: Actor = { id: 'boss', tenants: ['t1'], manages: 'all' }
const HOLDER: Actor = { id: 'holder', tenants: ['t1'], manages: 'all' }

/**
 * A token in the cache of an instance. While `on`, its store never answers changes, and makes them only when the test says so. The store
 * has no wake-up channel.
 */
async function lostAnswers() {
  const lost = { on: false, slowFinds: 0, make: (): void => undefined }
  const store = interceptStore(memoryStore(), async ({ method }, proceed) => {
    if (method === 'subscribe') return () => undefined
    if (method === 'find' && lost.slowFinds > 0) {
      lost.slowFinds -= 1
      await pause(600)
    }
    if (!lost.on || method !== 'commit') return await proceed()
    await new Promise<void>((resolve) => {
      lost.make = resolve
    })
    await proceed()
    return await new Promise(() => undefined)
  })
  const tokens = instance({ store, deadline: '1s', cache: { maxStaleness: '30s' } })
  const { token, record } = await mint(tokens, { tenantId: 't1' })
  await warm(tokens, token)
  lost.on = true
  return { tokens, token, record, lost }
}

type End = (tokens: Latchkey<Scope>, id: string) => Promise<unknown>
const ENDS: readonly (readonly [string, End])[] = [
  ['a revocation', (tokens, id) => tokens.as(BOSS).revoke(id)],
  ['a deactivation', (tokens, id) => tokens.as(BOSS).deactivate(id)],
]

describe.each(ENDS)('after %s whose response was lost', (_what, end) => {
  it('no verification accepts a token whose revocation or deactivation got no response, even if the token was in constant use', async () => {
    const { tokens, token, record, lost } = await lostAnswers()
    const ended = end(tokens, record.id).catch(({ code }) => code)
    // The token is in constant use, so reads fill the cache while the change is in progress.
    const using = setInterval(() => void tokens.verify(token).catch(() => undefined), 5)
    try {
      await pause(100)
      expect(await verdict(tokens.verify(token))).toBe('ok')
      lost.make()
      expect(await ended).toBe('store_unavailable')
      expect(await verdict(tokens.verify(token))).not.toBe('ok')
    } finally {
      clearInterval(using)
    }
  })
})

it('a revocation whose caller stopped waiting takes effect once the store has written it, even if the token is in use', async () => {
  const { tokens, token, record, lost } = await lostAnswers()
  // The store has a whole deadline for the change, so it is still making the change when the deadline of the call has passed.
  lost.slowFinds = 1
  const revoked = tokens.as(BOSS).revoke(record.id)
  await expect(revoked).rejects.toMatchObject({ code: 'store_unavailable' })
  expect(await verdict(tokens.verify(token))).toBe('ok')
  lost.make()
  await new Promise((resolve) => setImmediate(resolve))
  expect(await verdict(tokens.verify(token))).toBe('token_revoked')
})

it('a revocation succeeds even if edits of the same token keep failing', async () => {
  let failing = false
  const store = interceptStore(memoryStore(), async ({ method, args }, proceed) => {
    if (!failing || method !== 'commit') return await proceed()
    const [{ events }] = args as [{ readonly events: readonly { readonly action: string }[] }]
    if (events.some(({ action }) => action === 'token.updated')) {
      await new Promise((resolve) => setImmediate(resolve))
      throw new Error('the row is too large')
    }
    return await proceed()
  })
  const tokens = instance({ store })
  const { token, record } = await mint(tokens, { tenantId: 't1' })
  failing = true
  const edit = async (at: number): Promise<void> => {
    while (failing)
      await tokens
        .as(HOLDER)
        .update(record.id, { name: `n${at}` })
        .catch(() => undefined)
  }
  const edits = Promise.all(Array.from({ length: 20 }, (_, at) => edit(at)))
  try {
    await tokens.as(BOSS).revoke(record.id)
  } finally {
    failing = false
    await edits
  }
  expect(await verdict(tokens.verify(token))).toBe('token_revoked')
})

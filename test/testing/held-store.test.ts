import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { heldStore } from 'latchkey/testing'
import { expect, it } from 'vitest'
import { findOne, insert, replace, token } from '../../src/testing/store-contract/build.js'

const prefix = 'acme'

it('heldStore() holds back a result that was read before a change', async () => {
  const store = heldStore(memoryStore())
  const old = token(prefix)
  await insert(store, [old])
  store.hold('find')
  const slow = store.find([old.id])
  const call = await store.next('find')
  expect(call.args).toEqual([[old.id]])
  await call.reach()
  await replace(store, old, { name: 'New' })
  await call.release()
  expect(await slow).toEqual([old])
})

it('heldStore() lets a change overtake a call that has not reached the store', async () => {
  const store = heldStore(memoryStore())
  const old = token(prefix)
  await insert(store, [old])
  store.hold('find')
  const slow = store.find([old.id])
  const present = await replace(store, old, { name: 'New' })
  await (await store.next('find')).release()
  expect(await slow).toEqual([present])
})

it('heldStore() answers each waiting call once, waits for later calls, and can fail a call', async () => {
  const store = heldStore(memoryStore())
  store.hold('find', 'usage')
  const third = store.next('usage')
  const calls = [store.find(['1']), store.find(['2'])]
  const [first, second] = [await store.next('find'), await store.next('find')]
  expect([first.args, second.args]).toEqual([[['1']], [['2']]])
  expect(store.waiting.length).toBe(2)
  second.fail(undefined)
  await expect(calls[1]).rejects.toBe(undefined)
  const report = store.usage({ tokenIds: [] })
  expect((await third).method).toBe('usage')
  await store.resume()
  expect(await calls[0]).toEqual([])
  expect(await report).toEqual({ counts: [], addresses: [] })
  expect(store.waiting).toEqual([])
  expect(store.find([])).toEqual([])
})

it('heldStore() resumes the named methods and keeps holding other methods', async () => {
  const store = heldStore(memoryStore())
  store.hold('find', 'usage')
  const find = store.find([])
  void store.usage({ tokenIds: [] })
  await store.resume('find')
  expect(await find).toEqual([])
  expect(store.waiting.map(({ method }) => method)).toEqual(['usage'])
  expect(await findOne(store, 'x')).toBe(undefined)
})

it('heldStore() lets other calls pass while one waits: a revocation overtakes a read', async () => {
  const store = heldStore(memoryStore())
  const scopes = { 'stock:read': 'See stock' }
  const tokens = latchkey({ prefix: 'acme', store, scopes })
  const others = latchkey({ prefix: 'acme', store, scopes })
  try {
    const { token, record } = await others.system.create({ name: 'ERP', scopes: ['stock:read'] })
    store.hold('find')
    const slow = tokens.verify(token)
    const read = await store.next('find')
    await read.reach()
    store.pass('find')
    expect(store.waiting).toEqual([read])
    await tokens.system.revoke(record.id)
    await read.release()
    await slow
    expect(await tokens.verify(token)).toEqual({ ok: false, code: 'token_revoked' })
  } finally {
    await store.resume()
    await tokens.close()
    await others.close()
  }
})

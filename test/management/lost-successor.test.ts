import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Answered, admin, bearer, type Harness, harness } from './support.js'

const TERMS = { scopes: ['tokens:rotate-self'] }

let h: Harness
let old: { readonly token: string; readonly id: string }
let key: string

beforeEach(async () => {
  h = harness()
  old = await h.create(admin, TERMS)
  key = randomUUID()
})

function rotate(body: object = {}, token = old.token, withKey: string | null = key): Promise<Answered> {
  const headers = { ...bearer(token), ...(withKey !== null && { 'idempotency-key': withKey }) }
  return h.call('POST', '/self/rotate', { body: { overlap: '1h', ...body }, headers })
}

const works = async (token: string): Promise<boolean> => (await h.tokens.verify(token)).ok
const all = async (): Promise<number> => (await h.tokens.system.list()).items.length

describe('a successor whose token never arrived', () => {
  let lost: Answered['body']

  beforeEach(async () => {
    lost = (await rotate()).body
  })

  it('is replaced for the holder of the old token, and ends at once', async () => {
    const again = await rotate()
    expect([again.status, again.body.replayed, again.body.record.id]).toEqual([200, true, lost.record.id])
    const found = await rotate({ lostId: lost.record.id })
    expect(found.status).toBe(201)
    expect(found.body.record).toMatchObject({ replacesId: lost.record.id, scopes: TERMS.scopes, status: 'active' })
    expect([await works(found.body.token), await works(lost.token), await works(old.token)]).toEqual([true, false, true])
  })

  it('may be lost again: then the last one is replaced, as often as it takes', async () => {
    let last = lost.record.id
    for (let times = 0; times < 4; times += 1) {
      const found = await rotate({ lostId: last })
      expect(found.status).toBe(201)
      // Whoever names the first one hears of the last one.
      const told = await rotate({ lostId: lost.record.id })
      expect([told.status, told.body.record.id]).toEqual([200, found.body.record.id])
      last = found.body.record.id
    }
    expect(await all()).toBe(6)
  })

  it('has one successor, however many ask at the same time and however late a copy comes', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => rotate({ lostId: lost.record.id })))
    const [found, ...others] = answers.filter(({ status }) => status === 201)
    expect(others).toEqual([])
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(9)
    for (const late of [{}, { lostId: lost.record.id }]) expect((await rotate(late)).status).toBe(200)
    expect(await works(found?.body.token)).toBe(true)
    expect(await all()).toBe(3)
  })

  it('is safe from whoever has the old token and not the key', async () => {
    for (const [other, status] of [
      [randomUUID(), 409],
      [null, 400],
      [`rotate-${old.id}`, 400],
      [key.replace(/-4(?=...-[89ab])/, '-7'), 400],
    ] as const) {
      const answer = await rotate({ lostId: lost.record.id }, old.token, other)
      expect([answer.status, answer.body.token]).toEqual([status, undefined])
    }
    expect((await h.call('POST', '/self/rotate', { body: { lostId: lost.record.id }, headers: bearer(old.token) })).body).toMatchObject({
      code: 'invalid_input',
      errors: [{ in: 'header', pointer: '#/idempotency-key' }],
    })
    expect(await works(lost.token)).toBe(true)
  })

  it('is safe once its holder has rotated it', async () => {
    const mine = await rotate({}, lost.token, randomUUID())
    const answer = await rotate({ lostId: lost.record.id })
    expect([answer.status, answer.body.code]).toEqual([409, 'conflict'])
    expect([await works(lost.token), await works(mine.body.token)]).toEqual([true, true])
  })

  it('stays revoked, deactivated or expired', async () => {
    await h.tokens.system.deactivate(lost.record.id)
    expect((await rotate({ lostId: lost.record.id })).status).toBe(409)
    await h.tokens.system.revoke(lost.record.id)
    expect((await rotate({ lostId: lost.record.id })).status).toBe(409)
    expect(await all()).toBe(2)
  })

  it('cannot be named with another overlap, and not once the old token has ended', async () => {
    const other = await rotate({ lostId: lost.record.id, overlap: '2h' })
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused'])
    await h.tokens.system.revoke(old.id)
    expect((await rotate({ lostId: lost.record.id })).status).toBe(401)
    expect(await works(lost.token)).toBe(true)
  })

  it('is told apart from any other token', async () => {
    const other = await h.create(admin, TERMS)
    const answer = await rotate({ lostId: other.id })
    expect([answer.status, answer.body.record.id]).toEqual([200, lost.record.id])
    expect([await works(other.token), await works(lost.token)]).toEqual([true, true])
    for (const lostId of ['', 'x', 5, null, lost.token, `${lost.record.id} `]) {
      expect((await rotate({ lostId })).body).toMatchObject({ code: 'invalid_input', errors: [{ in: 'body', pointer: '#/lostId' }] })
    }
  })

  it('leaves its trail in the audit: the old token made it, and replaced it', async () => {
    await rotate({ lostId: lost.record.id })
    const { items } = await h.tokens.system.events({ tokenId: lost.record.id })
    expect(items.map(({ action, actorId }) => `${action} by ${actorId}`)).toEqual([
      `token.rotated by token:${old.id}`,
      `token.created by token:${old.id}`,
    ])
  })
})

it('a rotation that never happened happens, also where a successor is named as lost', async () => {
  const answer = await rotate({ lostId: 'a'.repeat(16) })
  expect(answer.status).toBe(201)
  expect(await works(answer.body.token)).toBe(true)
})

it('needs the scope like any other rotation', async () => {
  const weak = await h.create(admin)
  const answer = await rotate({ lostId: 'a'.repeat(16) }, weak.token)
  expect([answer.status, answer.body.code]).toEqual([403, 'scope_insufficient'])
})

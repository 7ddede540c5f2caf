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

  it('one key can replace a lost successor at most 33 times', async () => {
    let last = lost.record.id
    const statuses: number[] = []
    for (let turn = 0; turn < 40; turn += 1) {
      const { status, body } = await rotate({ lostId: last })
      statuses.push(status)
      if (status === 201) last = body.record.id
    }
    expect([statuses.filter((status) => status === 201).length, new Set(statuses.slice(33))]).toEqual([33, new Set([409])])
  })

  it('the holder of the old token can replace a lost successor, which ends immediately', async () => {
    const again = await rotate()
    expect([again.status, again.body.replayed, again.body.record.id]).toEqual([200, true, lost.record.id])
    const found = await rotate({ lostId: lost.record.id })
    expect(found.status).toBe(201)
    expect(found.body.record).toMatchObject({ replacesId: lost.record.id, scopes: TERMS.scopes, status: 'active' })
    expect([await works(found.body.token), await works(lost.token), await works(old.token)]).toEqual([true, false, true])
  })

  it('a replacement can be lost and replaced again', async () => {
    let last = lost.record.id
    for (let times = 0; times < 4; times += 1) {
      const found = await rotate({ lostId: last })
      expect(found.status).toBe(201)
      // A request that names the first successor gets the record of the last successor.
      const told = await rotate({ lostId: lost.record.id })
      expect([told.status, told.body.record.id]).toEqual([200, found.body.record.id])
      last = found.body.record.id
    }
    expect(await all()).toBe(6)
  })

  it('concurrent and delayed requests create only one replacement for a lost successor', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => rotate({ lostId: lost.record.id })))
    const [found, ...others] = answers.filter(({ status }) => status === 201)
    expect(others).toEqual([])
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(9)
    for (const late of [{}, { lostId: lost.record.id }]) expect((await rotate(late)).status).toBe(200)
    expect(await works(found?.body.token)).toBe(true)
    expect(await all()).toBe(3)
  })

  it('a holder of the old token cannot replace a successor without the idempotency key', async () => {
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

  it('a successor that its holder has rotated cannot be replaced as lost', async () => {
    const mine = await rotate({}, lost.token, randomUUID())
    const answer = await rotate({ lostId: lost.record.id })
    expect([answer.status, answer.body.code]).toEqual([409, 'conflict'])
    expect([await works(lost.token), await works(mine.body.token)]).toEqual([true, true])
  })

  it('a deactivated or revoked successor cannot be replaced as lost', async () => {
    await h.tokens.system.deactivate(lost.record.id)
    expect((await rotate({ lostId: lost.record.id })).status).toBe(409)
    await h.tokens.system.revoke(lost.record.id)
    expect((await rotate({ lostId: lost.record.id })).status).toBe(409)
    expect(await all()).toBe(2)
  })

  it('a lost successor cannot be replaced with a different overlap or after the old token ended', async () => {
    const other = await rotate({ lostId: lost.record.id, overlap: '2h' })
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused'])
    await h.tokens.system.revoke(old.id)
    expect((await rotate({ lostId: lost.record.id })).status).toBe(401)
    expect(await works(lost.token)).toBe(true)
  })

  it("an ID other than the lost successor's replaces nothing, and a malformed ID is rejected", async () => {
    const other = await h.create(admin, TERMS)
    const answer = await rotate({ lostId: other.id })
    expect([answer.status, answer.body.record.id]).toEqual([200, lost.record.id])
    expect([await works(other.token), await works(lost.token)]).toEqual([true, true])
    for (const lostId of ['', 'x', 5, null, lost.token, `${lost.record.id} `]) {
      expect((await rotate({ lostId })).body).toMatchObject({ code: 'invalid_input', errors: [{ in: 'body', pointer: '#/lostId' }] })
    }
  })

  it('the audit log records that the old token created the lost successor and its replacement', async () => {
    await rotate({ lostId: lost.record.id })
    const { items } = await h.tokens.system.events({ tokenId: lost.record.id })
    expect(items.map(({ action, actorId }) => `${action} by ${actorId}`)).toEqual([
      `token.rotated by token:${old.id}`,
      `token.created by token:${old.id}`,
    ])
  })
})

it('a rotation that never happened runs even when the request names a lost successor', async () => {
  const answer = await rotate({ lostId: 'a'.repeat(16) })
  expect(answer.status).toBe(201)
  expect(await works(answer.body.token)).toBe(true)
})

it('replacing a lost successor requires the rotation scope', async () => {
  const weak = await h.create(admin)
  const answer = await rotate({ lostId: 'a'.repeat(16) }, weak.token)
  expect([answer.status, answer.body.code]).toEqual([403, 'scope_insufficient'])
})

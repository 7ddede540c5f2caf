import { describe, expect, it } from 'vitest'
import { admin, harness, MOUNT, superadmin, user } from './support.js'

describe('two administrators editing at once', () => {
  it('the first of two concurrent edits succeeds, and the other gets 412 with the current version', async () => {
    const { call, create } = harness()
    const { id } = await create(admin)
    const headers = { 'if-match': (await call('GET', `/${id}`, { actor: admin })).headers.get('etag') ?? '' }
    const answers = await Promise.all(
      ['one', 'two', 'three'].map((name) => call('PATCH', `/${id}`, { actor: admin, headers, body: { name } })),
    )
    const [won, ...others] = answers.filter((answer) => answer.status === 200)
    expect(others).toEqual([])
    expect(won?.headers.get('etag')).toBe('"2"')
    for (const lost of answers.filter((answer) => answer !== won)) {
      expect([lost.status, lost.body.code, lost.body.version, lost.headers.get('etag')]).toEqual([412, 'conflict', 2, '"2"'])
    }
    expect((await call('GET', `/${id}`, { actor: admin })).text).toBe(won?.text)
  })

  it('If-Match is compared as RFC 9110 requires', async () => {
    const { call, create } = harness()
    const { id } = await create(admin)
    const patch = async (tag: string): Promise<number> =>
      (await call('PATCH', `/${id}`, { actor: admin, headers: { 'if-match': tag }, body: { name: 'same' } })).status
    expect(await patch('*')).toBe(200)
    expect(await patch('"2"')).toBe(200)
    expect(await patch('"1", "2"')).toBe(200)
    expect(await patch('"1" , "7"')).toBe(412)
    expect(await patch('"02"')).toBe(412)
    expect(await patch('"other"')).toBe(412)
    expect(await patch('W/"2"')).toBe(412)
    for (const malformed of ['2', '""2', '"2', '"2",', '"2" "3"', '']) expect([malformed, await patch(malformed)]).toEqual([malformed, 400])
    for (const action of ['activate', 'deactivate']) {
      expect((await call('POST', `/${id}/${action}`, { actor: admin, headers: { 'if-match': '"9"' } })).status).toBe(412)
    }
  })

  it('routes that cannot check a version reject If-Match', async () => {
    const { call, create } = harness()
    const { id } = await create(admin)
    for (const path of [`/${id}/rotate`, `/${id}/revoke`, '/revoke-all']) {
      const body = path === '/revoke-all' ? { all: true } : {}
      const answer = await call('POST', path, { actor: admin, headers: { 'if-match': '"1"' }, body })
      expect([answer.status, answer.body.errors[0]]).toMatchObject([400, { in: 'header', pointer: '#/if-match' }])
    }
    expect((await call('GET', `/${id}`, { actor: admin })).body).toMatchObject({ version: 1, status: 'active' })
  })

  it('editing a token that the actor cannot see returns 404, not 412', async () => {
    const { call, create } = harness()
    const { id } = await create(superadmin)
    for (const tag of ['"1"', '"9"', '"1", "9"', '*', 'W/"1"']) {
      expect((await call('PATCH', `/${id}`, { actor: admin, headers: { 'if-match': tag }, body: { name: 'x' } })).status).toBe(404)
    }
  })
})

describe('a repeated request', () => {
  const body = { name: 'n', tenantId: 'acme', scopes: ['inventory:read'], expiresIn: 600, rotateEvery: 3600 }
  const headers = { 'idempotency-key': 'key-1' }

  it('a repeated creation makes only one token, and returns its record but never its text again', async () => {
    const { call, tokens } = harness()
    const answers = await Promise.all(Array.from({ length: 8 }, () => call('POST', '/', { actor: admin, headers, body })))
    const made = answers.filter((answer) => answer.status === 201)
    expect(made).toHaveLength(1)
    const [first] = made
    for (const again of answers.filter((answer) => answer !== first)) {
      expect([again.status, again.headers.get('location')]).toEqual([200, `${MOUNT}/${first?.body.record.id}`])
      expect(again.body).toEqual({ record: first?.body.record, replayed: true })
    }
    expect((await tokens.system.list()).items).toHaveLength(1)
    expect((await tokens.system.events({ action: 'token.created' })).items).toHaveLength(1)
  })

  it('after a creation whose response was lost, rotating the token provides a usable secret', async () => {
    const { call, tokens } = harness()
    await call('POST', '/', { actor: admin, headers, body })
    const again = await call('POST', '/', { actor: admin, headers, body })
    const rotated = await call('POST', `/${again.body.record.id}/rotate`, { actor: admin })
    expect((await tokens.verify(rotated.body.token)).ok).toBe(true)
  })

  it('an idempotency key is rejected for different input, and the keys of each actor are separate', async () => {
    const { call } = harness()
    const first = await call('POST', '/', { actor: admin, headers, body })
    const other = await call('POST', '/', { actor: admin, headers, body: { ...body, scopes: [] } })
    expect([other.status, other.body.code, other.body.errors[0].pointer]).toEqual([422, 'idempotency_key_reused', '#/idempotency-key'])
    const another = await call('POST', '/', { actor: user, headers, body })
    expect(another.status).toBe(201)
    expect(another.body.record.id).not.toBe(first.body.record.id)
  })

  it('a repeated rotation rotates once', async () => {
    const { call, create, tokens } = harness()
    const { id } = await create(admin)
    const rotate = (ask: object) => call('POST', `/${id}/rotate`, { actor: admin, body: { overlap: 60 }, ...ask })
    const answers = await Promise.all(Array.from({ length: 8 }, () => rotate({ headers })))
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 200, 200, 200, 200, 200, 200, 201])
    const first = answers.find((answer) => answer.status === 201)
    for (const again of answers.filter((answer) => answer !== first)) {
      expect(again.body).toMatchObject({ replayed: true, record: { id: first?.body.record.id } })
      expect(again.body).not.toHaveProperty('token')
    }
    expect((await rotate({ headers, body: { overlap: 61 } })).status).toBe(422)
    expect((await rotate({ headers: { 'idempotency-key': 'key-2' } })).status).toBe(409)
    expect((await rotate({})).status).toBe(409)
    expect((await tokens.system.list()).items).toHaveLength(2)
  })

  it('the idempotency key is accepted with or without quotes, and invalid keys are rejected', async () => {
    const { call } = harness()
    expect((await call('POST', '/', { actor: admin, headers, body })).status).toBe(201)
    expect((await call('POST', '/', { actor: admin, headers: { 'idempotency-key': '"key-1"' }, body })).status).toBe(200)
    for (const key of ['', '""', 'a b', 'é', 'x'.repeat(256), 'a, b']) {
      const answer = await call('POST', '/', { actor: admin, headers: { 'idempotency-key': key }, body })
      expect([key, answer.status, answer.body.errors[0].pointer]).toEqual([key, 400, '#/idempotency-key'])
    }
  })
})

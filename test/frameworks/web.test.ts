import type { FaultReport } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, interceptStore, testLatchkey } from 'latchkey/testing'
import { authenticate, management, requireScopes } from 'latchkey/web'
import { describe, expect, it } from 'vitest'
import { bearer, endpointsOf, kit } from '../support/http/tokens.js'

const request = (init?: RequestInit, path = '/'): Request => new Request(`http://host.test${path}`, init)

describe('on web requests', () => {
  it('authenticate returns the principal, the response, or neither if optional', async () => {
    const { tokens, token, id } = await kit()
    expect((await authenticate(tokens, request(bearer(token)))).principal?.tokenId).toBe(id)
    expect((await authenticate(tokens, request())).response?.status).toBe(401)
    expect(await authenticate(tokens, request(), { optional: true })).toEqual({})
    expect((await authenticate(tokens, request(bearer('x')), { optional: true })).response?.status).toBe(401)
  })

  it('authenticate answers 503 and never rejects when the store is down', async () => {
    const { outage, token } = await kit()
    const { response } = await authenticate(outage, request(bearer(token)))
    expect([response?.status, response?.headers.get('retry-after')]).toEqual([503, '1'])
  })

  it('authenticate checks scopes and resources in the same call and counts one refusal', async () => {
    const { tokens, create } = await kit()
    const { token, id } = await create({ resources: { warehouse: ['w1'] } })
    const read = requireScopes('a:read', { warehouse: (asked) => new URL(asked.url).pathname.slice(1) })
    const call = async (path: string, require = read) =>
      authenticate(tokens, request(bearer(token), path), { require, endpoint: '/:warehouse', ip: '192.0.2.1' })
    expect((await call('/w1')).principal?.tokenId).toBe(id)
    expect((await call('/w2')).response?.status).toBe(403)
    expect((await call('/w1', requireScopes('a:write'))).response?.status).toBe(403)
    expect(await endpointsOf(tokens, id, 3)).toEqual([
      'GET /:warehouse allowed',
      'GET /:warehouse resource_denied',
      'GET /:warehouse scope_insufficient',
    ])
  })

  it('concurrent calls for one request each check the scopes of their own caller', async () => {
    const { tokens, create } = await kit()
    const low = await create({ scopes: ['a:read'] })
    const high = await create({ scopes: ['a:write'] })
    const host = (): Request => request({ headers: { authorization: `Bearer ${low.token}`, 'x-api-key': high.token } })
    const calls = (asked: Request) => [
      authenticate(tokens, asked, { require: requireScopes('a:write') }),
      authenticate(tokens, asked, { credential: { header: 'x-api-key' }, require: requireScopes('a:write') }),
    ]
    for (const order of [calls, (asked: Request) => calls(asked).toReversed()]) {
      const seen = await Promise.all(order(host()))
      expect(seen.map(({ response, principal }) => response?.status ?? principal?.tokenId).sort()).toEqual([403, high.id].sort())
    }
  })

  it('a part of a request stays admitted while another part authenticates it, unless that part is then refused', async () => {
    const { tokens, create } = await kit()
    const { token } = await create({ scopes: ['a:read'] })
    const mayRead = requireScopes('a:read')
    const batch = request(bearer(token))
    expect((await authenticate(tokens, batch)).response).toBeUndefined()
    const another = authenticate(tokens, batch)
    expect(await mayRead(batch)).toBeUndefined()
    expect((await another).response).toBeUndefined()
    expect(await mayRead(batch)).toBeUndefined()
    const refused = authenticate(await kit().then((other) => other.tokens), batch)
    expect(await mayRead(batch)).toBeUndefined()
    expect((await refused).response?.status).toBe(401)
    expect((await mayRead(batch))?.status).toBe(500)
  })

  it('a part of a request is no longer admitted once the decision about another part has failed', async () => {
    const { tokens, outage, token } = await kit()
    const batch = request(bearer(token))
    expect((await authenticate(tokens, batch)).response).toBeUndefined()
    expect((await authenticate(outage, batch)).response?.status).toBe(503)
    expect((await requireScopes('a:read')(batch))?.status).toBe(500)
  })

  it('a check that is undefined by mistake is refused instead of admitting every token', async () => {
    const { tokens, token } = await kit()
    const checks: { readonly read?: ReturnType<typeof requireScopes> } = {}
    const wrong = { require: checks.read } as object
    await expect(authenticate(tokens, request(bearer(token)), wrong)).rejects.toMatchObject({ code: 'invalid_input', field: 'require' })
  })

  it('requireScopes accepts only the request object that was authenticated', async () => {
    const { tokens, token } = await kit()
    const mayRead = requireScopes('a:read')
    const good = request(bearer(token))
    expect((await mayRead(good))?.status).toBe(500)
    await authenticate(tokens, good)
    expect(await mayRead(good)).toBeUndefined()
    expect((await mayRead(good.clone()))?.status).toBe(500)
  })

  it('authenticate gets the address only from the ip option', async () => {
    const { tokens, create } = await kit()
    const { token } = await create({ allowedIps: ['203.0.113.7'] })
    const headers = { authorization: `Bearer ${token}`, 'x-forwarded-for': '203.0.113.7' }
    const codes: string[] = []
    const onWarning = ({ code }: { code: string }): void => void codes.push(code)
    expect((await authenticate(tokens, request({ headers }), { onWarning })).response?.status).toBe(403)
    expect((await authenticate(tokens, request({ headers }), { onWarning, ip: '::ffff:203.0.113.7' })).response).toBeUndefined()
    expect(codes).toEqual(['LATCHKEY_W005'])
  })

  it('authenticate uses the address of each call, even for concurrent calls and a repeated request', async () => {
    const { tokens, create } = await kit()
    const { token } = await create({ allowedIps: ['203.0.113.7'] })
    const statusOf = async (asked: Request, ip?: string): Promise<number | undefined> =>
      (await authenticate(tokens, asked, ip === undefined ? {} : { ip })).response?.status
    const again = request(bearer(token))
    const asked = [statusOf(again, '203.0.113.7'), statusOf(request(bearer(token)), '203.0.113.8'), statusOf(request(bearer(token)))]
    expect(await Promise.all(asked)).toEqual([undefined, 403, 403])
    expect(await statusOf(again)).toBe(403)
    expect(await statusOf(again, '203.0.113.7')).toBeUndefined()
  })

  it('an ip callback of the management API that throws causes a 503, and the error is reported', async () => {
    const heard: string[] = []
    const onError = ({ where, error }: FaultReport): unknown => heard.push(`${where}: ${error.cause}`)
    const { tokens } = testLatchkey({ scopes: { 'a:read': 'Read' }, onError, logger: false })
    const ip = (): never => {
      throw new Error('no such header')
    }
    const answer = await management(tokens, { mountPath: '/t', actor: () => undefined, ip })(new Request('http://a.test/t'))
    expect([answer.status, heard]).toEqual([503, ['ip: Error: no such header']])
  })

  describe('with waitUntil', () => {
    /** An instance that flushes too late for a test, and a record of its writes. */
    const late = () => {
      const written: string[] = []
      const heard: string[] = []
      const store = interceptStore(memoryStore(), ({ method }, proceed) => {
        if (method === 'recordUsage' || method === 'commit') written.push(method)
        return proceed()
      })
      const onError = ({ where, error }: FaultReport): unknown => heard.push(`${where}: ${error.cause}`)
      const made = testLatchkey({ scopes: { 'a:read': 'Read' }, store, usage: { flushEvery: 60 }, onError, logger: false })
      return { ...made, store, written, heard }
    }

    it('waitUntil receives the writes for a use and a refused attempt, and the response waits for neither', async () => {
      const { tokens, tokenFor, written } = late()
      const token = await tokenFor()
      written.length = 0
      const handed: Promise<unknown>[] = []
      const waitUntil = (work: Promise<unknown>): unknown => handed.push(work)
      expect(await authenticate(tokens, request(bearer(token)), { waitUntil })).toMatchObject({ principal: { kind: 'token' } })
      expect(written).toEqual([])
      await Promise.all(handed.splice(0))
      expect(written).toEqual(['recordUsage'])
      const manage = management(tokens, { mountPath: '/t', actor: () => undefined, waitUntil })
      const change = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
      expect((await manage(new Request('http://a.test/t', change))).status).toBe(401)
      await Promise.all(handed.splice(0))
      expect(written).toEqual(['recordUsage', 'commit'])
      await tokens.close()
    })

    it.each([
      [
        'throws',
        () => {
          throw new Error('no context')
        },
      ],
      ['rejects', async () => Promise.reject(new Error('no context'))],
    ])('a waitUntil callback that %s is reported, and the request is still authenticated', async (_, waitUntil) => {
      // biome-ignore format: short
      const { tokens, tokenFor, heard } = late()
      const token = await tokenFor()
      expect(await authenticate(tokens, request(bearer(token)), { waitUntil })).toMatchObject({ principal: { kind: 'token' } })
      await expect.poll(() => heard).toEqual(['waitUntil: Error: no context'])
      await tokens.close()
    })

    it('failed work passed to waitUntil is reported and does not reject, so no platform mistakes it for a crash', async () => {
      const store = faultyStore(memoryStore())
      const heard: string[] = []
      const onError = ({ where }: FaultReport): unknown => heard.push(where)
      const { tokens, tokenFor } = testLatchkey({ scopes: { 'a:read': 'Read' }, store, usage: { flushEvery: 60 }, onError, logger: false })
      const token = await tokenFor()
      store.behave(({ method }) => (method === 'recordUsage' ? { do: 'fail', error: new Error('down') } : undefined))
      let handed: Promise<unknown> | undefined
      await authenticate(tokens, request(bearer(token)), {
        waitUntil: (work) => {
          handed = work
        },
      })
      await handed
      expect(heard).toEqual(['store.recordUsage'])
    })

    it('a waitUntil option that is not a function is rejected', async () => {
      const { tokens } = late()
      for (const wrong of [true, {}, null]) {
        await expect(authenticate(tokens, request(), { waitUntil: wrong as never })).rejects.toMatchObject({ field: 'waitUntil' })
        expect(() => management(tokens, { mountPath: '/t', actor: () => undefined, waitUntil: wrong as never })).toThrow(/waitUntil/)
      }
    })
  })

  it('authenticate and management reject unknown and missing options', async () => {
    const { tokens, token } = await kit()
    await expect(authenticate(tokens, request(bearer(token)), { optinal: true } as never)).rejects.toThrow(/optinal/)
    await expect(authenticate(tokens, request(bearer(token)), null as never)).rejects.toMatchObject({
      code: 'invalid_input',
      field: 'options',
    })
    expect(() => management(tokens, { actor: () => undefined } as never)).toThrow(/mountPath/)
    expect(() => management(tokens, { mountPath: '/x' } as never)).toThrow(/actor/)
  })

  it('authenticate does not read the request body', async () => {
    const { tokens, token } = await kit()
    const posted = request({ method: 'POST', body: 'text', headers: { authorization: `Bearer ${token}` } })
    await authenticate(tokens, posted)
    expect(await posted.text()).toBe('text')
  })
})

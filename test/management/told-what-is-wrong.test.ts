import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { management } from 'latchkey/web'
import { describe, expect, it, vi } from 'vitest'

function api(actor: unknown) {
  const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } })
  return { tokens, call: management(tokens, { mountPath: '/t', actor: () => actor as never }) }
}

describe('setup mistakes are reported to the developer', () => {
  it('an incomplete actor is reported to the developer and answered with 401', async () => {
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    try {
      const { tokens, call } = api({ id: 7, tenants: ['acme'], manages: 'own' })
      const answer = await call(new Request('http://localhost/t/me'))
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([401, 'actor_missing'])
      expect(emit).toHaveBeenCalledWith(
        expect.stringContaining('actor.id: must be a string'),
        expect.objectContaining({ code: 'LATCHKEY_W006' }),
      )
      await tokens.close()
    } finally {
      emit.mockRestore()
    }
  })

  it('an actor that is a string is reported to the developer, and a falsy actor is not', async () => {
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    try {
      for (const [actor, times] of [
        [undefined, 0],
        [null, 0],
        [false, 0],
        ['', 0],
        ['ada', 1],
      ] as const) {
        const { tokens, call } = api(actor)
        expect((await call(new Request('http://localhost/t/me'))).status).toBe(401)
        expect(emit).toHaveBeenCalledTimes(times)
        await tokens.close()
      }
      expect(emit).toHaveBeenCalledWith(expect.stringContaining('not a string'), expect.objectContaining({ code: 'LATCHKEY_W006' }))
    } finally {
      emit.mockRestore()
    }
  })

  it('a request outside the mount path is reported once, and the response mentions neither tokens nor the mount path', async () => {
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    try {
      const { tokens, call } = api({ id: 'ada', tenants: '*', manages: 'all' })
      const bodies: unknown[] = []
      for (const path of ['/api/t', '/api/t/grantable', '/tt', '/t/no/such/path']) {
        const answer = await call(new Request(`http://localhost${path}`))
        bodies.push(await answer.json())
      }
      const problem = { title: 'Not Found', status: 404, detail: 'there is nothing at this path', code: 'not_found' }
      expect(bodies).toEqual([problem, problem, problem, problem])
      expect(emit).toHaveBeenCalledTimes(1)
      expect(emit).toHaveBeenCalledWith(
        expect.stringMatching(/mountPath.*"\/api\/t" is not below "\/t"/),
        expect.objectContaining({ code: 'LATCHKEY_W014' }),
      )
      await tokens.close()
      const nobody = api(undefined)
      expect((await nobody.call(new Request('http://localhost/api/t'))).status).toBe(401)
      await nobody.tokens.close()
    } finally {
      emit.mockRestore()
    }
  })

  it('a ticket in a path outside the mount path is not shown', async () => {
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    try {
      const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } })
      const call = management(tokens, { mountPath: '/shown', actor: () => undefined as never })
      await call(new Request(`http://localhost/wrong/latchkey.ticket.${'S3cretS'.repeat(7)}`))
      expect(emit).toHaveBeenCalledWith(
        expect.stringContaining('"/wrong/latchkey.ticket.…"'),
        expect.objectContaining({ code: 'LATCHKEY_W014' }),
      )
      await tokens.close()
    } finally {
      emit.mockRestore()
    }
  })

  it('missing arguments cause errors that name them', async () => {
    const { tokens } = api(undefined)
    expect(() => management(tokens, undefined as never)).toThrow('actor: must be a function')
    for (const name of ['actors', 'Actor', 'acter'])
      expect(() => management(tokens, { mountPath: '/t', [name]: () => undefined } as never)).toThrow(
        `${name}: unknown field; did you mean "actor"?`,
      )
    expect(() => management({ prefix: 'acme_live' } as never, { mountPath: '/t', actor: () => undefined })).toThrow(
      'tokens: must be the result of',
    )
    expect(() => management(tokens, { mountPath: 't/', actor: () => undefined })).toThrow('mountPath: must be the path')
    await tokens.close()
  })

  it('a field error names the field only in its pointer', async () => {
    const { tokens, call } = api({ id: 'ada', tenants: '*', manages: 'all' })
    const body = JSON.stringify({ nam: 'x', scopes: [] })
    const answer = await call(new Request('http://localhost/t/', { method: 'POST', body, headers: { 'content-type': 'application/json' } }))
    const { detail, errors } = (await answer.json()) as { detail: string; errors: unknown }
    expect(detail).toBe('nam: unknown field; did you mean "name"?')
    expect(errors).toEqual([
      { in: 'body', pointer: '#/nam', detail: 'unknown field; did you mean "name"?' },
      { in: 'body', pointer: '#/name', detail: 'is required and must be a string' },
    ])
    await tokens.close()
  })
})

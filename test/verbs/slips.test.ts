import { readFile } from 'node:fs/promises'
import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it, vi } from 'vitest'

const ADA = { id: 'ada', tenants: ['globex'], manages: 'own' } as const

async function kit() {
  const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } })
  const { token = '', record } = await tokens.system.create({ name: 'ERP', tenantId: 'acme', scopes: ['inventory:read'] })
  return { tokens, token, id: record.id }
}

describe('mistakes in calls to the verbs', () => {
  it('refuses options of the first version instead of ignoring them', async () => {
    const { tokens, id } = await kit()
    const old = { actor: ADA } as never
    for (const call of [tokens.system.update(id, { name: 'x' }, old), tokens.system.activate(id, old), tokens.system.deactivate(id, old)]) {
      await expect(call).rejects.toMatchObject({ code: 'invalid_input', field: 'actor' })
    }
    await expect(tokens.system.revoke(id, old)).rejects.toMatchObject({ code: 'invalid_input', field: 'actor' })
    expect((await tokens.system.get(id))?.status).toBe('active')
    await tokens.close()
  })

  it('refuses an actor with misspelled scopes or resources instead of treating it as unlimited', async () => {
    const { tokens } = await kit()
    for (const field of ['scope', 'Scopes', 'resource']) {
      const actor = { id: 'ada', tenants: ['acme'], manages: 'all', [field]: [] } as never
      expect(() => tokens.as(actor)).toThrow(expect.objectContaining({ code: 'invalid_input', field: `actor.${field}` }))
    }
    await tokens.close()
  })

  it('refuses a token in place of an ID, without repeating it', async () => {
    const { tokens, token } = await kit()
    const tries = [
      tokens.system.get(token),
      tokens.system.revoke(token),
      tokens.system.rotate(token),
      tokens.system.events({ tokenId: token }),
    ]
    for (const tried of tries) {
      const error = await tried.then(
        () => undefined,
        (thrown: Error) => thrown,
      )
      expect(error).toMatchObject({ code: 'invalid_input', message: expect.stringContaining('pass its ID') })
      expect(String(error)).not.toContain(token.slice(-49))
    }
    await tokens.close()
  })

  it('suggests the correction of a misspelled field before reporting the missing field', async () => {
    const { tokens } = await kit()
    const cases = [
      [{ nam: 'x', scopes: [] }, 'name'],
      [{ name: 'x', scopes: [], expiresin: 60 }, 'expiresIn'],
      [{ name: 'x', scopes: [], tenant: 'acme' }, 'tenantId'],
    ] as const
    for (const [input, meant] of cases) {
      await expect(tokens.system.create(input as never)).rejects.toThrow(`unknown field; did you mean "${meant}"?`)
    }
    await expect(tokens.system.create(undefined as never)).rejects.toThrow(
      'create(): must be an object: { name, description, tenantId, ownerId, scopes, … }, not undefined',
    )
    await tokens.close()
  })

  it('suggests cursor or limit for a wrong paging parameter', async () => {
    const { tokens } = await kit()
    const cases = [
      [{ page: 2 }, 'cursor'],
      [{ offset: 50 }, 'cursor'],
      [{ skip: 50 }, 'cursor'],
      [{ pageSize: 50 }, 'limit'],
      [{ per_page: 50 }, 'limit'],
    ] as const
    for (const [input, meant] of cases) {
      await expect(tokens.system.list(input as never)).rejects.toThrow(`unknown field; did you mean "${meant}"?`)
      await expect(tokens.system.events(input as never)).rejects.toThrow(`unknown field; did you mean "${meant}"?`)
    }
    await expect(tokens.system.create({ name: 'x', scopes: [], page: 2 } as never)).rejects.not.toThrow('cursor')
    await tokens.close()
  })

  it('refuses scopes and resources in the context of verify(), which would not check them', async () => {
    const { tokens, token } = await kit()
    for (const field of ['scopes', 'scope', 'require', 'resources']) {
      const context = { ip: '192.0.2.1', [field]: ['inventory:read'] } as never
      await expect(tokens.verify(token, context)).rejects.toMatchObject({
        code: 'invalid_input',
        field,
        message: expect.stringContaining('principal.allows(scope, resources)'),
      })
    }
    expect((await tokens.verify(token, { ip: '192.0.2.1', endpoint: '/stock', method: 'GET' })).ok).toBe(true)
    await tokens.close()
  })

  it('suggests tokenId if events() is called with an ID', async () => {
    const { tokens, id } = await kit()
    await expect(tokens.system.events({ id } as never)).rejects.toThrow('unknown field; did you mean "tokenId"?')
    await tokens.close()
  })

  it.each([
    ['a promise', Promise.resolve('x'), 'verify() received a promise and answered token_malformed: await it'],
    ['a web request', new Request('http://a.test'), 'pass the token alone'],
    ['the headers of a web request', new Headers({ authorization: 'Bearer x' }), 'pass the token alone'],
    ['the headers of a Node request', { authorization: 'Bearer x' }, 'pass the token alone'],
    ['a Node request', { headers: {} }, 'authenticate(tokens)'],
  ])('verify() refuses %s instead of a token, and warns the developer once', async (_name, given, says) => {
    const { tokens } = await kit()
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    try {
      for (const other of [undefined, null, 7, {}, [], JSON.parse('{"then":1}')]) await tokens.verify(other as never)
      expect(emit).not.toHaveBeenCalled()
      for (let calls = 0; calls < 2; calls += 1) expect(await tokens.verify(given as never)).toEqual({ ok: false, code: 'token_malformed' })
      expect(emit).toHaveBeenCalledTimes(1)
      expect(emit).toHaveBeenCalledWith(expect.stringContaining(says), { type: 'LatchkeyWarning', code: 'LATCHKEY_VERIFY_NOT_TEXT' })
      expect(await readFile(new URL('../../docs/diagnostics.md', import.meta.url), 'utf8')).toContain('## LATCHKEY_VERIFY_NOT_TEXT\n')
    } finally {
      emit.mockRestore()
      await tokens.close()
    }
  })

  it('verify() warns about a scheme even after it has warned about a value that is not text', async () => {
    const { tokens, token } = await kit()
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    try {
      await tokens.verify(Promise.resolve(token) as never)
      await tokens.verify(`Bearer ${token}`)
      expect(emit.mock.calls.map(([, about]) => Reflect.get(Object(about), 'code'))).toEqual([
        'LATCHKEY_VERIFY_NOT_TEXT',
        'LATCHKEY_VERIFY_BEARER',
      ])
    } finally {
      emit.mockRestore()
      await tokens.close()
    }
  })

  it('introspect() also warns when it receives a promise instead of a token', async () => {
    const { tokens } = await kit()
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    try {
      expect(await tokens.introspect(Promise.resolve('x') as never)).toEqual({ active: false })
      expect(emit).toHaveBeenCalledWith(
        expect.stringContaining('introspect() received a promise and answered that the token is not active: await it'),
        {
          type: 'LatchkeyWarning',
          code: 'LATCHKEY_VERIFY_NOT_TEXT',
        },
      )
    } finally {
      emit.mockRestore()
      await tokens.close()
    }
  })

  it('refuses a token passed to verify() with its scheme, and warns the developer once', async () => {
    const { tokens, token } = await kit()
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    try {
      for (const given of ['Bearer x', 'acme_live_x', `Token ${token}`, ` ${token}`]) await tokens.verify(given)
      expect(emit).not.toHaveBeenCalled()
      for (const given of [`Bearer ${token}`, `bearer  ${token}`]) {
        expect(await tokens.verify(given)).toEqual({ ok: false, code: 'token_malformed' })
      }
      expect(emit).toHaveBeenCalledTimes(1)
      expect(emit).toHaveBeenCalledWith(expect.stringContaining('pass only the token'), {
        type: 'LatchkeyWarning',
        code: 'LATCHKEY_VERIFY_BEARER',
      })
      expect(JSON.stringify(emit.mock.calls)).not.toContain(token)
      expect(await readFile(new URL('../../docs/diagnostics.md', import.meta.url), 'utf8')).toContain('## LATCHKEY_VERIFY_BEARER\n')
    } finally {
      emit.mockRestore()
      await tokens.close()
    }
  })
})

import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'

const SYSTEM = { actor: 'system' } as const
const ADA = { id: 'ada', tenants: ['globex'], manages: 'own' } as const

async function kit() {
  const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } })
  const { token = '', record } = await tokens.create({ name: 'ERP', tenantId: 'acme', scopes: ['inventory:read'] }, SYSTEM)
  return { tokens, token, id: record.id }
}

describe('slips of those who call the verbs', () => {
  it('an actor without its wrapper is refused, not taken for the application', async () => {
    const { tokens, id } = await kit()
    const bare = ADA as never
    const reads = [
      tokens.get(id, bare),
      tokens.list({}, bare),
      tokens.events({}, bare),
      tokens.usage(id, bare),
      tokens.revoke(id, {}, bare),
    ]
    for (const read of reads.slice(0, 3)) await expect(read).rejects.toMatchObject({ code: 'invalid_input', field: 'id' })
    for (const read of reads.slice(3)) await expect(read).rejects.toMatchObject({ code: 'invalid_input' })
    expect((await tokens.get(id))?.status).toBe('active')
    await tokens.close()
  })

  it('an option that belongs into the input is refused, not ignored', async () => {
    const { tokens } = await kit()
    const by = { actor: 'system', idempotencyKey: 'once' } as never
    await expect(tokens.create({ name: 'x', scopes: [] }, by)).rejects.toMatchObject({ code: 'invalid_input', field: 'idempotencyKey' })
    await tokens.close()
  })

  it('an actor whose scopes or resources are misspelt is refused, not unlimited', async () => {
    const { tokens } = await kit()
    for (const field of ['scope', 'Scopes', 'resource']) {
      const by = { actor: { id: 'ada', tenants: ['acme'], manages: 'all', [field]: [] } } as never
      const made = tokens.create({ name: 'x', tenantId: 'acme', scopes: ['inventory:read'] }, by)
      await expect(made).rejects.toMatchObject({ code: 'invalid_input', field: `actor.${field}` })
    }
    await tokens.close()
  })

  it('a token in the place of an id is refused by name, and not repeated', async () => {
    const { tokens, token } = await kit()
    const tries = [tokens.get(token), tokens.revoke(token, {}, SYSTEM), tokens.rotate(token, {}, SYSTEM), tokens.events({ tokenId: token })]
    for (const tried of tries) {
      const error = await tried.then(
        () => undefined,
        (thrown: Error) => thrown,
      )
      expect(error).toMatchObject({ code: 'invalid_input', message: expect.stringContaining('give its id') })
      expect(String(error)).not.toContain(token.slice(-49))
    }
    await tokens.close()
  })

  it('a misspelt field is told before what is missing because of it, with what was meant', async () => {
    const { tokens } = await kit()
    const cases = [
      [{ nam: 'x', scopes: [] }, 'name'],
      [{ name: 'x', scopes: [], ttl: 60 }, 'ttlSeconds'],
      [{ name: 'x', scopes: [], tenant: 'acme' }, 'tenantId'],
    ] as const
    for (const [input, meant] of cases) {
      await expect(tokens.create(input as never, SYSTEM)).rejects.toThrow(`there is no such field in create(); did you mean "${meant}"?`)
    }
    await expect(tokens.create(undefined as never, SYSTEM)).rejects.toThrow('create(): must be an object, not undefined')
    await tokens.close()
  })
})

import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticate } from 'latchkey/web'
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest'

// For example `{ scopes: ['inventry:read'] }`: without a warning, an unknown name looks like a missing scope.
describe('scopes that are not in the catalogue', () => {
  let emit: MockInstance<typeof process.emitWarning>
  beforeEach(() => {
    emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  })
  afterEach(() => void emit.mockRestore())

  const told = (): readonly string[] => emit.mock.calls.map(([text]) => String(text).replace(/ \(see .*/, ''))
  const scopes = { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' }
  const make = (options: object = {}) =>
    latchkey({ prefix: 'acme_test', store: memoryStore(), scopes, groups: { staff: ['inventory:read'] }, logger: false, ...options })
  const asked = (token: string): Request => new Request('https://api.example/', { headers: { authorization: `Bearer ${token}` } })

  it('allows() warns once about each unknown scope', async () => {
    const tokens = make()
    const { token } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })
    const answer = await tokens.verify(token)
    for (const scope of ['inventry:read', 'inventry:read', 'reports:read', 'inventory:read', 'inventory:write', token, 'x'.repeat(5000)]) {
      if (answer.ok) answer.principal.allows(scope as 'inventory:read')
    }
    expect(told()).toEqual([
      'principal.allows(): "inventry:read" is not in the catalogue; did you mean "inventory:read"?',
      'principal.allows(): "reports:read" is not in the catalogue',
    ])
    expect(emit.mock.calls[0]?.[1]).toEqual({ type: 'LatchkeyWarning', code: 'LATCHKEY_SCOPE_UNKNOWN' })
    await tokens.close()
  })

  it('an unknown scope of an actor causes a warning when a grant is refused', async () => {
    const tokens = make()
    const actor = { id: 'ada', tenants: '*', manages: 'all', scopes: ['inventry:read', 'reports:read'] } as const
    const made = tokens.as(actor).create({ name: 'ERP', scopes: ['inventory:read'] })
    await expect(made).rejects.toThrow('you do not have "inventory:read", so you cannot grant it')
    expect(told()).toEqual(['the scopes of an actor: "inventry:read" is not in the catalogue; did you mean "inventory:read"?'])
    await tokens.close()
  })

  it('an unknown scope of an owner causes a warning', async () => {
    const tokens = make({ owner: () => ({ scopes: ['inventory:raed', 'staff', 'reports:read'] }) })
    const { token } = await tokens.system.create({ name: 'ERP', ownerId: 'ada', scopes: ['inventory:read'] })
    expect(await tokens.verify(token)).toMatchObject({ ok: true, principal: { scopes: [] } })
    expect(told()).toEqual([
      'the scopes of an owner: "inventory:raed" is not in the catalogue; did you mean "inventory:read"?',
      'the scopes of an owner: "staff" is a group: write "@staff"',
    ])
    await tokens.close()
  })

  it('an unknown scope of a session or a foreign principal causes a warning', async () => {
    const tokens = make()
    const session = () => ({ id: 'ada', scopes: ['inventory:reads', 'reports:read'] })
    const foreign = () => ({ tokenId: 'legacy-1', scopes: ['inventory:wirte'] })
    for (const request of [new Request('https://api.example/'), asked('legacy')]) {
      const outcome = await authenticate(tokens, request, { session, foreign })
      expect(outcome.principal?.scopes).toEqual([])
    }
    const where = 'the scopes of a session or a foreign principal'
    expect(told()).toEqual([
      `${where}: "inventory:reads" is not in the catalogue; did you mean "inventory:read"?`,
      `${where}: "inventory:wirte" is not in the catalogue; did you mean "inventory:write"?`,
    ])
    await tokens.close()
  })

  it.each([
    [
      'scopes',
      { name: 'ERP', scopes: ['inventry:*'] },
      'scopes.0: "inventry:*" matches no scope in the catalogue; did you mean "inventory:*"?',
    ],
    ['scopes', { name: 'ERP', scopes: ['@stafff'] }, 'scopes.0: the group "@stafff" does not exist; did you mean "@staff"?'],
  ])('an unknown grant in %s is rejected with a suggestion', async (_, input, message) => {
    const tokens = make()
    await expect(tokens.system.create(input as never)).rejects.toThrow(message)
    await tokens.close()
  })

  it('unknown statuses and actions are rejected with a suggestion', async () => {
    const tokens = make()
    await expect(tokens.system.list({ status: 'activ' as 'active' })).rejects.toThrow(/, or a list of them; did you mean "active"\?$/)
    await expect(tokens.system.events({ action: 'token.create' as 'token.created' })).rejects.toThrow(/; did you mean "token.created"\?$/)
    await expect(tokens.system.list({ status: ['expired', 'activ' as 'active'] })).rejects.toThrow(/; did you mean "active"\?$/)
    await expect(tokens.system.events({ action: 'rotated' as 'token.rotated' })).rejects.toThrow(/; did you mean "token.rotated"\?$/)
    await expect(tokens.system.list({ status: 'e' as 'active' })).rejects.toThrow(/, or a list of them$/)
    await tokens.close()
  })
})

import { type CreateInput, type Latchkey, latchkey, type Minted, type Principal, type ScopeName } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'

// Compiled, never run: a line marked with @ts-expect-error must be an error, and no other line may be.
const tokens = latchkey({
  prefix: 'acme_test',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' },
  groups: { staff: ['inventory:read'] },
  implies: { 'inventory:write': ['inventory:read'] },
})

declare module 'latchkey' {
  interface Register {
    tokens: typeof tokens
  }
}

export const known: ScopeName = 'inventory:read'
// @ts-expect-error: not in the catalogue
export const unknown: ScopeName = 'inventory:raed'

export const instance: Latchkey<'inventory:read' | 'inventory:write'> = tokens

export const created = [
  tokens.system.create({ name: 'a', scopes: ['inventory:read', 'inventory:*', '@staff'] }),
  // @ts-expect-error: not in the catalogue
  tokens.system.create({ name: 'a', scopes: ['inventory:raed'] }),
  // @ts-expect-error: verbs need an actor
  tokens.create({ name: 'a', scopes: [] }),
  // @ts-expect-error: an actor that may be undefined is not an actor
  tokens.as(undefined).create({ name: 'a', scopes: [] }),
  // @ts-expect-error: a string is not an actor
  tokens.as('system').create({ name: 'a', scopes: [] }),
  // @ts-expect-error: either scopes or inherit is required
  tokens.system.create({ name: 'a' }),
  // @ts-expect-error: scopes and inherit are mutually exclusive
  tokens.system.create({ name: 'a', scopes: [], inherit: true }),
  tokens.system.create({ name: 'a', ownerId: 'u1', inherit: true, expiresIn: '90d', rotateEvery: '30d' }),
  // @ts-expect-error: not a duration
  tokens.system.create({ name: 'a', scopes: [], expiresIn: '90 days' }),
  // @ts-expect-error: unknown field
  tokens.system.create({ name: 'a', scopes: [], colour: 'red' }),
]

export const retried = async (key: string | undefined, input: CreateInput<'inventory:read'>) => {
  const { token }: Minted = await tokens.system.create({ name: 'a', scopes: [] })
  const results = [
    await tokens.system.create({ name: 'a', scopes: [], idempotencyKey: 'order-1' }),
    await tokens.system.create({ name: 'a', scopes: [], ...(key !== undefined && { idempotencyKey: key }) }),
    await tokens.system.create(input),
  ] as const
  for (const result of results) {
    // @ts-expect-error: a retry returns no token string
    result.token.length
    if (!('replayed' in result)) result.token.length
  }
  return token
}

export const updated = [
  tokens.system.update('id', { scopes: ['inventory:write', '@staff'] }),
  // @ts-expect-error: not in the catalogue
  tokens.system.update('id', { scopes: ['inventory:raed'] }),
]

export const grouped = (named: readonly string[]) => [
  latchkey({
    prefix: 'acme',
    store: memoryStore(),
    scopes: { 'a:read': 'Read' },
    groups: { staff: ['a:read', 'a:*'], all: ['*'] },
    allowWildcard: true,
  }),
  // @ts-expect-error: groups hold only scopes of the catalogue
  latchkey({ prefix: 'acme', store: memoryStore(), scopes: { 'a:read': 'Read' }, groups: { staff: ['a:raed'] } }),
  latchkey({ prefix: 'acme', store: memoryStore(), scopes: { 'a:read': 'Read' } as Record<string, string>, groups: { staff: named } }),
]

export const allowed = (principal: Principal<ScopeName>): boolean => principal.allows('inventory:write', { warehouse: 'w1' })
// @ts-expect-error: not in the catalogue
export const misspelt = (principal: Principal<ScopeName>): boolean => principal.allows('inventory:wriet')

export const implied = () =>
  latchkey({
    prefix: 'acme',
    store: memoryStore(),
    scopes: { 'a:read': 'Read', 'a:write': 'Write' },
    // @ts-expect-error: only scopes of the catalogue can be implied
    implies: { 'a:write': ['a:raed'] },
  })

export const narrowed = async (token: string): Promise<string> => {
  const outcome = await tokens.verify(token)
  return outcome.ok ? outcome.principal.name : outcome.code
}

export const shown = async (): Promise<string | undefined> => {
  const minted = await tokens.system.create({ name: 'a', scopes: [] })
  const always: string = minted.token
  const perhaps = await tokens.system.create({ name: 'a', scopes: [], idempotencyKey: 'k' })
  // @ts-expect-error: a replay has no token
  const never: string = perhaps.token
  return always ?? never
}

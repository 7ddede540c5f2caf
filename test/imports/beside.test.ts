import type { Latchkey, TokenFormat } from 'latchkey'
import { ownTokens, plainTokens, sanctumTokens, sha256Tokens } from 'latchkey/import'
import { describe, expect, it } from 'vitest'
import { endOfOthers } from '../../src/policy/imports.js'
import { type Scope, until, verdict } from '../latchkey/harness.js'
import { accepting, oldToken, sha256 } from './world.js'

const shape = { prefix: 'sk_', length: 35 }
const hashed = sha256Tokens({ ...shape, name: 'hashed' })
const map = () => ({ name: 'Old', scopes: ['stock:read' as const], tenantId: 'acme' })

/** The same secret in a fast format and in a slow format, whose comparisons are counted. */
async function imported(compare: () => boolean = () => true) {
  let compared = 0
  const verify = (): boolean => {
    compared += 1
    return compare()
  }
  const slow = ownTokens({
    name: 'slow',
    key: (credential) => (credential.startsWith('sk_') ? credential.slice(3, 11) : undefined),
    verify,
  })
  const tokens = accepting([hashed, slow], { logger: false })
  const { token, row } = oldToken(1)
  expect(await tokens.system.import([row], { format: hashed, map })).toMatchObject({ imported: 1 })
  expect(await tokens.system.import([{ key: token.slice(3, 11), hash: 'h' }], { format: slow, map })).toMatchObject({ imported: 1 })
  return { tokens, token, hashed: await idOf(tokens, 'hashed'), slow: await idOf(tokens, 'slow'), compared: () => compared }
}

async function idOf(tokens: Latchkey<Scope>, format: string): Promise<string> {
  return (await tokens.system.list({ limit: 10 })).items.find(({ importedFrom }) => importedFrom === format)?.id ?? ''
}

describe('a secret in a fast format and in a slow one', () => {
  it('the slow hash is not compared if the fast format proves the secret', async () => {
    const { tokens, token, compared } = await imported()
    expect([await verdict(tokens.verify(token)), compared()]).toEqual(['ok', 0])
  })

  it('the slow hash is compared if the record in the fast format is refused', async () => {
    const { tokens, token, slow, compared } = await imported()
    await tokens.system.deactivate(slow)
    expect([await verdict(tokens.verify(token)), compared()]).toEqual(['token_inactive', 1])
  })

  it('the slow hash is compared if the record in the fast format is revoked, and the other record is then revoked too', async () => {
    const { tokens, token, compared, ...made } = await imported()
    await tokens.system.revoke(made.hashed)
    expect([await verdict(tokens.verify(token)), compared()]).toEqual(['token_revoked', 1])
    await until(async () => {
      await tokens.flush()
      return (await tokens.system.get(made.slow))?.status === 'revoked'
    })
  })

  it('a secret imported in a fast and a slow format is refused as revoked even if the slow hash cannot be compared', async () => {
    const { tokens, token, ...made } = await imported(() => {
      throw new Error('down')
    })
    await tokens.system.revoke(made.hashed)
    expect(await verdict(tokens.verify(token))).toBe('token_revoked')
  })
})

it('presenting a revoked secret revokes the other token with that secret, even if its format is no longer accepted', async () => {
  let now = Date.now()
  const plain: TokenFormat = plainTokens({ ...shape, name: 'plain', until: new Date(now + 60_000) })
  const tokens = accepting([hashed, plain], { clock: () => now })
  const { token, row } = oldToken(1)
  await tokens.system.import([{ token }], { format: plain, map })
  await tokens.system.import([row], { format: hashed, map })
  await tokens.system.revoke(await idOf(tokens, 'hashed'))
  now += 120_000
  expect(await verdict(tokens.verify(token))).toBe('token_revoked')
  const id = await idOf(tokens, 'plain')
  await until(async () => {
    await tokens.flush()
    return (await tokens.system.get(id))?.status === 'revoked'
  })
})

it.each([
  ['first', 0],
  ['last', 1],
])('a token with the same key but a different secret in a second format, listed %s, does not limit the first token', async (_where, at) => {
  const [ours, theirs] = [sanctumTokens({ name: 'ours' }), sanctumTokens({ name: 'theirs' })]
  const tokens = accepting(at === 0 ? [theirs, ours] : [ours, theirs])
  const [mine, other] = ['a'.repeat(40), 'b'.repeat(40)]
  expect(await tokens.system.import([{ id: 7, token: sha256(mine) }], { format: ours, map })).toMatchObject({ imported: 1 })
  const brief = (): object => ({ ...map(), expiresIn: 60 })
  expect(await tokens.system.import([{ id: 7, token: sha256(other) }], { format: theirs, map: brief as typeof map })).toMatchObject({
    imported: 1,
  })
  const found = await tokens.introspect(`7|${mine}`)
  expect(found).toMatchObject({ active: true, record: { importedFrom: 'ours' } })
  expect(found.active && endOfOthers(found.record)).toBeUndefined()
})

import { describe, expect, it } from 'vitest'
import { internalsOf } from '../../src/instance.js'
import { newAllowance } from '../../src/store/deadline.js'
import { codeOf, instance, mint } from '../latchkey/harness.js'

/** An instance whose owner callback can be made to fail, and a token with an owner. */
async function world() {
  let away = false
  let asked = 0
  const tokens = instance({
    owner: () => {
      asked += 1
      if (away) throw new Error('the directory is down')
      return { scopes: ['stock:read'] }
    },
  })
  const { token, record } = await mint(tokens, { ownerId: 'bob' })
  const fail = (): void => {
    away = true
    asked = 0
  }
  return { tokens, token, id: record.id, fail, asked: () => asked }
}

describe('introspection while the owner callback fails', () => {
  it.each(['revoke', 'deactivate'] as const)(
    'introspection reports a token as inactive after %s without calling the owner callback',
    async (verb) => {
      const { tokens, token, id, fail, asked } = await world()
      await tokens.system[verb](id)
      fail()
      expect(await tokens.introspect(token)).toEqual({ active: false })
      expect(asked()).toBe(0)
    },
  )

  it('introspection records the reuse of a rotated token even while the owner callback fails', async () => {
    const { tokens, token, id, fail } = await world()
    await tokens.system.rotate(id)
    fail()
    expect(await tokens.introspect(token)).toEqual({ active: false })
    await tokens.flush()
    expect((await tokens.system.events({ tokenId: id, action: 'token.reused' })).items).toHaveLength(1)
  })

  it('introspection reports a token that the caller must not learn about as inactive, without calling the owner callback', async () => {
    const { tokens, token, fail, asked } = await world()
    const inside = internalsOf(tokens)
    fail()
    expect(await inside.introspect(token, newAllowance(inside), 'caller', () => false)).toEqual({ active: false })
    expect(asked()).toBe(0)
  })

  it('introspection of a valid token fails while the owner callback fails', async () => {
    const { tokens, token, fail } = await world()
    fail()
    expect(await tokens.introspect(token).catch(codeOf)).toBe('store_unavailable')
  })
})

it('introspection reports a token that expires during the owner lookup as inactive', async () => {
  let late = false
  const tokens = instance({
    clock: () => Date.now() + (late ? 120_000 : 0),
    owner: async () => {
      late = true
      return { scopes: ['stock:read'] }
    },
  })
  const { token } = await mint(tokens, { ownerId: 'bob', expiresIn: 60 })
  expect(await tokens.introspect(token)).toEqual({ active: false })
})

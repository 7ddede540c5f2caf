import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { internalsOf } from '../../src/instance.js'
import { instance, mint, warm } from '../latchkey/harness.js'

const NOBODY = 'zzzzzzzzzzzzzzzz'

/** An instance that counts record reads. */
function counted(options: Parameters<typeof instance>[0] = {}) {
  let finds = 0
  const store = interceptStore(memoryStore(), ({ method }, proceed) => {
    if (method === 'find') finds += 1
    return proceed()
  })
  return { tokens: instance({ store, ...options }), finds: () => finds }
}

describe('the standing of a token', () => {
  it('the standing of a revoked, expired or deactivated token is the code of its refusal', async () => {
    let now = Date.parse('2026-11-26T12:00:00Z')
    const { tokens } = counted({ clock: () => now })
    const [revoked, stopped, ended] = [await mint(tokens), await mint(tokens), await mint(tokens, { expiresIn: '2h' })]
    await tokens.system.revoke(revoked.record.id)
    await tokens.system.deactivate(stopped.record.id)
    now += 3 * 3_600_000
    const { standing } = internalsOf(tokens)
    expect(await standing(revoked.record.id)).toEqual({ code: 'token_revoked' })
    expect(await standing(stopped.record.id)).toEqual({ code: 'token_inactive' })
    expect(await standing(ended.record.id)).toEqual({ code: 'token_expired' })
  })

  it('the standing of an unissued ID is token_unknown and is read from the store once', async () => {
    const { tokens, finds } = counted()
    await warm(tokens, (await mint(tokens)).token)
    const before = finds()
    const { standing } = internalsOf(tokens)
    expect(await standing(NOBODY)).toEqual({ code: 'token_unknown' })
    expect(await standing(NOBODY)).toEqual({ code: 'token_unknown' })
    expect(finds() - before).toBe(1)
  })

  it("the standing of a token has the scopes and resources shared with its owner, and the token's addresses", async () => {
    const owner = () => ({ scopes: ['stock:*'], resources: { warehouse: ['w1'], zone: ['north'] } })
    const { tokens } = counted({ owner })
    const { record } = await mint(tokens, {
      ownerId: 'ada',
      scopes: ['stock:read', 'billing:read'],
      resources: { warehouse: ['w1', 'w2'] },
      allowedIps: ['10.0.0.0/8'],
    })
    const found = await internalsOf(tokens).standing(record.id)
    if ('code' in found) throw new Error(`refused: ${found.code}`)
    expect(['stock:read', 'stock:write', 'billing:read'].map((scope) => found.scopes.has(scope))).toEqual([true, false, false])
    expect(found.resources).toEqual({ warehouse: ['w1'], zone: ['north'] })
    expect([found.allowsIp?.('10.1.2.3'), found.allowsIp?.('192.0.2.1')]).toEqual([true, false])
  })

  type Ask = (tokens: ReturnType<typeof instance>, id: string, token: string) => Promise<unknown>
  it.each<readonly [string, Ask, unknown]>([
    ['standing', async (tokens, id) => (await internalsOf(tokens).standing(id)).code, 'owner_denied'],
    [
      'introspection',
      (tokens, _, token) =>
        tokens.introspect(token).then(
          ({ active }) => active,
          ({ code }) => code,
        ),
      false,
    ],
  ])('the %s of a token whose owner is gone calls the owner callback a bounded number of times', async (_what, ask, expected) => {
    let calls = 0
    const owner = () => {
      calls += 1
      return null
    }
    const { tokens } = counted({ owner })
    const { token, record } = await mint(tokens, { ownerId: 'ada' })
    calls = 0
    const answers = new Set<unknown>()
    for (let turn = 0; turn < 300; turn += 1) answers.add(await ask(tokens, record.id, token))
    expect([...answers]).toEqual([expected, 'rate_limited'])
    // A burst of 100, and ten a second while the test runs.
    expect(calls).toBeLessThan(250)
  })
})

it('a forged checksum identifies no token and costs no read', async () => {
  const { tokens, finds } = counted()
  const { token, record } = await mint(tokens)
  const before = finds()
  const forged = token.slice(0, -1) + (token.endsWith('a') ? 'b' : 'a')
  expect(await internalsOf(tokens).identify(forged)).toBeUndefined()
  expect(finds()).toBe(before)
  expect((await internalsOf(tokens).identify(token))?.id).toBe(record.id)
})

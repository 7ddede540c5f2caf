import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testLatchkey } from 'latchkey/testing'

test('a token expires by the mock clock', async (context) => {
  context.mock.timers.enable({ apis: ['Date'], now: Date.UTC(2031, 0, 1) })
  const { tokens, tokenFor } = testLatchkey({ scopes: { 'inventory:read': 'See stock' } })
  const token = await tokenFor({ scopes: ['inventory:read'], expiresIn: '1h' })
  assert.equal((await tokens.verify(token)).ok, true)
  context.mock.timers.setTime(Date.UTC(2031, 0, 1) + 3_600_000)
  assert.deepEqual(await tokens.verify(token), { ok: false, code: 'token_expired' })
  await tokens.close()
})

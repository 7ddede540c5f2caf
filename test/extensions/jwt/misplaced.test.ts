import type { Authenticator, VerifyContext } from 'latchkey'
import { accept } from 'latchkey/jwt'
import { expect, it } from 'vitest'
import { refusal } from '../../latchkey/harness.js'
import { createGateway } from './support.js'

it('every authenticator rejects scopes and resources in the context of verify(), which checks neither', async () => {
  const { tokens, signed, service, create } = await createGateway()
  const { token } = await create({ scopes: ['inventory:read'] })
  const text = await signed(token)
  const both = accept(tokens, service())
  const ask = (by: Authenticator, presented: string, demand: object) => refusal(by.verify(presented, demand as VerifyContext))
  for (const [by, presented] of [
    [tokens, token],
    [service(), text],
    [both, token],
    [both, text],
  ] as const) {
    expect(await ask(by, presented, { ip: '203.0.113.7' })).toBe('done')
    expect(await ask(by, presented, { scopes: ['inventory:write'] })).toBe('invalid_input scopes')
    expect(await ask(by, presented, { resources: { warehouse: 'w1' } })).toBe('invalid_input resources')
  }
})

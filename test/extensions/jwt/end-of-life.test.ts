import { foreignTokens } from 'latchkey/jwt'
import { expect, it, onTestFinished } from 'vitest'
import { verdict } from '../../latchkey/harness.js'
import { createGateway, ISSUER } from './support.js'

it.each([
  ['its own expiry', 0],
  ['the end of the tolerance after its expiry', 30],
] as const)('a signed token is rejected and its signal fires at %s', async (which, tolerance) => {
  let at = Date.now()
  const clock = (): number => at
  const { tokens, key, create, signed, service } = await createGateway({ clock })
  onTestFinished(() => tokens.close())
  const { token } = await create({ name: 'ERP', scopes: ['inventory:read'], expiresIn: 60 })
  const text = await signed(token)
  const { exp } = JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString()) as { exp: number }
  const verifier =
    which === 'its own expiry'
      ? service({ clockTolerance: 30 })
      : foreignTokens({
          issuer: ISSUER,
          audience: 'stock',
          keys: { keys: [key.publicJwk] },
          algorithms: [String(key.publicJwk.alg)],
          clockTolerance: tolerance,
          clock,
          principal: () => ({ tokenId: 'f1', name: 'ERP', scopes: ['inventory:read'] }),
        })
  at = (exp + tolerance) * 1000 - 1
  const verification = await verifier.verify(text)
  if (!verification.ok) throw new Error(verification.code)
  at += 1
  expect(verification.principal.signal.aborted).toBe(true)
  expect(await verdict(verifier.verify(text))).toBe('token_expired')
})

import type { Authenticator, Latchkey } from 'latchkey'
import { accept, foreignTokens, verifySigned } from 'latchkey/jwt'

// Compiled, never run. `accept` takes the same arguments at compile time as at run time: verifiers that declare their issuer.
declare const tokens: Latchkey
declare const other: Authenticator

const keys = { keys: [] }
const signed = verifySigned({ issuer: 'https://auth.example', audience: 'stock', keys })
const people = foreignTokens({ issuer: 'https://tenant.example/', audience: 'stock', keys, principal: () => null })

export const good: readonly Authenticator[] = [
  accept(tokens),
  accept(tokens, signed),
  accept(tokens, signed, people),
  accept(signed, people),
  accept(accept(tokens, signed), people),
]

export const bad = [
  // @ts-expect-error: an instance has no issuer
  accept(tokens, tokens),
  // @ts-expect-error: a combined verifier has no single issuer
  accept(tokens, accept(tokens, signed)),
  // @ts-expect-error: an arbitrary authenticator has no issuer
  accept(tokens, signed, other),
  // @ts-expect-error: a custom verifier is not one of the library's
  accept({ verify: async () => ({ ok: true }) }),
]

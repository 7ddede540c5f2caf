import type { Authenticator, Latchkey } from 'latchkey'
import { accept, foreignTokens, verifySigned } from 'latchkey/jwt'

// Compiled, never run. `accept` takes at compile time what it takes at run time: verifiers that each say of which issuer they are.
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
  // @ts-expect-error: an instance is of no issuer
  accept(tokens, tokens),
  // @ts-expect-error: nor is what combines several
  accept(tokens, accept(tokens, signed)),
  // @ts-expect-error: nor is any authenticator
  accept(tokens, signed, other),
  // @ts-expect-error: a decider of the host's own is none of the library's
  accept({ verify: async () => ({ ok: true }) }),
]

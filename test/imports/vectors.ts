import type { TokenFormat } from 'latchkey'
import {
  bcryptTokens,
  betterAuthKeys,
  djangoTokens,
  hmacTokens,
  ownTokens,
  plainTokens,
  sanctumTokens,
  sha256Tokens,
  sha512Tokens,
} from 'latchkey/import'

/** A token from another system, its row in that system's table, and a string of the same format that is not that token. */
export type Vector = { readonly format: TokenFormat; readonly row: object; readonly token: string; readonly wrong: string }

const TOKEN = 'sk_Ab3dE6gH9jK2mN5pQ8sT1vW4yZ7'
const WRONG = 'sk_Zz9yX8wV7uT6sR5qP4oN3mL2kJ1'
const SHA512_BASE64 = 'iNhOjy3QEoHbinlQbVHGro4F2iR01UdCcmBS/raSQFITwxkpiRmARZOEnZ4PEl+0pLGUsx+KFuANRAFV5NXMIA=='
const BETTER_AUTH = 'acme_QzXvLmNbKjHgFdSaPoIuYtReWqAsDfGhJkLzXcVbNmQwErTyUiOpAsDfGhJkLzXc'

/** The results of `compareSync` in bcryptjs 3. The host provides the library. */
const BCRYPT: ReadonlyMap<string, string> = new Map([
  ['$2b$04$F/2/ns1gXABlL.qT0GW7m.Rlwim0u.WUw65Nd5S7YVzFRbHGyfqU.', TOKEN],
  ['$2b$04$iUX4TlvJaRseo0QB7IRPTeNZFL2qvRtybPAN6ZyzwyL4JEufR..e6', WRONG],
])

/** The `compare` function of a bcrypt library, for the hashes above. */
export async function compare(text: string, hash: string): Promise<boolean> {
  return BCRYPT.get(hash) === text
}

const shape = { prefix: 'sk_', length: TOKEN.length }

/** Hashes made by Python's hashlib and hmac and by bcryptjs, and tokens made by Sanctum and Django REST framework. */
export const VECTORS: readonly Vector[] = [
  { format: plainTokens({ ...shape, column: 'api_key' }), row: { api_key: TOKEN }, token: TOKEN, wrong: WRONG },
  {
    format: sha256Tokens(shape),
    row: { hash: '6916ef74419544f9e5e3c92c98f062ef990ede9aa99bf688fe9b5cff554bde1f' },
    token: TOKEN,
    wrong: WRONG,
  },
  {
    format: sha256Tokens({ ...shape, name: 'sha256-base64', encoding: 'base64', mark: 'sha256$' }),
    row: { hash: 'sha256$aRbvdEGVRPnl48ksmPBi75kO3pqpm/aI/ptc/1VL3h8=' },
    token: TOKEN,
    wrong: WRONG,
  },
  {
    format: sha256Tokens({ ...shape, name: 'sha256-base64url', encoding: 'base64url' }),
    row: { hash: 'aRbvdEGVRPnl48ksmPBi75kO3pqpm_aI_ptc_1VL3h8' },
    token: TOKEN,
    wrong: WRONG,
  },
  {
    format: sha256Tokens({ ...shape, name: 'sha256-rest', hashed: 'without_prefix' }),
    row: { hash: '7A87BD88606B52B63AE0B2DF606AC80E04A75710B0DE1E017329825813293405' },
    token: TOKEN,
    wrong: WRONG,
  },
  {
    format: sha512Tokens(shape),
    row: {
      hash: '88d84e8f2dd01281db8a79506d51c6ae8e05da2474d54742726052feb692405213c319298919804593849d9e0f125fb4a4b194b31f8a16e00d440155e4d5cc20',
    },
    token: TOKEN,
    wrong: WRONG,
  },
  {
    format: sha512Tokens({ ...shape, name: 'sha512-bytes', column: 'digest' }),
    row: { digest: Buffer.from(SHA512_BASE64, 'base64') },
    token: TOKEN,
    wrong: WRONG,
  },
  {
    format: hmacTokens({ ...shape, secret: 'old server secret' }),
    row: { hash: '032ddec6573f00836ba19a8f3b988d4b430b92e317391d777c746314f8ff8202' },
    token: TOKEN,
    wrong: WRONG,
  },
  {
    format: hmacTokens({ ...shape, name: 'hmac-sha512', secret: Buffer.from('old server secret'), algorithm: 'sha512' }),
    row: {
      hash: '2b6d7cd65852afdfa7ea46c603bf9b0eedb6bcdd30d671a070ca10864de1d6c1f7bb33922d3e3632f2fec286366b9ee61915162a5d74d81dcaf0256329ff138d',
    },
    token: TOKEN,
    wrong: WRONG,
  },
  {
    format: bcryptTokens({ ...shape, compare, keyLength: 8 }),
    row: { prefix: TOKEN.slice(0, 8), hash: '$2y$04$F/2/ns1gXABlL.qT0GW7m.Rlwim0u.WUw65Nd5S7YVzFRbHGyfqU.' },
    token: TOKEN,
    wrong: `${TOKEN.slice(0, 8)}${WRONG.slice(8)}`,
  },
  {
    format: sanctumTokens(),
    row: { id: 1, token: 'dc47cfc2d4371e9477781b5b4a2fef7771750864cfb7bb22870f37a63f86b62a' },
    token: '1|VSwn9FCqLFivSUGJKMukhq7kcrnXDK8h6JQmleJX97994aca',
    wrong: '1|VSwn9FCqLFivSUGJKMukhq7kcrnXDK8h6JQmleJX97994acb',
  },
  {
    format: djangoTokens(),
    row: { key: '9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b', user_id: 3 },
    token: '9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b',
    wrong: '9944b09199c62bcf9418ad846dd0e4bbdfc6ee4c',
  },
  {
    format: betterAuthKeys({ prefix: 'acme_' }),
    row: { key: 'Tat8RbNNRMnii8xpOHeCCQU43sPWI3ag6YJXYqGPKuc', start: 'acme_Q' },
    token: BETTER_AUTH,
    wrong: BETTER_AUTH.replace('Q', 'q'),
  },
  {
    format: ownTokens({
      name: 'reversed',
      key: (credential) => /^k-([0-9]+)-/.exec(credential)?.[1],
      verify: (credential, hash) => [...credential].reverse().join('') === hash,
    }),
    row: { key: 42, hash: 'terces-24-k' },
    token: 'k-42-secret',
    wrong: 'k-42-guessed',
  },
]

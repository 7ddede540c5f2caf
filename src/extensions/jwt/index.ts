export { accept, type Verifier } from './accept.js'
export { type ExchangeOptions, exchange, jwks } from './exchange.js'
export type { Jwk, JwkSet, WebCryptoKey } from './jwk.js'
export type { Fetch } from './key-source.js'
export { generateSigningKey, type SigningAlgorithm, type SigningKey, type SigningKeyInput, signingKey } from './keys.js'
export type { Identity } from './signed-principal.js'
export {
  type ForeignTokenOptions,
  foreignTokens,
  type KeysInput,
  type VerifierOptions,
  type VerifySignedOptions,
  verifySigned,
} from './verify-signed.js'

// Declared here and not imported: CommonJS projects with `node16` resolution cannot read declarations that refer to an ESM-only package such as jose.

/** A JSON Web Key (RFC 7517 §4), for signing or verifying. The private members (`d` and those that follow) are present only in a key that signs. */
export type Jwk = {
  kty?: string
  kid?: string
  alg?: string
  use?: string
  key_ops?: string[]
  ext?: boolean
  crv?: string
  x?: string
  y?: string
  n?: string
  e?: string
  k?: string
  d?: string
  p?: string
  q?: string
  dp?: string
  dq?: string
  qi?: string
  x5c?: string[]
  x5t?: string
  'x5t#S256'?: string
  x5u?: string
}

/** A set of keys (RFC 7517 §5). */
export type JwkSet = { keys: Jwk[] }

/** A `CryptoKey` of the platform's Web Crypto, independent of which type declarations a project uses. */
export type WebCryptoKey = Extract<Awaited<ReturnType<typeof crypto.subtle.generateKey>>, { type: string }>

// Written out, not imported: declarations that name an ES module only, as jose is, cannot be read by `node16` CommonJS projects.

/** A JSON Web Key (RFC 7517 §4): for signing and verifying, its private members (`d` and those that follow) only where it signs. */
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

/** A key of the platform's Web Crypto, whichever declarations of it a project has. */
export type WebCryptoKey = Extract<Awaited<ReturnType<typeof crypto.subtle.generateKey>>, { type: string }>

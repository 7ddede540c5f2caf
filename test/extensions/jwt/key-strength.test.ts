import { createHash, createHmac, randomBytes } from 'node:crypto'
import { latchkey } from 'latchkey'
import { sealVerifier } from 'latchkey/audit'
import { exchange, foreignTokens, generateSigningKey, type Jwk, jwks, type SigningKey, signingKey } from 'latchkey/jwt'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { whyWeak } from '../../../src/extensions/jwt/key-strength.js'
import { ISSUER } from './support.js'

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const claims = () => {
  const now = Math.floor(Date.now() / 1000)
  return { iss: ISSUER, aud: 'stock', exp: now + 300, iat: now, sub: 's' }
}
const input = (alg: string, kid: string) => `${part({ alg, typ: 'at+jwt', kid })}.${part(claims())}`

const verifier = (keys: Jwk[], from: 'local' | 'remote', algorithms: string[]) =>
  foreignTokens({
    issuer: ISSUER,
    audience: 'stock',
    algorithms,
    logger: false,
    principal: () => ({ tokenId: 'x', name: 'n', scopes: [] }),
    ...(from === 'local' ? { keys: { keys } } : { keys: { url: `${ISSUER}/jwks` }, fetch: async () => Response.json({ keys }) }),
  })

const P = 2n ** 255n - 19n
const encode = (y: bigint, sign: 0 | 1): string =>
  Buffer.from((y + (BigInt(sign) << 255n)).toString(16).padStart(64, '0'), 'hex')
    .reverse()
    .toString('base64url')

const power = (base: bigint, exponent: bigint): bigint => {
  let [result, square] = [1n, base % P]
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % P
    square = (square * square) % P
  }
  return result
}
// RFC 8032 §5.1: d = -121665/121666. The y of 2Q is (y² + x²) / (2 + x² - y²), where x² = (y² - 1) / (d y² + 1).
const D = (((P - 121665n) % P) * power(121666n, P - 2n)) % P
const doubled = (y: bigint): bigint => {
  const yy = (y * y) % P
  const xx = ((yy + P - 1n) * power((D * yy + 1n) % P, P - 2n)) % P
  return (((yy + xx) % P) * power((2n + xx + P - yy) % P, P - 2n)) % P
}
const Y8 = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n
const SMALL = [1n, P - 1n, 0n, Y8, P - Y8]

// A fixed 2048-bit modulus, because generating one takes seconds.
const N =
  'mlv3dLVS4L6bmR2x_i7GQFW7BvY17NHY6UNtwSrLWYXTq5JQleptVgGe4hMN8T_SRG9d2tCQJvniby27Eg1qjXyTapr7xufrXGpCikMdYyee3b7SUI_WJtsLEH-xltR2jDqBfVI8tuGob2FU5HhAXUcUjCozBxbyFRm2O8OE90r' +
  'gyb2POCgrfunhVZykepM5mH53SWALCRH2HV0lvad_xPdFLdj8chrFlewtvoDo-0QkdzoS_OoqtZGzZGASpd-Cj0b1Jyf7S72stTfeD90avgcCe9JKnzZq2WNSUjB527DgivBXot_0K02zivjfdeJoTyCy7TAOxz_u5MO4y3IXzw'
const RSA = { kty: 'RSA', n: N, e: 'AQAB', kid: 'rsa', alg: 'RS256' }
const padded = (text: string | undefined, zeros: number) =>
  Buffer.concat([Buffer.alloc(zeros), Buffer.from(text ?? '', 'base64url')]).toString('base64url')

describe('weak Ed25519 keys', () => {
  it('whyWeak() rejects every Ed25519 point whose order divides 8, in every encoding', () => {
    for (const y of SMALL) {
      expect(doubled(doubled(doubled(y)))).toBe(1n)
      for (const sign of [0, 1] as const) expect(whyWeak({ kty: 'OKP', crv: 'Ed25519', x: encode(y, sign) })).toMatch(/large order/)
    }
    for (let y = P; y < 2n ** 255n; y += 1n)
      for (const sign of [0, 1] as const) expect(whyWeak({ kty: 'OKP', crv: 'Ed25519', x: encode(y, sign) })).toMatch(/large order/)
  })

  it('weak Ed25519 keys verify nothing, whether configured or published', async () => {
    const identity = encode(1n, 0)
    const weak = { kty: 'OKP', crv: 'Ed25519', x: identity, kid: 'weak', alg: 'EdDSA' }
    const { publicJwk: good } = await generateSigningKey('EdDSA')
    // With the neutral point as the key, R = the neutral point and S = 0 is a valid signature for any text.
    const forged = `${input('EdDSA', 'weak')}.${Buffer.concat([Buffer.from(identity, 'base64url'), Buffer.alloc(32)]).toString('base64url')}`
    expect(() => verifier([weak], 'local', ['EdDSA'])).toThrow(/large order/)
    expect(await verifier([weak, good], 'remote', ['EdDSA']).verify(forged)).toEqual({ ok: false, code: 'secret_mismatch' })
    await expect(verifier([weak], 'remote', ['EdDSA']).verify(forged)).rejects.toMatchObject({ code: 'store_unavailable' })
    await expect(signingKey({ publicJwk: weak, sign: () => new Uint8Array(64) })).rejects.toMatchObject({ code: 'invalid_input' })
    expect(() => sealVerifier(weak)).toThrow(/complete public JWK/)
  })

  it('whyWeak() accepts generated Ed25519 keys and rejects malformed keys', async () => {
    for (let at = 0; at < 20; at += 1) expect(whyWeak((await generateSigningKey('EdDSA')).publicJwk)).toBeUndefined()
    for (const x of [undefined, 7, '', 'AA', `${encode(9n, 0)}=`, ` ${encode(9n, 0).slice(1)}`])
      expect(whyWeak({ kty: 'OKP', crv: 'Ed25519', x: x as string })).toMatch(/32 bytes/)
  })
})

describe('weak RSA keys', () => {
  it('an RSA key with exponent 1, which lets anyone sign, verifies nothing', async () => {
    const n = Buffer.concat([Buffer.from([0xff]), Buffer.alloc(254, 0xfd), Buffer.from([0xfb])])
    const weak = { kty: 'RSA', n: n.toString('base64url'), e: 'AQ', kid: 'one', alg: 'RS256' }
    const text = input('RS256', 'one')
    const info = Buffer.from('3031300d060960864801650304020105000420', 'hex')
    const digest = Buffer.concat([info, createHash('sha256').update(text).digest()])
    const message = Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(253 - digest.length, 0xff), Buffer.from([0]), digest])
    const forged = `${text}.${message.toString('base64url')}`
    expect(() => verifier([weak], 'local', ['RS256'])).toThrow()
    expect(await verifier([weak, RSA], 'remote', ['RS256']).verify(forged)).toEqual({ ok: false, code: 'secret_mismatch' })
  })

  it('whyWeak() rejects RSA keys with a short modulus, small factors, or a small, even or huge exponent', () => {
    const good = RSA
    const short = { ...RSA, n: N.slice(0, 171) }
    const with_ = (more: Partial<Jwk>) => whyWeak({ ...good, ...more })
    const times = (factor: bigint) =>
      Buffer.from((BigInt(`0x${Buffer.from(good.n ?? '', 'base64url').toString('hex')}`) * factor).toString(16).padStart(516, '0'), 'hex')
    expect(whyWeak(good)).toBeUndefined()
    // RFC 7518 §6.3.1.1: some implementations prepend a zero octet. It does not count.
    expect(with_({ n: padded(good.n, 1) })).toBeUndefined()
    expect(whyWeak(short)).toMatch(/2048 bits/)
    expect(whyWeak({ ...short, n: padded(short.n, 128) })).toMatch(/2048 bits/)
    for (const factor of [2n, 3n, 751n]) expect(with_({ n: times(factor).toString('base64url') })).toMatch(/small factors/)
    expect(with_({ n: Buffer.alloc(2049, 0xff).toString('base64url') })).toMatch(/at most 16384/)
    for (const e of ['', 'AA', 'AQ', 'Ag', 'Aw', 'AQAA', padded('Aw', 9), Buffer.alloc(33, 0xff).toString('base64url')])
      expect(with_({ e })).toMatch(/exponent/)
    for (const n of [undefined, 7, '', `${good.n}=`, 'A'.repeat(100_000), ' '.repeat(400)])
      expect(with_({ n: n as string })).toMatch(/base64url/)
  })
})

describe('weak HS256 secrets', () => {
  const secret = (k: string) => ({ kty: 'oct', k, kid: 'h', alg: 'HS256' })

  it('weak HS256 secrets are rejected by their decoded bytes, not by their text length', () => {
    for (const k of [
      'AA',
      ' '.repeat(50),
      '!'.repeat(50),
      `${' '.repeat(42)}AA`,
      `${randomBytes(16).toString('base64url')}${'\n'.repeat(22)}`,
    ])
      expect(() => verifier([secret(k)], 'local', ['HS256'])).toThrow(/256 bits/)
    expect(() => verifier([secret(Buffer.alloc(32, 65).toString('base64url'))], 'local', ['HS256'])).toThrow(/random/)
  })

  it('a secret with 256 random bits is accepted and verifies only what was signed with it', async () => {
    const key = randomBytes(32)
    const signed = (by: Buffer, kid = 'h') => {
      const text = input('HS256', kid)
      return `${text}.${createHmac('sha256', by).update(text).digest('base64url')}`
    }
    const service = verifier([secret(key.toString('base64url')), RSA], 'local', ['HS256', 'RS256'])
    expect(await service.verify(signed(key))).toMatchObject({ ok: true })
    expect(await service.verify(signed(randomBytes(32)))).toEqual({ ok: false, code: 'secret_mismatch' })
    expect(await service.verify(signed(key, 'other'))).toEqual({ ok: false, code: 'secret_mismatch' })
    const published = verifier([secret(key.toString('base64url'))], 'remote', ['HS256'])
    await expect(published.verify(signed(key))).rejects.toMatchObject({ code: 'store_unavailable' })
  })
})

it('a published point that is not on its curve verifies nothing and does not affect other keys', async () => {
  const { publicJwk, kid } = await generateSigningKey()
  const off = { ...publicJwk, y: publicJwk.x ?? '', kid: 'off' }
  const service = verifier([off, publicJwk], 'remote', ['ES256'])
  const nothing = Buffer.alloc(64).toString('base64url')
  for (const name of ['off', kid])
    expect(await service.verify(`${input('ES256', name)}.${nothing}`)).toEqual({ ok: false, code: 'secret_mismatch' })
})

it('two keys of one kind with the same kid are refused, because no header could say which of them signed a token', async () => {
  const [first, second] = await Promise.all([generateSigningKey(), generateSigningKey()])
  const twin: SigningKey = { ...second, kid: first.kid, publicJwk: { ...second.publicJwk, kid: first.kid } }
  const message = 'keys.1: has the same kid as keys.0'
  const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { a: 'Do a' }, logger: false })
  expect(() => jwks([first, twin])).toThrow(message)
  expect(() => exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [first, first] })).toThrow(message)
  expect(() => verifier([first.publicJwk, twin.publicJwk], 'local', ['ES256'])).toThrow(message)
  const secret = { kty: 'oct', k: randomBytes(32).toString('base64url'), kid: first.kid }
  expect(() => verifier([first.publicJwk, secret], 'local', ['ES256', 'HS256'])).not.toThrow()
})

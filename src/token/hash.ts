import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'

/** SHA-256 and HMAC-SHA-256 over ASCII text, as 64 lowercase hexadecimal digits. */
export type HashEngine = {
  readonly name: string
  sha256(text: string): string
  /** Prepares the key (its UTF-8 bytes) once. The returned function digests any number of strings. */
  hmacSha256(key: string): (text: string) => string
}

/** SHA-256 works on blocks of 64 bytes and returns 32 bytes. */
const BLOCK = 64
const DIGEST = 32
/** Room for the text after the inner pad. The longest token has 91 characters. */
const ROOM = 192

/** SHA-256 of `latchkey`, and HMAC-SHA-256 of it under itself. To compute them on every start, the portable engine would have to be compiled. */
const KNOWN = {
  sha256: '03e759a06bdcbf94112732b9439cf6889f4c7c295159eb1a21c8a0ac7ecb2e42',
  hmacSha256: 'aaea954262f08038a4673c9cad1626acb644d5ff136f7056043cdf9b06ae61fd',
} as const

/** Runs anywhere: plain JavaScript. */
export const portableEngine: HashEngine = {
  name: 'noble',
  sha256: (text) => bytesToHex(sha256(utf8ToBytes(text))),
  hmacSha256: (key) => {
    const keyed = hmac.create(sha256, utf8ToBytes(key))
    return (text) => bytesToHex(keyed.clone().update(utf8ToBytes(text)).digest())
  },
}

/**
 * The platform's one-shot hash, where it has a synchronous one (`crypto.hash`, Node 20.12). It is several times faster than the portable engine on an input of
 * this size. WebCrypto is not used, because it is asynchronous, and 20 to 60 times slower here.
 *
 * The module is looked up at run time, so that bundles for platforms without `node:crypto` need no shim.
 */
export const nativeEngine: HashEngine | undefined = findNativeEngine()

/** The fastest engine that this platform has. */
export const defaultEngine: HashEngine = nativeEngine ?? portableEngine

type NodeCrypto = typeof import('node:crypto')

function findNativeEngine(): HashEngine | undefined {
  try {
    const crypto = globalThis.process?.getBuiltinModule?.('node:crypto')
    if (typeof crypto?.hash !== 'function') return undefined
    const engine: HashEngine = {
      name: 'native',
      sha256: (text) => crypto.hash('sha256', text, 'hex'),
      hmacSha256: (key) => nativeHmac(crypto, key),
    }
    return agrees(engine) ? engine : undefined
  } catch {
    return undefined
  }
}

/** Checks the engine's results, because an incorrect shim or polyfill must not cause wrong decisions. */
function agrees(engine: HashEngine): boolean {
  const text = 'latchkey'
  return engine.sha256(text) === KNOWN.sha256 && engine.hmacSha256(text)(text) === KNOWN.hmacSha256
}

/**
 * HMAC as defined in RFC 2104 §2, H(K ⊕ opad, H(K ⊕ ipad, text)), with pads that are prepared once.
 *
 * Two one-shot hashes take 0.9 µs here. `createHmac` takes 2.3 µs, or 1.8 µs with a key object.
 */
function nativeHmac(crypto: NodeCrypto, key: string): (text: string) => string {
  const bytes = Buffer.from(key, 'utf8')
  const short = bytes.length > BLOCK ? crypto.createHash('sha256').update(bytes).digest() : bytes
  const inner = Buffer.alloc(BLOCK + ROOM, 0x36).fill(0, BLOCK)
  const outer = Buffer.alloc(BLOCK + DIGEST, 0x5c)
  short.forEach((byte, at) => {
    inner[at] = byte ^ 0x36
    outer[at] = byte ^ 0x5c
  })
  let input = inner
  return (text) => {
    if (text.length > ROOM) return crypto.createHmac('sha256', bytes).update(text).digest('hex')
    if (input.length !== BLOCK + text.length) input = inner.subarray(0, BLOCK + text.length)
    inner.write(text, BLOCK, 'latin1')
    outer.write(crypto.hash('sha256', input, 'binary'), BLOCK, 'latin1')
    return crypto.hash('sha256', outer, 'hex')
  }
}

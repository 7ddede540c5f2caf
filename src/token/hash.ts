import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'

/** SHA-256 and HMAC-SHA-256 over ASCII text, in 64 lower-case hexadecimal digits. */
export type HashEngine = {
  readonly name: string
  sha256(text: string): string
  /** Prepares the key (its UTF-8 bytes) once; the answer digests many texts. */
  hmacSha256(key: string): (text: string) => string
}

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
 * The platform's one-shot hash, where it has a synchronous one (`crypto.hash`, Node 20.12): several times faster than the portable engine on
 * an input of this size. WebCrypto is not used: it is asynchronous, and 20 to 60 times slower here.
 *
 * The module is looked up at run time, so that bundles for platforms without `node:crypto` need no shim.
 */
export const nativeEngine: HashEngine | undefined = findNativeEngine()

/** The fastest engine that this platform has. */
export const defaultEngine: HashEngine = nativeEngine ?? portableEngine

function findNativeEngine(): HashEngine | undefined {
  try {
    const crypto = globalThis.process?.getBuiltinModule?.('node:crypto')
    if (typeof crypto?.hash !== 'function') return undefined
    const engine: HashEngine = {
      name: 'native',
      sha256: (text) => crypto.hash('sha256', text, 'hex'),
      hmacSha256: (key) => (text) => crypto.createHmac('sha256', key).update(text).digest('hex'),
    }
    // A platform that only claims to have it (a shim, a polyfill) must not decide about tokens.
    return engine.sha256('abc') === portableEngine.sha256('abc') ? engine : undefined
  } catch {
    return undefined
  }
}

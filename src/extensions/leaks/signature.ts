/** A public key in WebCrypto. */
export type PublicKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

/** Decodes standard base64. Returns `undefined` for anything else. */
function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length > 4096 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) return undefined
  const binary = atob(text)
  return Uint8Array.from(binary, (char) => char.charCodeAt(0))
}

// Whitespace is removed before matching, because it would allow too many ways to match.
const PEM = /^-----BEGINPUBLICKEY-----([A-Za-z0-9+/=]+)-----ENDPUBLICKEY-----$/

/** Imports an ECDSA P-256 public key from PEM (RFC 7468 §13). Returns `undefined` for any other text or kind of key. */
export async function importPublicKey(pem: string): Promise<PublicKey | undefined> {
  const der = decodeBase64(PEM.exec(pem.replace(/\s+/g, ''))?.[1] ?? '')
  if (der === undefined) return undefined
  try {
    return await crypto.subtle.importKey('spki', der, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify'])
  } catch {
    return undefined
  }
}

/** Returns the two numbers of a DER signature in base64 as WebCrypto expects them, or `undefined` if this text cannot be the signature of anything. */
export function readSignature(text: string): Uint8Array<ArrayBuffer> | undefined {
  const der = decodeBase64(text)
  return der === undefined ? undefined : fromDer(der)
}

/** Checks whether this base64 text is the DER signature (ECDSA P-256, SHA-256) of exactly these bytes. */
export async function verifySignature(key: PublicKey, signature: string, bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const raw = readSignature(signature)
  return raw !== undefined && (await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, raw, bytes))
}

const SEQUENCE = 0x30
const INTEGER = 0x02
const FIELD_BYTES = 32

// RFC 3279 §2.2.3: SEQUENCE { r INTEGER, s INTEGER }. WebCrypto expects r and s concatenated, 32 bytes each. Only strict DER without trailing bytes is
// accepted, so a signature has only one encoding.
function fromDer(der: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  if (der[0] !== SEQUENCE || der[1] !== der.length - 2) return undefined
  const r = readInteger(der, 2)
  const s = r === undefined ? undefined : readInteger(der, r.end)
  if (r === undefined || s === undefined || s.end !== der.length) return undefined
  const raw = new Uint8Array(2 * FIELD_BYTES)
  raw.set(r.digits, FIELD_BYTES - r.digits.length)
  raw.set(s.digits, 2 * FIELD_BYTES - s.digits.length)
  return raw
}

function readInteger(der: Uint8Array, at: number): { readonly digits: Uint8Array; readonly end: number } | undefined {
  const length = der[at + 1]
  if (der[at] !== INTEGER || length === undefined || length === 0 || length > FIELD_BYTES + 1) return undefined
  const end = at + 2 + length
  if (end > der.length) return undefined
  const [first = 0, second = 0] = der.subarray(at + 2, end)
  if (first >= 0x80) return undefined
  // X.690 §8.3.2: a leading zero is only allowed before a byte that would otherwise make the number negative.
  if (first === 0 && length > 1) return second >= 0x80 ? { digits: der.subarray(at + 3, end), end } : undefined
  return length > FIELD_BYTES ? undefined : { digits: der.subarray(at + 2, end), end }
}

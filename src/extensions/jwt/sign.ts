import { base64url, CompactSign } from 'jose'
import { StoreUnavailableError } from '../../errors.js'
import { type CallSite, callOut } from '../../store/deadline.js'
import type { SigningKey } from './keys.js'

const SIGNATURE_BYTES = 64

/** How long the host's key may take to sign, and who receives an error. */
type Signing = Pick<CallSite, 'deadlineMs' | 'leftMs' | 'report'>

/** RFC 9068 §2.1 */
const ACCESS_TOKEN = 'at+jwt'

/** Signs claims as a compact JWS (RFC 7515 §7.1) of type `at+jwt`. */
export async function signClaims(claims: Readonly<Record<string, unknown>>, key: SigningKey, by: Signing): Promise<string> {
  return await signCompact(JSON.stringify(claims), ACCESS_TOKEN, key, by)
}

/** Returns the length of the token that `signClaims` would create. All supported algorithms have signatures of the same length. */
export function signedLength(claims: Readonly<Record<string, unknown>>, key: SigningKey): number {
  const parts = [headerOf(key, ACCESS_TOKEN), claims].map((part) => encodedLength(new TextEncoder().encode(JSON.stringify(part)).length))
  return parts.reduce((sum, length) => sum + length + 1, encodedLength(SIGNATURE_BYTES))
}

function headerOf({ alg, kid }: SigningKey, typ: string): { alg: SigningKey['alg']; kid: string; typ: string } {
  return { alg, kid, typ }
}

/** RFC 7515 §2: base64url without padding. */
function encodedLength(bytes: number): number {
  return Math.ceil((bytes * 4) / 3)
}

/** Signs text as a compact JWS of this type. */
export async function signCompact(text: string, typ: string, key: SigningKey, by: Signing): Promise<string> {
  const { sign } = key
  const header = headerOf(key, typ)
  const payload = new TextEncoder().encode(text)
  if (typeof sign !== 'function') return await new CompactSign(payload).setProtectedHeader(header).sign(sign)
  const input = `${base64url.encode(JSON.stringify(header))}.${base64url.encode(payload)}`
  const signature = await callOut(
    { what: 'the sign callback', where: 'sign', ...by },
    () => sign(new TextEncoder().encode(input)),
    (answer) => {
      if (answer instanceof Uint8Array && answer.length === SIGNATURE_BYTES) return answer
      throw new StoreUnavailableError(`the sign callback must return a raw signature of ${SIGNATURE_BYTES} bytes`)
    },
  )
  return `${input}.${base64url.encode(signature)}`
}

import { base64url, CompactSign } from 'jose'
import { StoreUnavailableError } from '../../errors.js'
import { callOut } from '../../store/deadline.js'
import type { Report } from '../../store/reporter.js'
import type { SigningKey } from './keys.js'

const DEADLINE_MS = 5000
const SIGNATURE_BYTES = 64

/** Claims as a JWS in compact form (RFC 7515 §7.1), of the type `at+jwt` (RFC 9068 §2.1). */
export async function signClaims(claims: Readonly<Record<string, unknown>>, key: SigningKey, report: Report): Promise<string> {
  return await signCompact(JSON.stringify(claims), 'at+jwt', key, report)
}

/** A text as a JWS in compact form, of this type. */
export async function signCompact(text: string, typ: string, { kid, alg, sign }: SigningKey, report: Report): Promise<string> {
  const header = { alg, kid, typ }
  const payload = new TextEncoder().encode(text)
  if (typeof sign !== 'function') return await new CompactSign(payload).setProtectedHeader(header).sign(sign)
  const input = `${base64url.encode(JSON.stringify(header))}.${base64url.encode(payload)}`
  const signature = await callOut(
    { what: 'the sign callback', where: 'sign', deadlineMs: DEADLINE_MS, report },
    () => sign(new TextEncoder().encode(input)),
    (answer) => {
      if (answer instanceof Uint8Array && answer.length === SIGNATURE_BYTES) return answer
      throw new StoreUnavailableError(`the sign callback must return a raw signature of ${SIGNATURE_BYTES} bytes`)
    },
  )
  return `${input}.${base64url.encode(signature)}`
}

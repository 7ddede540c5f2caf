import { readAnchors } from '../../audit/anchors.js'
import { checkProof, type EventProof, type ProofVerification } from '../../audit/proof.js'
import { InvalidInputError } from '../../errors.js'
import type { AuditAnchors } from '../../model/audit.js'

/**
 * Verifies that `proof.event` is in the audit log that a head, a signature, or both vouch for. Needs no store.
 *
 * @throws InvalidInputError `invalid_input` if neither a head nor a signature is passed: without them, a proof proves nothing
 * @example
 * ```ts
 * const { ok } = await verifyEventProof(proof, { head })
 * ```
 */
export async function verifyEventProof(proof: EventProof, anchors: AuditAnchors): Promise<ProofVerification> {
  const read = readAnchors(anchors, 'verifyEventProof()')
  if (read.head === undefined && read.verifySignature === undefined) {
    throw new InvalidInputError('head', 'is missing: pass a head that you kept, or verifySignature')
  }
  return await checkProof(proof, read)
}

import { readAnchors } from '../../audit/anchors.js'
import { AuditCheck, type AuditEntry } from '../../audit/check.js'
import { InvalidInputError } from '../../errors.js'
import type { AuditAnchors, AuditReport } from '../../model/audit.js'

/**
 * Verifies an audit log exported by `exportAudit`, as `verifyAudit` does in the database, but without a store. Needs little memory, regardless of the
 * length of the audit log.
 *
 * @throws InvalidInputError `invalid_input`, field `entries`, `head` or `verifySignature`
 * @example
 * ```ts
 * async function* entries() {
 *   for await (const line of createInterface(createReadStream('audit.jsonl'))) yield JSON.parse(line)
 * }
 * const report = await verifyAuditExport(entries(), { head })
 * ```
 */
export async function verifyAuditExport(
  entries: AsyncIterable<AuditEntry> | Iterable<AuditEntry>,
  anchors?: AuditAnchors,
): Promise<AuditReport> {
  if (!isIterable(entries)) {
    throw new InvalidInputError('entries', 'must be the entries from exportAudit(): a list or an iterable of parsed lines')
  }
  const check = new AuditCheck(readAnchors(anchors, 'verifyAuditExport()'))
  for await (const entry of entries) await check.entry(entry)
  return check.end()
}

// Iterating a string yields its characters, each of which would count as damaged.
function isIterable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return typeof Reflect.get(value, Symbol.asyncIterator) === 'function' || typeof Reflect.get(value, Symbol.iterator) === 'function'
}

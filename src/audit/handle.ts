import type { AuditAnchors, AuditHead, AuditReport, KnownHead } from '../model/audit.js'
import type { AuditEntry } from './check.js'
import type { EventProof } from './proof.js'

/** Options of `proveEvent`. */
export type ProveInput = {
  /** The head that the proof leads to: the event's own seal or a later one. @default the event's own seal */
  readonly head?: KnownHead | undefined
  /** Personal fields to hide: `actorId`, `ownerId`, `createdBy`, `ip`, `reason`, or a member such as `after.name`. */
  readonly hide?: readonly string[] | undefined
}

/** The verbs of the sealed audit log. They need an actor who sees every event, such as `tokens.system`. */
export interface SealedAudit {
  /**
   * Seals every event that is not sealed yet, and returns the newest head, or `undefined` if there are no events. The `sealing` option does this on a schedule.
   *
   * @throws ConflictError `conflict` on an instance without `sealing.sign`, if the existing seals are signed
   */
  sealAudit(): Promise<AuditHead | undefined>
  /**
   * Checks every event against the seals, and the seals against a head kept outside the database, a signature, or both. Reads the whole
   * audit log, page by page.
   *
   * @example
   * ```ts
   * const { ok, problems } = await tokens.system.verifyAudit({ head: JSON.parse(await readFile('head.json', 'utf8')) })
   * ```
   */
  verifyAudit(anchors?: AuditAnchors): Promise<AuditReport>
  /** Creates a proof that one event is in the audit log, without revealing any other, for `verifyEventProof` of `latchkey/audit`. */
  proveEvent(id: string, input?: ProveInput): Promise<EventProof>
  /** Exports the whole audit log with its seals, page by page, for `verifyAuditExport` of `latchkey/audit`. Each entry is plain JSON. */
  exportAudit(): AsyncIterable<AuditEntry>
}

import type { AuditAnchors, AuditHead, AuditReport, KnownHead } from '../model/audit.js'
import type { AuditEntry } from './check.js'
import type { EventProof } from './proof.js'

/** What `proveEvent` shows, and to whom. */
export type ProveInput = {
  /** The head that the proof shall lead to, which is at or behind the seal of the event. @default the seal of the event */
  readonly head?: KnownHead | undefined
  /** Personal fields that are not shown: `actorId`, `ownerId`, `createdBy`, `ip`, `reason`, or a member such as `after.name`. */
  readonly hide?: readonly string[] | undefined
}

/** The verbs of the sealed audit. They need an actor who sees every event, such as `tokens.system`. */
export interface SealedAudit {
  /**
   * Seals every event that is not sealed yet, and answers the newest head; `undefined` where there are no events. The option `sealing` does it on a schedule.
   *
   * @throws ConflictError `conflict` on an instance without `sealing.sign`, where the seals so far are signed
   */
  sealAudit(): Promise<AuditHead | undefined>
  /**
   * Holds every event against the seals, and the seals against a head that was kept outside of the database, a signature, or both. Reads the whole
   * audit, page by page.
   *
   * @example
   * ```ts
   * const { ok, problems } = await tokens.system.verifyAudit({ head: JSON.parse(await readFile('head.json', 'utf8')) })
   * ```
   */
  verifyAudit(anchors?: AuditAnchors): Promise<AuditReport>
  /** Proves that one event stands in the audit, and shows no other: for `verifyEventProof` of `latchkey/audit`. */
  proveEvent(id: string, input?: ProveInput): Promise<EventProof>
  /** The whole audit with its seals, page by page: for `verifyAuditExport` of `latchkey/audit`. Each entry is plain JSON. */
  exportAudit(): AsyncIterable<AuditEntry>
}

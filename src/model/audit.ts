import type { MaybePromise } from './json.js'

/** The newest seal of an audit log. Keep it where people who can write to the database cannot change it. It covers everything up to `lastSeq`. */
export type AuditHead = {
  readonly prefix: string
  readonly number: number
  /** 64 hexadecimal digits. */
  readonly hash: string
  /** The position of the last sealed event. */
  readonly lastSeq: number
  readonly at: Date
  /** The signature from the `sealing.sign` option. */
  readonly signature?: string
}

/** The part of a head that is compared with an audit log. */
export type KnownHead = Pick<AuditHead, 'number' | 'hash'>

/** Checks the signature of a seal's hash, as `sealVerifier` of `latchkey/audit` does. */
export type VerifySignature = (hash: string, signature: string) => MaybePromise<boolean>

/** The anchors that an audit log is checked against. Without either, only its internal consistency is checked. */
export type AuditAnchors = {
  /** A head that was kept outside the database, preferably the newest. */
  readonly head?: KnownHead | undefined
  /** Every seal must be signed, from the first signed seal to the last. */
  readonly verifySignature?: VerifySignature | undefined
}

/**
 * One problem in an audit log.
 *
 * `changed`, `removed`, `inserted`, `reordered`: an event differs from what was sealed. `seal`: the seals themselves are damaged, forged or cut off.
 */
export type AuditProblem = {
  readonly kind: 'changed' | 'removed' | 'inserted' | 'reordered' | 'seal'
  /** The number of the seal. */
  readonly seal?: number
  /** The position of the event in the store's order. */
  readonly seq?: number
  readonly eventId?: string
  readonly message: string
}

/** Result of `verifyAudit`. */
export type AuditReport = {
  /** True if no problem was found, as far as the seals reach. */
  readonly ok: boolean
  /** The anchors that the seals were checked against. `none`: anyone who can write to the database could have forged everything. */
  readonly anchor: 'head' | 'signature' | 'head and signature' | 'none'
  /** The number of events that have not changed since they were sealed. */
  readonly sealed: number
  /** The number of these events with erased personal fields. Each erased field that no sealed `owner.erased` event covers is a `changed` problem. */
  readonly erased: number
  /** The number of sealed events that retention has removed, according to the seals. */
  readonly pruned: number
  /** The number of events after the last seal, for which nothing is proven. */
  readonly behind: number
  /** The newest seal. Absent if nothing is sealed. */
  readonly head?: AuditHead
  /** The first problems, at most 1000. */
  readonly problems: readonly AuditProblem[]
  /** How many more there are. */
  readonly moreProblems: number
}

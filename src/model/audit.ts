import type { MaybePromise } from './json.js'

/** The newest seal of an audit, to be kept where whoever can write to the database cannot. It vouches for everything up to `lastSeq`. */
export type AuditHead = {
  readonly prefix: string
  readonly number: number
  /** 64 hexadecimal digits. */
  readonly hash: string
  /** The place of the last event that is sealed. */
  readonly lastSeq: number
  readonly at: Date
  /** Made by the option `sealing.sign`. */
  readonly signature?: string
}

/** The part of a head that an audit is compared to. */
export type KnownHead = Pick<AuditHead, 'number' | 'hash'>

/** Checks the signature of a seal's hash, as `sealVerifier` of `latchkey/audit` does. */
export type VerifySignature = (hash: string, signature: string) => MaybePromise<boolean>

/** What an audit is held against. Without either it is only compared to itself. */
export type AuditAnchors = {
  /** A head that was kept outside of the database: any, the newest at best. */
  readonly head?: KnownHead | undefined
  /** Every seal must be signed, from the first signed one to the last. */
  readonly verifySignature?: VerifySignature | undefined
}

/**
 * One thing that is wrong with an audit.
 *
 * `changed`, `removed`, `inserted`, `reordered`: an event is not as it was sealed. `seal`: the seals themselves are damaged, forged or cut off.
 */
export type AuditProblem = {
  readonly kind: 'changed' | 'removed' | 'inserted' | 'reordered' | 'seal'
  /** The number of the seal. */
  readonly seal?: number
  /** The place of the event in the store's order. */
  readonly seq?: number
  readonly eventId?: string
  readonly message: string
}

/** Result of `verifyAudit`. */
export type AuditReport = {
  /** Nothing is wrong, as far as seals reach. */
  readonly ok: boolean
  /** What vouches for the seals beside themselves. `none`: whoever can write to the database can forge all of it. */
  readonly anchor: 'head' | 'signature' | 'head and signature' | 'none'
  /** How many events are there as they were sealed. */
  readonly sealed: number
  /** How many of these had personal fields erased. Each field that no sealed `owner.erased` event covers is a problem, `changed`. */
  readonly erased: number
  /** How many sealed events retention has removed, by what the seals say. */
  readonly pruned: number
  /** How many events stand behind the last seal, where nothing is proven. */
  readonly behind: number
  /** The newest seal. Absent: nothing is sealed. */
  readonly head?: AuditHead
  /** The first problems, at most 1000. */
  readonly problems: readonly AuditProblem[]
  /** How many more there are. */
  readonly moreProblems: number
}

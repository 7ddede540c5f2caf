/** Where a named consumer of a prefix's audit events stands, and who reads for it. */
export type ConsumerState = {
  readonly prefix: string
  readonly name: string
  /** 1, 2, 3 …: one more with every change. */
  readonly version: number
  /** The `seq` of the last event that was handled; 0 before the first one. */
  readonly position: number
  /** Who reads. Absent: nobody. */
  readonly holder?: string
}

/** A seal over a range of audit events. What it says is opaque to a store. */
export type StoredSeal = {
  readonly prefix: string
  /** 1, 2, 3 …, without gaps. */
  readonly number: number
  /** At most 100,000 characters. */
  readonly body: string
}

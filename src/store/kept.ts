/** The position of a named consumer of a prefix's audit events, and the node that currently reads for it. */
export type ConsumerState = {
  readonly prefix: string
  readonly name: string
  /** 1, 2, 3 …, incremented with every change. */
  readonly version: number
  /** The `seq` of the last event that was handled; 0 before the first event. */
  readonly position: number
  /** The node that reads. Absent: none. */
  readonly holder?: string
}

/** A consumer at the version at which it was read; every later write has a different version. */
export type ConsumerVersion = Pick<ConsumerState, 'prefix' | 'name' | 'version'>

/** A seal over a range of audit events. Its contents are opaque to a store. */
export type StoredSeal = {
  readonly prefix: string
  /** 1, 2, 3 …, without gaps. */
  readonly number: number
  /** At most 100,000 characters. */
  readonly body: string
}

/** A query for seals of a prefix: by ascending `number`, or descending with `order: 'newest'`. */
export type SealQuery = {
  readonly prefix: string
  /** Only seals with a larger number. Never together with `order`. */
  readonly after?: number
  readonly order?: 'newest'
  /** 1 to 100. */
  readonly limit: number
}

/** A single-use ticket, which represents a token for a few seconds. Its text is not stored anywhere. */
export type StoredTicket = {
  readonly prefix: string
  /** 64 lowercase hexadecimal digits: the digest of the ticket's text. */
  readonly digest: string
  readonly tokenId: string
  readonly expiresAt: number
}

/** The limits for a token's tickets. */
export type TicketRoom = {
  /** The maximum number of tickets of one token whose `expiresAt` is after `now`, including the new one. */
  readonly max: number
  readonly now: number
  /** Tickets of this prefix that expired before this instant may be deleted. */
  readonly forgetBefore: number
}

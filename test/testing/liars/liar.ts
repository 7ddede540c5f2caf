import type { StoreSubject } from 'latchkey/testing'

/** A sabotaged store and the case of the contract that must detect it. */
export type Liar = {
  /** The mistake, as the end of "a store that …". */
  readonly name: string
  readonly caughtBy: string
  create(): StoreSubject
}

/** A subject with one handle that is unaffected by closing. */
export function single(store: StoreSubject['store']): StoreSubject {
  return { store, reopen: () => store }
}

import type { Decider } from '../instance.js'

/** A decision of a guard on a token that waits for something. */
export type Decision = {
  readonly decider: Decider
  readonly token: string
  readonly ip: string | undefined
  readonly answer: PromiseLike<unknown>
  /** Settles once the guard has admitted or refused the request. Never rejects. */
  readonly outcome: Promise<unknown>
  /** Whether no other code can have run since it began. After that, the token may have changed in a way that the decision does not see. */
  isNew: boolean
  next: Decision | undefined
}

/** Decisions on tokens that wait for something, by their request. */
const decisions: Map<object, Decision> = new Map()

/** Returns the decision that another guard of the same instance already waits for, on the same token in the same request. */
export function underWay(request: object, decider: Decider, token: string): Decision | undefined {
  let found = decisions.size === 0 ? undefined : decisions.get(request)
  while (found !== undefined && !(found.token === token && isSameInstance(found.decider, decider))) found = found.next
  return found
}

/** Registers a decision until its outcome has settled. */
export function register(request: object, begun: Omit<Decision, 'isNew' | 'next'>): void {
  const decision: Decision = { ...begun, isNew: true, next: decisions.get(request) }
  queueMicrotask(() => {
    decision.isNew = false
  })
  decisions.set(request, decision)
  void decision.outcome.then(() => remove(request, decision))
}

function remove(request: object, decision: Decision): void {
  const first = decisions.get(request)
  if (first !== decision) {
    let before = first
    while (before !== undefined && before.next !== decision) before = before.next
    if (before !== undefined) before.next = decision.next
  } else if (decision.next === undefined) decisions.delete(request)
  else decisions.set(request, decision.next)
}

/** Returns whether two deciders belong to one instance. */
export function isSameInstance(one: Decider, other: Decider): boolean {
  return (one.root ?? one) === (other.root ?? other)
}

import type { Actor } from './actor.js'

/** Marks the actors that latchkey itself makes, also those of another copy of it. No identity that a host reads from somewhere brings it along. */
const OURS: symbol = /* @__PURE__ */ Symbol.for('latchkey.actor')

/** An actor that latchkey itself made: its id may be one that is reserved. */
export function ownActor(actor: Actor): Actor {
  return Object.defineProperty({ ...actor }, OURS, { value: true })
}

export function isOwnActor(actor: object): boolean {
  return Reflect.get(actor, OURS) === true
}

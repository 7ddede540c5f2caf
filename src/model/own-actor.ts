import type { Actor } from './actor.js'

/** Marks actors that latchkey itself creates, in any loaded copy of it. Identities that a host parses from external data never carry this symbol. */
const OURS: symbol = /* @__PURE__ */ Symbol.for('latchkey.actor')

/** Marks an actor as created by latchkey itself, so it may have a reserved ID. */
export function ownActor(actor: Actor): Actor {
  return Object.defineProperty({ ...actor }, OURS, { value: true })
}

export function isOwnActor(actor: object): boolean {
  return Reflect.get(actor, OURS) === true
}

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

/** Returns the ID of a sender of signed leak reports. Only actors that latchkey itself creates may have such an ID. */
export function senderId(name: string): string {
  return `leaks:${name}`
}

/** Returns whether this is the ID of a sender of signed leak reports. */
export function isSender(actorId: string): boolean {
  return actorId.startsWith('leaks:')
}

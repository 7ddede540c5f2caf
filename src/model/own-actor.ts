import type { Actor } from './actor.js'

/** Marks actors that latchkey itself creates, in any loaded copy of it. Identities that a host parses from external data never carry this symbol. */
const OURS: symbol = /* @__PURE__ */ Symbol.for('latchkey.actor')

/** For holders of a token: the IDs of the other tokens that also end their credential. */
const endings: WeakMap<object, readonly string[]> = new WeakMap()

/** Marks an actor as created by latchkey itself, so it may have a reserved ID. Its credential also ends with the tokens in `endsWith`. */
export function ownActor(actor: Actor, endsWith: readonly string[] = []): Actor {
  const own = Object.defineProperty({ ...actor }, OURS, { value: true })
  if (endsWith.length > 0) endings.set(own, endsWith)
  return own
}

/** The holder of a token, with the IDs of the other tokens that also end the credential. */
type Holder = { readonly tokenId: string; readonly tenantId: string | undefined; readonly endsWith: readonly string[] }

/** Returns the actor for a token's own requests: limited to its tenant and its own permissions. */
export function holderActor({ tokenId, tenantId, endsWith }: Holder): Actor {
  return ownActor({ id: `token:${tokenId}`, tenants: tenantId === undefined ? '*' : [tenantId], manages: 'all' }, endsWith)
}

/** Returns the IDs of the tokens that also end this actor's credential. */
export function endingsOf(actor: object): readonly string[] | undefined {
  return endings.get(actor)
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

import type { TokenHandle } from '../instance.js'
import type { CreateInput, Minted, Replayed } from '../model/record.js'
import type { Context } from '../verify/context.js'
import { activate } from './activate.js'
import { create } from './create.js'
import { deactivate } from './deactivate.js'
import { events } from './events.js'
import { get } from './get.js'
import { grantable } from './grantable.js'
import type { ReadActor } from './lib/actor.js'
import { list } from './list.js'
import { ownerChanged } from './owner-changed.js'
import { prune } from './prune.js'
import { reportLeak } from './report-leak.js'
import { revoke } from './revoke.js'
import { revokeAll } from './revoke-all.js'
import { rotate } from './rotate.js'
import { update } from './update.js'
import { usage } from './usage.js'
import { usageOf } from './usage-of.js'

/** Binds the verbs to one actor. `open` gives the context, or throws once the instance is closed. */
export function createHandle(open: () => Context, actor: ReadActor): TokenHandle {
  function createAs(input: CreateInput & { readonly idempotencyKey?: undefined }): Promise<Minted>
  function createAs(input: CreateInput): Promise<Minted | Replayed>
  async function createAs(input: unknown): Promise<Minted | Replayed> {
    return create(open(), actor, input)
  }
  function rotateAs(id: string, input?: { readonly idempotencyKey?: undefined }): Promise<Minted>
  function rotateAs(id: string, input: object): Promise<Minted | Replayed>
  async function rotateAs(id: unknown, input?: unknown): Promise<Minted | Replayed> {
    return rotate(open(), actor, id, input)
  }
  const handle: TokenHandle = {
    create: createAs,
    get: async (id) => get(open(), actor, id),
    list: async (input) => list(open(), actor, input),
    update: async (id, changes, options) => update(open(), actor, id, changes, options),
    activate: async (id, options) => activate(open(), actor, id, options),
    deactivate: async (id, options) => deactivate(open(), actor, id, options),
    rotate: rotateAs,
    revoke: async (id, input) => revoke(open(), actor, id, input),
    revokeAll: async (input) => revokeAll(open(), actor, input),
    events: async (input) => events(open(), actor, input),
    usage: async (id, range) => usage(open(), actor, id, range),
    usageOf: async (input) => usageOf(open(), actor, input),
    grantable: () => grantable(open(), actor),
    ownerChanged: async (owner) => ownerChanged(open(), actor, owner),
    reportLeak: async (input) => reportLeak(open(), actor, input),
    prune: async (input) => prune(open(), actor, input),
  }
  return Object.freeze(handle)
}

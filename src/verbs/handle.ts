import type { TokenHandle } from '../instance.js'
import type { CreateInput, Minted, Replayed } from '../model/record.js'
import type { OwnerForecast, OwnerGone, OwnerGoneInput } from '../model/revocation.js'
import type { CreateOptions } from '../model/transaction.js'
import type { Context } from '../verify/context.js'
import { activate } from './activate.js'
import { consume } from './consume.js'
import { create } from './create.js'
import { deactivate } from './deactivate.js'
import { events } from './events.js'
import { explain } from './explain.js'
import { exportAudit } from './export-audit.js'
import { get } from './get.js'
import { grantable } from './grantable.js'
import type { ReadActor } from './lib/actor.js'
import { noteRefused, type Target } from './lib/attempts.js'
import { list } from './list.js'
import { ownerChanged } from './owner-changed.js'
import { ownerGone } from './owner-gone.js'
import { proveEvent } from './prove-event.js'
import { prune } from './prune.js'
import { reportLeak } from './report-leak.js'
import { revoke } from './revoke.js'
import { revokeAll } from './revoke-all.js'
import { rotate } from './rotate.js'
import { sealAudit } from './seal-audit.js'
import { update } from './update.js'
import { usage } from './usage.js'
import { usageOf } from './usage-of.js'
import { verifyAudit } from './verify-audit.js'

/** Binds the verbs to one actor. `open` gives the context, or throws once the instance is closed. */
export function createHandle(open: () => Context, actor: ReadActor): TokenHandle {
  // Every call passes here: what it refuses its actor leaves a trace.
  async function run<T>(verb: keyof TokenHandle, call: (context: Context) => Promise<T>, target: Target = {}): Promise<T> {
    const context = open()
    try {
      return await call(context)
    } catch (error) {
      noteRefused(context, actor, verb, error, target)
      throw error
    }
  }
  function createAs(input: CreateInput & { readonly idempotencyKey?: undefined }, options?: CreateOptions): Promise<Minted>
  function createAs(input: CreateInput, options?: CreateOptions): Promise<Minted | Replayed>
  function createAs(input: CreateInput, options?: CreateOptions): Promise<Minted | Replayed> {
    return run('create', (context) => create(context, actor, input, options), { input })
  }
  function rotateAs(id: string, input?: { readonly idempotencyKey?: undefined }): Promise<Minted>
  function rotateAs(id: string, input: object): Promise<Minted | Replayed>
  function rotateAs(id: unknown, input?: unknown): Promise<Minted | Replayed> {
    return run('rotate', (context) => rotate(context, actor, id, input), { id })
  }
  function ownerGoneAs(owner: OwnerGoneInput & { readonly dryRun: true }): Promise<OwnerForecast>
  function ownerGoneAs(owner: OwnerGoneInput & { readonly dryRun?: false | undefined }): Promise<OwnerGone>
  function ownerGoneAs(owner: OwnerGoneInput): Promise<OwnerGone | OwnerForecast> {
    return run('ownerGone', (context) => ownerGone(context, actor, owner), { input: owner })
  }
  const handle: TokenHandle = {
    create: createAs,
    get: (id) => run('get', (context) => get(context, actor, id), { id }),
    list: (input) => run('list', (context) => list(context, actor, input)),
    update: (id, changes, options) => run('update', (context) => update(context, actor, id, changes, options), { id }),
    activate: (id, options) => run('activate', (context) => activate(context, actor, id, options), { id }),
    deactivate: (id, options) => run('deactivate', (context) => deactivate(context, actor, id, options), { id }),
    rotate: rotateAs,
    revoke: (id, input) => run('revoke', (context) => revoke(context, actor, id, input), { id }),
    revokeAll: (input) => run('revokeAll', (context) => revokeAll(context, actor, input)),
    events: (input) => run('events', (context) => events(context, actor, input)),
    usage: (id, range) => run('usage', (context) => usage(context, actor, id, range), { id }),
    usageOf: (input) => run('usageOf', (context) => usageOf(context, actor, input)),
    explain: (id, input) => run('explain', (context) => explain(context, actor, id, input), { id }),
    grantable: () => grantable(open(), actor),
    ownerGone: ownerGoneAs,
    ownerChanged: (owner) => run('ownerChanged', (context) => ownerChanged(context, actor, owner), { input: owner }),
    reportLeak: (input) => run('reportLeak', (context) => reportLeak(context, actor, input)),
    consume: (name, handler, options) => consume(open(), actor, name, handler, options),
    sealAudit: () => run('sealAudit', (context) => sealAudit(context, actor)),
    verifyAudit: (anchors) => run('verifyAudit', (context) => verifyAudit(context, actor, anchors)),
    proveEvent: (id, input) => run('proveEvent', (context) => proveEvent(context, actor, id, input)),
    exportAudit: () => exportAudit(open(), actor),
    prune: (input) => run('prune', (context) => prune(context, actor, input)),
  }
  return Object.freeze(handle)
}

import type { TokenHandle } from '../instance.js'
import type { Known } from '../model/presenter.js'
import type { CreateInput, Minted, Replayed } from '../model/record.js'
import type { OwnerForecast, OwnerGone, OwnerGoneInput } from '../model/revocation.js'
import type { CreateOptions } from '../model/transaction.js'
import { supplies } from '../policy/option-reader.js'
import { type Allowance, apart } from '../store/deadline.js'
import { forOneCall, givingWay } from '../verify/build-context.js'
import type { Context } from '../verify/context.js'
import { inTurns } from '../verify/in-turn.js'
import { consume } from './consume.js'
import { exportAudit } from './export-audit.js'
import { grantable } from './grantable.js'
import { type ReadActor, turnsOf } from './lib/actor.js'
import { noteRefused, type Target } from './lib/attempts.js'

type Verbs = typeof import('./by-name.js')

let loaded: Verbs | undefined

/** Loads the verbs on the first call. They take longer to load than everything else, and a server that only verifies tokens never needs them. */
async function load(): Promise<Verbs> {
  loaded = await import('./by-name.js')
  return loaded
}

/**
 * Binds the verbs to one actor. `open` returns the context, or throws once the instance is closed. Each verb has one deadline for everything that it waits for.
 * The verbs of a request share its `allowance`, and are queued under the name `turns`.
 */
export function createHandle(
  open: () => Context,
  actor: ReadActor,
  allowance?: Allowance,
  turns: string | Known = turnsOf(actor),
): TokenHandle {
  // Every call passes through one of these functions, so every refusal is recorded.
  function atOnce<T>(verb: keyof TokenHandle, call: (context: Context) => T): T {
    const context = open()
    try {
      return call(context)
    } catch (error) {
      noteRefused(context, actor, verb, error, {})
      throw error
    }
  }
  async function attempt<T>(
    verb: keyof TokenHandle,
    call: (context: Context, verbs: Verbs) => Promise<T>,
    target: Target | undefined,
    yields = false,
  ): Promise<T> {
    const context = open()
    try {
      // Loading happens once per process, so it does not count against this request's deadline.
      return await call(inTurns(context, turns), loaded ?? (await apart(allowance, load)))
    } catch (error) {
      noteRefused(context, actor, verb, error, target ?? {})
      throw error
    } finally {
      if (yields) await context.giveWay()
    }
  }
  // `yields`: a loop of calls lets other work run.
  function run<T>(
    verb: keyof TokenHandle,
    call: (context: Context, verbs: Verbs) => Promise<T>,
    target?: Target,
    yields = true,
  ): Promise<T> {
    return attempt(verb, (context, verbs) => call(forOneCall(context, allowance), verbs), target, yields)
  }
  // Each step has a deadline of its own, and other work can run between the steps.
  function inSteps<T>(verb: keyof TokenHandle, call: (context: Context, verbs: Verbs) => Promise<T>, target?: Target): Promise<T> {
    return attempt(verb, (context, verbs) => call(givingWay(context), verbs), target)
  }
  function createAs<const Key extends string | undefined = undefined>(
    input: CreateInput & { readonly idempotencyKey?: Key },
    options?: CreateOptions,
  ): Promise<[Key] extends [undefined] ? Minted : Minted | Replayed>
  function createAs(input: CreateInput, options?: CreateOptions): Promise<Minted | Replayed> {
    // Everything that uses the same SQLite database shares an open transaction of the host, so no other work may run before its end.
    return run('create', (context, verbs) => verbs.create(context, actor, input, options), { input }, !passesTransaction(options))
  }
  function rotateAs(id: string, input?: { readonly idempotencyKey?: undefined }): Promise<Minted>
  function rotateAs(id: string, input: object): Promise<Minted | Replayed>
  function rotateAs(id: unknown, input?: unknown): Promise<Minted | Replayed> {
    return run('rotate', (context, verbs) => verbs.rotate(context, actor, id, input), { id })
  }
  function ownerGoneAs(owner: OwnerGoneInput & { readonly dryRun: true }): Promise<OwnerForecast>
  function ownerGoneAs(owner: OwnerGoneInput & { readonly dryRun?: false | undefined }): Promise<OwnerGone>
  function ownerGoneAs(owner: OwnerGoneInput): Promise<OwnerGone | OwnerForecast> {
    return run('ownerGone', (context, verbs) => verbs.ownerGone(context, actor, owner), { input: owner })
  }
  const handle: TokenHandle = {
    create: createAs,
    get: (id) => run('get', (context, verbs) => verbs.get(context, actor, id), { id }),
    list: (input) => run('list', (context, verbs) => verbs.list(context, actor, input)),
    tenants: (input) => run('tenants', (context, verbs) => verbs.tenants(context, actor, input)),
    owners: (input) => run('owners', (context, verbs) => verbs.owners(context, actor, input)),
    update: (id, changes, options) => run('update', (context, verbs) => verbs.update(context, actor, id, changes, options), { id }),
    activate: (id, options) => run('activate', (context, verbs) => verbs.activate(context, actor, id, options), { id }),
    deactivate: (id, options) => run('deactivate', (context, verbs) => verbs.deactivate(context, actor, id, options), { id }),
    rotate: rotateAs,
    revoke: (id, input) => run('revoke', (context, verbs) => verbs.revoke(context, actor, id, input), { id }),
    revokeAll: (input) => run('revokeAll', (context, verbs) => verbs.revokeAll(context, actor, input)),
    events: (input) => run('events', (context, verbs) => verbs.events(context, actor, input)),
    usage: (id, range) => run('usage', (context, verbs) => verbs.usage(context, actor, id, range), { id }),
    usageOf: (input) => run('usageOf', (context, verbs) => verbs.usageOf(context, actor, input)),
    explain: (id, input) => run('explain', (context, verbs) => verbs.explain(context, actor, id, input), { id }),
    grantable: () => atOnce('grantable', (context) => grantable(context, actor)),
    ownerGone: ownerGoneAs,
    erase: (owner) => inSteps('erase', (context, verbs) => verbs.erase(context, actor, owner), { input: owner }),
    ownerChanged: (owner) => run('ownerChanged', (context, verbs) => verbs.ownerChanged(context, actor, owner), { input: owner }),
    reportLeak: (input) => run('reportLeak', (context, verbs) => verbs.reportLeak(context, actor, input)),
    consume: (name, handler, options) => atOnce('consume', (context) => consume(context, actor, name, handler, options)),
    forgetConsumer: (name) => inSteps('forgetConsumer', (context, verbs) => verbs.forgetConsumer(context, actor, name)),
    sealAudit: () => inSteps('sealAudit', (context, verbs) => verbs.sealAudit(context, actor)),
    verifyAudit: (anchors) => inSteps('verifyAudit', (context, verbs) => verbs.verifyAudit(context, actor, anchors)),
    proveEvent: (id, input) => inSteps('proveEvent', (context, verbs) => verbs.proveEvent(context, actor, id, input)),
    exportAudit: () => atOnce('exportAudit', (context) => exportAudit(inTurns(context, turns), actor)),
    import: (rows, input) => inSteps('import', (context, verbs) => verbs.importTokens(context, actor, rows, input)),
    prune: (input) => inSteps('prune', (context, verbs) => verbs.prune(context, actor, input)),
  }
  return Object.freeze(handle)
}

// Reads no value, because a getter of the host may answer differently the next time.
function passesTransaction(options: unknown): boolean {
  try {
    return supplies(Object(options), 'transaction')
  } catch {
    return true
  }
}

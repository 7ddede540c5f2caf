import type { Scheduler } from 'fast-check'
import type { Latchkey, OwnerPermissions, Verification } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import type { TokenStore } from '../../src/store/port.js'
import { instance, type Scope } from '../latchkey/harness.js'

export const VERBS = [
  'verify',
  'revoke',
  'revokeAll',
  'revokeOwner',
  'revokeElsewhere',
  'rotate',
  'deactivate',
  'activate',
  'narrow',
  'widen',
  'ownerLoses',
  'ownerGains',
] as const

/** One action on one of two nodes. */
export type Act = { readonly verb: (typeof VERBS)[number]; readonly node: 0 | 1 }

/** An action that was performed. `began` and `ended` come from a counter that increments at every start and end. */
export type Done = Act & { readonly began: number; ended: number; ok: boolean; writes: boolean }

/** Two instances over one store. A scheduler controls when each call reaches the store and when its answer returns. */
export type World = {
  run(scheduler: Scheduler, acts: readonly Act[]): Promise<readonly Done[]>
}

type Nodes = readonly [Latchkey<Scope>, Latchkey<Scope>]

export function createWorld(): World {
  let scheduler: Scheduler | undefined
  const owners = new Map<string, readonly Scope[]>()

  const turn = (label: string): Promise<unknown> => scheduler?.schedule(Promise.resolve(), label) ?? Promise.resolve()
  const scheduled = (store: TokenStore): TokenStore =>
    interceptStore(store, async ({ method }, proceed) => {
      if (method === 'subscribe' || method === 'renewLease' || method === 'recordUsage') return proceed()
      await turn(`${method} goes out`)
      const answer = await proceed()
      await turn(`${method} comes back`)
      return answer
    })
  const owner = async ({ ownerId }: { ownerId: string }): Promise<OwnerPermissions | null> => {
    await turn('owner asked')
    const scopes = owners.get(ownerId) ?? null
    await turn('owner answers')
    return scopes && { scopes }
  }
  const store = memoryStore()
  const node = () =>
    instance({
      store: scheduled(store),
      owner,
      cache: { maxStaleness: 60, ownerStaleness: 60 },
      usage: false,
      deadline: 300,
    })
  const nodes: Nodes = [node(), node()]
  let runs = 0

  return {
    async run(given, acts) {
      runs += 1
      const ownerId = `o${runs}`
      owners.set(ownerId, ['stock:read', 'stock:write'])
      scheduler = undefined
      const { token, record } = await nodes[0].system.create({
        name: 'x',
        tenantId: ownerId,
        ownerId,
        scopes: ['stock:read', 'stock:write'],
      })
      // This token is for a bulk revocation in another tenant.
      await nodes[0].system.create({ name: 'y', tenantId: `not ${ownerId}`, scopes: ['stock:read'] })
      for (const tokens of nodes) await tokens.verify(token)
      await settled()
      scheduler = given
      const log = createLog()
      const all = Promise.all(acts.map((act) => given.schedule(Promise.resolve(), act.verb).then(() => log.add(act, perform(act)))))
      await given.waitFor(all)
      await given.waitIdle()
      // Every report has arrived, so a verification must now agree with the store.
      for (const at of [0, 1] as const) {
        const last = log.add({ verb: 'verify', node: at }, nodes[at].verify(token))
        await given.waitFor(last)
        await given.waitIdle()
      }
      scheduler = undefined
      return log.done

      function perform({ verb, node: at }: Act): Promise<unknown> {
        const tokens = nodes[at]
        if (verb === 'verify') return tokens.verify(token)
        if (verb === 'revoke') return tokens.system.revoke(record.id)
        if (verb === 'revokeAll') return tokens.system.revokeAll({ tenantId: ownerId })
        if (verb === 'revokeOwner') return tokens.system.revokeAll({ ownerId, tenantId: ownerId })
        if (verb === 'revokeElsewhere') return tokens.system.revokeAll({ tenantId: `not ${ownerId}` })
        if (verb === 'rotate') return tokens.system.rotate(record.id)
        if (verb === 'deactivate') return tokens.system.deactivate(record.id)
        if (verb === 'activate') return tokens.system.activate(record.id)
        if (verb === 'narrow') return tokens.system.update(record.id, { scopes: ['stock:read'] })
        if (verb === 'widen') return tokens.system.update(record.id, { scopes: ['stock:read', 'stock:write'] })
        owners.set(ownerId, verb === 'ownerLoses' ? ['stock:read'] : ['stock:read', 'stock:write'])
        return tokens.system.ownerChanged({ ownerId })
      }
    },
  }
}

function createLog() {
  const done: Done[] = []
  let clock = 0
  return {
    done,
    async add(act: Act, running: Promise<unknown>): Promise<void> {
      clock += 1
      const entry: Done = { ...act, began: clock, ended: Number.POSITIVE_INFINITY, ok: false, writes: false }
      done.push(entry)
      try {
        const answer = await running
        entry.ok = act.verb !== 'verify' || (answer as Verification).ok
        if (act.verb === 'verify') entry.writes = mayWrite(answer as Verification)
      } catch {
        // The change conflicts with an earlier change.
      }
      clock += 1
      entry.ended = clock
    },
  }
}

function mayWrite(verification: Verification): boolean {
  return verification.ok && verification.principal.allows('stock:write')
}

/** Runs everything that is queued outside the scheduler. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

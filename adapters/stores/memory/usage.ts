import { isErased } from '../../../src/model/event.js'
import { ownFields } from '../../../src/model/own-fields.js'
import type { StoredToken } from '../../../src/model/record.js'
import type { LastUse, UsageAddress, UsageBatch, UsageCount, UsageQuery, UsageRows, UsageTrim } from '../../../src/model/usage.js'
import type { RestoredUsage } from '../../../src/store/moving.js'

/** How many addresses a query returns, most recent first. Up to twice as many are kept per token. */
const MAX_ADDRESSES = 1000

/** The number of nodes whose last batch is remembered. The nodes heard from least recently are forgotten first. */
const MAX_NODES = 10_000

type TokenUsage = {
  /** The counters of each hour. */
  readonly counts: Map<number, Map<string, UsageCount>>
  readonly addresses: Map<string, UsageAddress>
  lastUse: LastUse | undefined
}

/** The counted uses of each token. */
export type Usage = {
  /** Adds a batch, and returns whether it was new. Tokens for which `exists` returns false are skipped. */
  record(batch: UsageBatch, find: (tokenId: string) => StoredToken | undefined): boolean
  report(query: UsageQuery): UsageRows
  lastUse(tokenId: string): LastUse | undefined
  remove(tokenId: string): void
  /** Replaces all stored usage of a token. */
  replace(usage: RestoredUsage): void
  /** Removes everything that is too old. In memory this is fast, so one call does it all. */
  trim(trim: UsageTrim): void
}

export function createUsage(): Usage {
  const byToken = new Map<string, TokenUsage>()
  const lastSeqs = new Map<string, number>()

  function usageOf(tokenId: string): TokenUsage {
    const known = byToken.get(tokenId)
    if (known !== undefined) return known
    const created: TokenUsage = { counts: new Map(), addresses: new Map(), lastUse: undefined }
    byToken.set(tokenId, created)
    return created
  }

  return {
    record(batch, find) {
      if (batch.seq <= (lastSeqs.get(batch.nodeId) ?? 0)) return false
      remember(lastSeqs, batch)
      for (const count of batch.counts) if (find(count.tokenId) !== undefined) addCount(usageOf(count.tokenId), count)
      for (const address of batch.addresses) {
        const token = find(address.tokenId)
        if (token !== undefined && !isErased(token)) addAddress(usageOf(address.tokenId), address)
      }
      for (const { ip, ...use } of batch.lastUses) {
        const token = find(use.tokenId)
        if (token === undefined) continue
        const usage = usageOf(use.tokenId)
        if (usage.lastUse !== undefined && use.at <= usage.lastUse.at) continue
        usage.lastUse = Object.freeze(ownFields(ip === undefined || isErased(token) ? use : { ...use, ip }))
      }
      return true
    },

    report({ tokenIds, from = -Infinity, to = Infinity, limit = Infinity, stepMs }) {
      const found = [...new Set(tokenIds)].flatMap((id) => byToken.get(id) ?? [])
      const counts: UsageCount[] = []
      for (const { counts: own } of found) {
        for (const [bucketAt, ofHour] of own) {
          if (counts.length >= limit) break
          if (bucketAt < from || bucketAt >= to) continue
          for (const count of ofHour.values()) if (counts.length < limit) counts.push(count)
        }
      }
      if (stepMs !== undefined) return { counts: bySteps(counts, from, stepMs).sort(byKey), addresses: [], summed: counts.length }
      const addresses = found.flatMap(({ addresses }) => [...addresses.values()])
      return { counts: counts.sort(byKey), addresses: addresses.sort(mostRecentFirst).slice(0, MAX_ADDRESSES) }
    },

    lastUse: (tokenId) => byToken.get(tokenId)?.lastUse,

    remove(tokenId) {
      byToken.delete(tokenId)
    },

    replace({ tokenId, rest, counts, addresses, lastUse }) {
      if (rest !== true) byToken.delete(tokenId)
      const usage = usageOf(tokenId)
      for (const count of counts) addCount(usage, count)
      for (const address of addresses) addAddress(usage, address)
      if (lastUse !== undefined) usage.lastUse = Object.freeze(ownFields(lastUse))
    },

    trim({ tokenIds, countsBefore = -Infinity, addressesBefore = -Infinity, lastAddresses }) {
      for (const usage of tokenIds.flatMap((id) => byToken.get(id) ?? [])) {
        const { counts, addresses, lastUse } = usage
        if (lastAddresses === true && lastUse !== undefined)
          usage.lastUse = Object.freeze(ownFields({ tokenId: lastUse.tokenId, at: lastUse.at }))
        for (const bucketAt of counts.keys()) if (bucketAt < countsBefore) counts.delete(bucketAt)
        for (const [ip, { lastAt }] of addresses) if (lastAt < addressesBefore) addresses.delete(ip)
      }
    },
  }
}

/** Sums counters by token and step. */
function bySteps(counts: readonly UsageCount[], from: number, stepMs: number): UsageCount[] {
  const steps = new Map<string, UsageCount>()
  for (const { tokenId, bucketAt, outcome, count } of counts) {
    const at = bucketAt - ((bucketAt - from) % stepMs)
    const verdict = outcome === 'allowed' ? 'allowed' : 'refused'
    const key = `${at} ${verdict} ${tokenId}`
    const known = steps.get(key)?.count ?? 0
    steps.set(key, { tokenId, bucketAt: at, endpoint: '', outcome: verdict, scope: '', count: known + count })
  }
  return [...steps.values()]
}

function remember(lastSeqs: Map<string, number>, { nodeId, seq }: UsageBatch): void {
  lastSeqs.delete(nodeId)
  lastSeqs.set(nodeId, seq)
  for (const oldest of lastSeqs.keys()) {
    if (lastSeqs.size <= MAX_NODES) break
    lastSeqs.delete(oldest)
  }
}

function addCount({ counts }: TokenUsage, added: UsageCount): void {
  const ofHour = counts.get(added.bucketAt) ?? new Map<string, UsageCount>()
  counts.set(added.bucketAt, ofHour)
  const key = JSON.stringify([added.endpoint, added.outcome, added.scope])
  ofHour.set(key, Object.freeze({ ...added, count: added.count + (ofHour.get(key)?.count ?? 0) }))
}

function addAddress({ addresses }: TokenUsage, added: UsageAddress): void {
  const known = addresses.get(added.ip)
  const sum = { ...added, count: added.count + (known?.count ?? 0), lastAt: Math.max(added.lastAt, known?.lastAt ?? added.lastAt) }
  addresses.set(added.ip, Object.freeze(sum))
  if (addresses.size <= 2 * MAX_ADDRESSES) return
  for (const { ip } of [...addresses.values()].sort(mostRecentFirst).slice(MAX_ADDRESSES)) addresses.delete(ip)
}

function byKey(a: UsageCount, b: UsageCount): number {
  return (
    a.bucketAt - b.bucketAt ||
    compareText(a.endpoint, b.endpoint) ||
    compareText(a.outcome, b.outcome) ||
    compareText(a.scope, b.scope) ||
    compareText(a.tokenId, b.tokenId)
  )
}

function mostRecentFirst(a: UsageAddress, b: UsageAddress): number {
  return b.lastAt - a.lastAt || compareText(a.ip, b.ip)
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

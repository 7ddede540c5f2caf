import { randomUUID } from 'node:crypto'
import type { Move, MoveState, Restored, RestoreResult } from '../../../src/store/moving.js'
import { usageArguments } from './activity.js'
import type { Connection } from './connection.js'
import { decodeListed, encodeConsumer, encodeEvent, encodeToken, flagOf, isOfAnother, listOf, unexpected } from './encode.js'
import { scripts } from './scripts.js'

const encodeMove = (move: Move | undefined): string => (move === undefined ? '' : `${move.state} ${move.moveId} ${move.runId}`)

/** Reads the move of a prefix. */
export async function readMove(connection: Connection, prefix: string): Promise<Move | undefined> {
  const stored = String(await connection.run(scripts.readMove, [JSON.stringify(prefix)]))
  const [state, moveId = '', runId = ''] = stored.split(' ')
  return stored === '' ? undefined : { state: state as MoveState, moveId, runId }
}

/** Writes the state of a move, unless it has changed since it was read. */
export async function saveMove(
  connection: Connection,
  channel: string,
  prefix: string,
  expected: Move | undefined,
  next: Move | undefined,
): Promise<boolean> {
  const args = [JSON.stringify(prefix), encodeMove(expected), encodeMove(next), channel, randomUUID()]
  return flagOf(await connection.run(scripts.saveMove, args))
}

/** Returns the current index keys of each of these events, in the given order; `undefined` for events that do not exist. */
async function indexesOfStored(connection: Connection, prefix: string, ids: readonly string[]): Promise<readonly (string | undefined)[]> {
  if (ids.length === 0) return []
  return listOf(await connection.getMany(ids.map((id) => `ev:${id}`))).map((body, index) => {
    if (body === null || body === undefined) return ''
    if (isOfAnother(body, prefix)) return undefined
    return encodeEvent(decodeListed(body, { prefix, id: ids[index] ?? '' }))[2]
  })
}

/** Writes data from another store in one script, if the move of the prefix belongs to this run. */
export async function restore(connection: Connection, restored: Restored): Promise<RestoreResult> {
  const { prefix, runId, tokens = [], removedTokens = [], events = [], usage = [], seals = [] } = restored
  const { consumers = [], removedConsumers = [] } = restored
  const idsOf = events.map(({ id }) => id)
  const stored = await indexesOfStored(connection, prefix, [...idsOf, ...(restored.removedEvents ?? [])])
  if (stored.slice(0, events.length).includes(undefined)) return 'taken'
  const removed = (restored.removedEvents ?? []).flatMap((id, index) => {
    const indexes = stored[events.length + index]
    return indexes === undefined || indexes === '' ? [] : [[id, indexes]]
  })
  const replaced = usage.filter(({ rest }) => rest !== true)
  const written = usageArguments({
    counts: usage.flatMap(({ counts }) => counts),
    addresses: usage.flatMap(({ addresses }) => addresses),
    lastUses: usage.flatMap(({ lastUse }) => lastUse ?? []),
  })
  const [counts = 0, addresses = 0, lastUses = 0, ...used] = written
  const answer = await connection.run(scripts.restore, [
    ...[JSON.stringify(prefix), runId, tokens.length, removedTokens.length, events.length, removed.length],
    ...[replaced.length, consumers.length, removedConsumers.length, seals.length, counts, addresses, lastUses],
    ...tokens.flatMap(encodeToken),
    ...removedTokens,
    ...events.flatMap(({ seq, damaged: _, ...event }, index) => [seq, ...encodeEvent(event), stored[index] ?? '']),
    ...removed.flat(),
    ...replaced.map(({ tokenId }) => tokenId),
    ...consumers.flatMap((state) => [state.name, encodeConsumer(state)]),
    ...removedConsumers,
    ...seals.flatMap(({ number, body }) => [number, body]),
    ...used,
  ])
  if (answer === 'written' || answer === 'superseded' || answer === 'taken') return answer
  throw unexpected()
}

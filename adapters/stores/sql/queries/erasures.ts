import type { StoredEvent } from '../../../../src/model/event.js'
import type { EventErasure } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { affected, ask, ConflictSignal, type Steps } from '../engine.js'
import { eventToUnplacedRow } from '../schema/event-row.js'

const stateOf = (event: StoredEvent) => {
  const { id, prefix, salt, erased } = eventToUnplacedRow(event)
  return { id, prefix, salt, erased }
}

/** Replaces an event with its remaining fields, unless another field was erased since the event was read. */
export function* eraseFields({ builder }: Sql, { before, after }: EventErasure): Steps<void> {
  const { id, prefix, salt, erased } = stateOf(before)
  const { id: _, ...columns } = eventToUnplacedRow(after)
  const result = yield* ask(
    builder
      .updateTable('events')
      .set(columns)
      .where('id', '=', id)
      .where('prefix', '=', prefix)
      .where((eb) => (salt === null ? eb('salt', 'is', null) : eb('salt', '=', salt)))
      .where((eb) => (erased === null ? eb('erased', 'is', null) : eb('erased', '=', erased))),
  )
  if (affected(result) !== 1) throw new ConflictSignal(id)
}

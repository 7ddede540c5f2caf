import type { ConsumerState } from '../../../src/store/port.js'
import type { Connection } from './connection.js'
import { decodeEntry, encodeConsumer, listOf } from './encode.js'
import { scripts } from './scripts.js'

/** The consumers of a prefix. */
export async function readConsumers(connection: Connection, prefix: string): Promise<readonly ConsumerState[]> {
  return listOf(await connection.run(scripts.readConsumers, [JSON.stringify(prefix)])).map((state) => decodeEntry(String(state)))
}

/** Writes the state of a consumer, unless somebody else has written since. */
export async function saveConsumer(connection: Connection, state: ConsumerState): Promise<boolean> {
  const { prefix, name, version } = state
  return Number(await connection.run(scripts.saveConsumer, [JSON.stringify(prefix), name, version, encodeConsumer(state)])) === 1
}

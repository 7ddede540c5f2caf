import type { ConsumerState, ConsumerVersion } from '../../../src/store/port.js'
import type { Connection } from './connection.js'
import { decodeEntry, encodeConsumer, flagOf, listOf } from './encode.js'
import { scripts } from './scripts.js'

/** Reads the consumers of a prefix. */
export async function readConsumers(connection: Connection, prefix: string): Promise<readonly ConsumerState[]> {
  return listOf(await connection.run(scripts.readConsumers, [JSON.stringify(prefix)])).map((state) => decodeEntry(String(state)))
}

/** Writes the state of a consumer, unless it has changed since it was read. */
export async function saveConsumer(connection: Connection, state: ConsumerState): Promise<boolean> {
  const { prefix, name, version } = state
  return flagOf(await connection.run(scripts.saveConsumer, [JSON.stringify(prefix), name, version, encodeConsumer(state)]))
}

/** Removes a consumer, unless it has changed since it was read. */
export async function removeConsumer(connection: Connection, { prefix, name, version }: ConsumerVersion): Promise<boolean> {
  return flagOf(await connection.run(scripts.removeConsumer, [JSON.stringify(prefix), name, version]))
}

import type { ConsumerState, ConsumerVersion } from '../../../../src/store/port.js'
import type { Sql } from '../context.js'
import { affected } from '../engine.js'
import { isAbsent, wide } from '../schema/wide.js'

/** Reads the consumers of a prefix. */
export const consumers = async ({ builder, engine }: Sql, prefix: string): Promise<readonly ConsumerState[]> => {
  const { rows } = await engine.run(builder.selectFrom('consumers').selectAll().where('prefix', '=', prefix).compile())
  return rows.map(({ name, version, position, holder }) => ({
    prefix,
    name,
    version: wide(version),
    position: wide(position),
    ...(!isAbsent(holder) && { holder }),
  }))
}

/** Saves the state of a consumer, unless it has changed since it was read. */
export const saveConsumer = async ({ builder, engine, quirks }: Sql, state: ConsumerState): Promise<boolean> => {
  const { prefix, name, version, position, holder = null } = state
  if (version > 1) {
    const moved = builder
      .updateTable('consumers')
      .set({ version, position, holder })
      .where('prefix', '=', prefix)
      .where('name', '=', name)
      .where('version', '=', version - 1)
    return affected(await engine.run(moved.compile())) === 1
  }
  try {
    await engine.run(builder.insertInto('consumers').values({ prefix, name, version, position, holder }).compile())
    return true
  } catch (error) {
    if (quirks.faultOf(error) === 'duplicate') return false
    throw error
  }
}

/** Removes a consumer, unless it has changed since it was read. */
export const removeConsumer = async ({ builder, engine }: Sql, { prefix, name, version }: ConsumerVersion): Promise<boolean> => {
  const removed = builder.deleteFrom('consumers').where('prefix', '=', prefix).where('name', '=', name).where('version', '=', version)
  return affected(await engine.run(removed.compile())) === 1
}

import { readShape, text } from '../policy/shape.js'
import { generateId } from '../token/generate.js'
import { platformRandom } from '../token/random.js'
import type { Context } from '../verify/context.js'
import { readReader } from './lib/actor.js'
import { commit } from './lib/change.js'

/**
 * Says that an owner's permissions changed: every node asks the `ownerScopes` hook again.
 *
 * @throws InvalidInputError `invalid_input`
 */
export async function ownerChanged(context: Context, ownerId: unknown, by: unknown): Promise<void> {
  const actor = readReader(by)
  const owner = readShape(text(1, 200), ownerId, 'ownerId')
  try {
    await commit(context, {
      ownersChanged: [owner],
      events: [
        {
          id: generateId(platformRandom),
          at: context.settings.clock(),
          action: 'owner.changed',
          prefix: context.settings.prefix,
          actorId: actor.id,
          ownerId: owner,
        },
      ],
    })
  } finally {
    context.owners?.changed(owner)
  }
}

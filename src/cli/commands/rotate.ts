import type { Command } from 'commander'
import type { RotateInput } from '../../model/record.js'
import { readDuration } from '../../policy/duration.js'
import type { Perform } from '../lib/command.js'
import { lifetimeOf, mint } from '../lib/minted.js'
import { nameOf } from '../lib/name-of.js'
import { say } from '../lib/output.js'
import { given, numberOrText, withoutUnit } from '../lib/read-values.js'

type Options = { readonly overlap?: number | string; readonly owner?: string }

export function addRotate(program: Command, perform: Perform): void {
  const command = program
    .command('rotate')
    .summary('replace a token with a new one that has the same settings')
    .description('Replaces a token with a new one that has the same settings. Without --overlap, the old token is revoked immediately.')
    .argument('<id>', 'ID of the token')
    .option('--overlap <duration>', 'how long the old token keeps working, such as 1d', numberOrText)
    .option('--owner <id>', 'give the new token to another owner')
  perform<Options>(command, async (session, { overlap, owner: ownerId }, [idOrToken = '']) => {
    const id = await session.readId(idOrToken)
    if (overlap === undefined || readDuration('overlap', overlap, { min: 0 }) === 0) {
      await session.confirm(async () => `Rotate ${await nameOf(session.handle, id)}, and revoke the old token immediately?`)
    }
    const note = withoutUnit({ '--overlap': overlap })
    if (note !== undefined) await say(session.streams, note)
    await mint(session, {
      create: () => session.handle.rotate(id, given({ overlap, ownerId }) as RotateInput & { readonly idempotencyKey?: undefined }),
      doubt: `token ${id} may have been rotated: if so, \`latchkey show ${id}\` names its successor; revoke that`,
      sentenceOf: (record) =>
        `Rotated ${id} to ${JSON.stringify(record.name)} (ID ${record.id}). The new token ${lifetimeOf(record)} and is shown only once:`,
    })
  })
}

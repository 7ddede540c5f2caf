import type { Command } from 'commander'
import { isLatchkeyError } from '../../errors.js'
import type { Perform } from '../lib/command.js'
import { CommandError, EXIT, readFault } from '../lib/fault.js'
import { say } from '../lib/output.js'
import { ownerOf } from '../lib/owner-of.js'
import { given } from '../lib/read-values.js'

export function addErase(program: Command, perform: Perform): void {
  const command = program
    .command('erase')
    .summary('permanently remove the personal data of an owner who left')
    .description("Removes an owner's ID, names, free text and addresses from all records and audit events. Run owner-gone first.")
    .argument('<owner>', 'ID of the owner')
    .option('--tenant <id>', 'in this tenant (default: in every tenant)')
  perform<{ readonly tenant?: string }>(command, async ({ handle, streams, answer, confirm }, { tenant }, [ownerId = '']) => {
    await confirm(() => `Permanently erase the personal data of ${ownerOf(ownerId, tenant)}?`)
    const erased = await handle.erase({ ownerId, ...given({ tenantId: tenant }) }).catch((error: unknown) => {
      throw isLatchkeyError(error) && error.code === 'conflict'
        ? new CommandError(EXIT.failed, withOwner(readFault(error).sentence, ownerId, tenant))
        : error
    })
    await answer(erased, async () => {
      const { tokens, events } = erased
      const again = tokens + events === 0 ? 'Nothing is left.' : 'Run it again in a minute until nothing is left.'
      await say(streams, `Erased ${tokens} token${tokens === 1 ? '' : 's'} and ${events} event${events === 1 ? '' : 's'}. ${again}`)
    })
  })
}

/** Text that a shell could read as more than a word is not put into a command. */
const WORD = /^\w[\w.:@-]*$/

/** Completes the command that the message advises. */
function withOwner(sentence: string, ownerId: string, tenant: string | undefined): string {
  if (![ownerId, tenant ?? 'x'].every((word) => WORD.test(word))) return sentence
  return sentence.replace('npx latchkey owner-gone', `$& ${ownerId}${tenant === undefined ? '' : ` --tenant ${tenant}`}`)
}

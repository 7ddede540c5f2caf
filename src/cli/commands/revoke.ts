import type { Command } from 'commander'
import type { TokenRecord } from '../../model/record.js'
import type { Perform } from '../lib/command.js'
import { nameOf } from '../lib/name-of.js'
import { say } from '../lib/output.js'
import { given } from '../lib/read-values.js'

type Options = { readonly reason?: string; readonly wait?: true }

export function addRevoke(program: Command, perform: Perform): void {
  const command = program
    .command('revoke')
    .summary('revoke a token permanently')
    .description('Revokes a token. This cannot be undone.')
    .argument('<id>', 'ID of the token')
    .option('--reason <text>', 'the reason, saved with the token and in the audit log')
    .option('--wait', 'return only after every node refuses the token')
  perform<Options>(command, async ({ handle, streams, readId, answer, confirm }, { reason, wait }, [text = '']) => {
    const id = await readId(text)
    const before = await handle.get(id)
    const isRevoked = before?.revokedAt !== undefined
    if (!isRevoked) await confirm(async () => `Revoke ${await nameOf(handle, id)} permanently?`)
    const record = await handle.revoke(id, given({ reason, waitForNodes: wait }))
    await answer(record, () => say(streams, isRevoked ? wasRevoked(record) : `Revoked ${JSON.stringify(record.name)} (ID ${id}).`))
  })
}

function wasRevoked({ id, name, revokedAt, revokedBy, revokedReason }: TokenRecord): string {
  const why = revokedReason === undefined ? '' : ` (reason: ${JSON.stringify(revokedReason)})`
  return `${JSON.stringify(name)} (ID ${id}) was already revoked at ${revokedAt?.toISOString()} by ${revokedBy}${why}. Nothing changed.`
}

import type { Command } from 'commander'
import type { Perform } from '../lib/command.js'
import { say, writeTable } from '../lib/output.js'
import { ownerOf, toldOf } from '../lib/owner-of.js'
import { given } from '../lib/read-values.js'

type Options = { readonly tenant?: string; readonly reason?: string; readonly wait?: true; readonly dryRun?: true }

export function addOwnerGone(program: Command, perform: Perform): void {
  const command = program
    .command('owner-gone')
    .summary('permanently revoke every token of someone who left')
    .description('Revokes every token of an owner who left, no matter who created it. This cannot be undone.')
    .argument('<owner>', 'ID of the owner')
    .option('--tenant <id>', 'in this tenant (default: in every tenant)')
    .option('--reason <text>', 'the reason, saved with the tokens and in the audit log')
    .option('--wait', 'return only after every node refuses the tokens')
    .option('--dry-run', 'change nothing; show which tokens would be revoked')
  perform<Options>(command, async ({ handle, streams, answer, confirm }, { tenant, reason, wait, dryRun }, [ownerId = '']) => {
    const owner = { ownerId, ...given({ tenantId: tenant }) }
    if (dryRun) {
      const told = await handle.ownerGone({ ...owner, dryRun })
      await answer(told, async () => {
        const rows = told.items.map((record) => [record.id, record.name, record.status, record.tenantId, record.lastUsedAt ?? 'never'])
        await writeTable(streams, ['id', 'name', 'status', 'tenant', 'last used'], rows)
        await say(
          streams,
          `Tokens that would be revoked: ${told.live}${told.complete ? '' : ' or more'}. Used in the last 30 days: ${told.usedRecently}.`,
        )
      })
      return
    }
    await confirm(() => `Permanently revoke every token of ${ownerOf(ownerId, tenant)}?`)
    const { count } = await handle.ownerGone({ ...owner, ...given({ reason, waitForNodes: wait }) })
    await answer({ count }, () => say(streams, toldOf(count, ownerOf(ownerId, tenant))))
  })
}

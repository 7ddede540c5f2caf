import type { Command } from 'commander'
import type { Perform } from '../lib/command.js'
import { CommandError, EXIT } from '../lib/fault.js'
import { say } from '../lib/output.js'
import { given } from '../lib/read-values.js'

type Options = { readonly tenant?: string; readonly owner?: string; readonly all?: true; readonly reason?: string; readonly wait?: true }

export function addRevokeAll(program: Command, perform: Perform): void {
  const command = program
    .command('revoke-all')
    .summary('permanently revoke every token of a tenant or an owner, or all tokens')
    .description('Revokes every token of a tenant, of an owner, or of an owner within a tenant, or all tokens. This cannot be undone.')
    .option('--tenant <id>', 'only tokens of this tenant')
    .option('--owner <id>', 'only tokens of this owner')
    .option('--all', 'every token')
    .option('--reason <text>', 'the reason, saved with the tokens and in the audit log')
    .option('--wait', 'return only after every node refuses the tokens')
  perform<Options>(command, async ({ handle, streams, answer, confirm }, { tenant, owner, all, reason, wait }) => {
    if (tenant === undefined && owner === undefined && all === undefined) {
      throw new CommandError(EXIT.usage, 'say whose tokens to revoke: --tenant, --owner or --all')
    }
    await confirm(() => `Revoke ${describe(tenant, owner)} permanently?`)
    const { count } = await handle.revokeAll(given({ tenantId: tenant, ownerId: owner, all, reason, waitForNodes: wait }))
    await answer({ count }, () => say(streams, `Revoked ${count} token${count === 1 ? '' : 's'}.`))
  })
}

function describe(tenant: string | undefined, owner: string | undefined): string {
  const limits = [
    owner === undefined ? [] : `owner ${JSON.stringify(owner)}`,
    tenant === undefined ? [] : `tenant ${JSON.stringify(tenant)}`,
  ]
  const named = limits.flat().join(' in ')
  return named === '' ? 'ALL tokens of everyone' : `every token of ${named}`
}

import type { Command } from 'commander'
import type { TokenHandle } from '../../instance.js'
import type { ListInput } from '../../model/list-input.js'
import type { Perform } from '../lib/command.js'
import { CommandError, EXIT } from '../lib/fault.js'
import { say } from '../lib/output.js'
import { toldOf } from '../lib/owner-of.js'
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
    const whose = { tenantId: tenant, ownerId: owner }
    await confirm(async () => `Revoke ${describe(tenant, owner)} permanently? Live tokens: ${await countLive(handle, given(whose))}.`)
    const { count } = await handle.revokeAll(given({ ...whose, all, reason, waitForNodes: wait }))
    await answer({ count }, () => say(streams, toldOf(count, limitsOf(tenant, owner))))
  })
}

const MOST_COUNTED = 1000

/** Counts the tokens that still work or could work again, up to a limit, because a large table takes time. */
async function countLive(handle: TokenHandle, whose: Pick<ListInput, 'tenantId' | 'ownerId'>): Promise<string> {
  const { items, nextCursor } = await handle.list({ ...whose, status: ['active', 'pending', 'inactive'], limit: MOST_COUNTED })
  return nextCursor === undefined ? String(items.length) : `${MOST_COUNTED.toLocaleString('en-US')} or more`
}

function limitsOf(tenant: string | undefined, owner: string | undefined): string {
  const limits = [
    owner === undefined ? [] : `owner ${JSON.stringify(owner)}`,
    tenant === undefined ? [] : `tenant ${JSON.stringify(tenant)}`,
  ]
  return limits.flat().join(' in ')
}

function describe(tenant: string | undefined, owner: string | undefined): string {
  const named = limitsOf(tenant, owner)
  return named === '' ? 'ALL tokens of everyone' : `every token of ${named}`
}

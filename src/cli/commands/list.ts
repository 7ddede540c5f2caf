import type { Command } from 'commander'
import type { ListInput } from '../../model/list-input.js'
import { STATUSES, type TokenStatus } from '../../model/record.js'
import type { Perform } from '../lib/command.js'
import { say, writeTable } from '../lib/output.js'
import { given, numberOrText, readCount, withoutUnit } from '../lib/read-values.js'
import { choiceOption } from '../lib/suggest.js'

type Options = {
  readonly tenant?: string
  readonly owner?: string
  readonly createdBy?: string
  readonly status?: readonly TokenStatus[]
  readonly name?: string
  readonly rotationDue?: true
  readonly expiresWithin?: number | string
  readonly unusedFor?: number | string
  readonly imported?: true
  readonly notReplaced?: true
  readonly limit?: number
  readonly cursor?: string
}

export function addList(program: Command, perform: Perform): void {
  const command = program
    .command('list')
    .summary('list tokens, newest first')
    .description('Lists tokens one page at a time, newest first.')
    .option('--tenant <id>', 'only tokens of this tenant')
    .option('--owner <id>', 'only tokens of this owner')
    .option('--created-by <id>', 'only tokens created by this actor, such as cli:ada')
    .addOption(choiceOption('--status <status...>', 'with one of these statuses', STATUSES))
    .option('--name <text>', 'only tokens whose name contains this text')
    .option('--rotation-due', 'only tokens whose rotation is due')
    .option('--expires-within <duration>', 'only tokens that expire within this time, such as 14d', numberOrText)
    .option('--unused-for <duration>', 'only tokens unused for this long', numberOrText)
    .option('--imported', 'only imported tokens that are still in their old format')
    .option('--not-replaced', 'only tokens that no rotation has replaced')
    .option('--limit <count>', 'how many, 1 to 1000 (default: 50)', readCount)
    .option('--cursor <cursor>', 'continue where the previous page ended')
  perform<Options>(command, async ({ handle, streams, answer }, options) => {
    const { tenant, owner, createdBy, status, name, rotationDue, expiresWithin, unusedFor, imported, notReplaced, limit, cursor } = options
    const asked = { createdBy, status, name, rotationDue, expiresWithin, unusedFor, imported, notReplaced, limit, cursor }
    const input = { tenantId: tenant, ownerId: owner, ...asked }
    const page = await handle.list(given(input) as ListInput)
    await answer(page, async () => {
      await writeTable(
        streams,
        ['id', 'name', 'status', 'tenant', 'owner', 'scopes', 'expires', 'last used'],
        page.items.map((record) => [
          record.id,
          record.name,
          record.status,
          record.tenantId,
          record.ownerId,
          record.inherit ? '(inherited)' : record.scopes,
          record.expiresAt ?? 'never',
          record.lastUsedAt ?? 'never',
        ]),
      )
      const note = withoutUnit({ '--expires-within': expiresWithin, '--unused-for': unusedFor })
      if (note !== undefined) await say(streams, note)
      if (page.nextCursor !== undefined) await say(streams, `There are more: run the same command with --cursor ${page.nextCursor}`)
    })
  })
}

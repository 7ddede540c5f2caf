import type { Command } from 'commander'
import type { TokenHandle } from '../../instance.js'
import { mustGet } from '../../management/must-get.js'
import { ACTIONS, type AuditAction } from '../../model/event.js'
import type { Perform } from '../lib/command.js'
import { say, writeTable } from '../lib/output.js'
import { given, numberOrText, readCount } from '../lib/read-values.js'
import { choiceOption } from '../lib/suggest.js'

type Options = {
  readonly tenant?: string
  readonly action?: readonly AuditAction[]
  readonly actor?: string
  readonly from?: number | string
  readonly to?: number | string
  readonly order?: 'newest' | 'oldest'
  readonly limit?: number
  readonly cursor?: string
}

export function addEvents(program: Command, perform: Perform): void {
  const command = program
    .command('events')
    .summary('read the audit log of one token or of all tokens')
    .description('Reads the audit log one page at a time, newest first by default.')
    .argument('[id]', 'ID of the token (default: all tokens)')
    .option('--tenant <id>', 'only events of this tenant')
    .addOption(choiceOption('--action <action...>', 'only these actions, such as token.revoked', ACTIONS))
    .option('--actor <id>', 'only events of this actor, such as cli:ada')
    .option('--from <instant>', 'only events from this instant on', numberOrText)
    .option('--to <instant>', 'only events before this instant', numberOrText)
    .addOption(choiceOption('--order <order>', 'which events come first', ['newest', 'oldest']).default('newest'))
    .option('--limit <count>', 'how many, 1 to 1000 (default: 50)', readCount)
    .option('--cursor <cursor>', 'continue where the previous page ended')
  perform<Options>(command, async ({ handle, streams, readId, answer }, options, [text]) => {
    const { tenant, action, actor, from, to, order, limit, cursor } = options
    const tokenId = text === undefined ? undefined : await readId(text)
    const page = await handle.events(given({ tokenId, tenantId: tenant, action, actorId: actor, from, to, order, limit, cursor }))
    // A pruned token still has events.
    if (tokenId !== undefined && page.items.length === 0 && (await isUnknown(handle, tokenId))) await mustGet(handle, tokenId)
    await answer(page, async () => {
      await writeTable(
        streams,
        ['at', 'action', 'actor', 'token', 'tenant', 'code', 'count', 'reason'],
        page.items.map((event) => [
          event.at,
          event.action,
          event.actorId,
          event.tokenId,
          event.tenantId,
          event.code,
          event.count,
          event.reason,
        ]),
      )
      if (page.nextCursor !== undefined) await say(streams, `There may be more: run the same command with --cursor ${page.nextCursor}`)
    })
  })
}

/** Whether a token has no events at all: filters may have left out all of them. */
async function isUnknown(handle: TokenHandle, tokenId: string): Promise<boolean> {
  return (await handle.events({ tokenId, limit: 1 })).items.length === 0
}
